//! Reads the destination of a transform. Accepts and refuses what the peer does.

use super::apply::fnv1a;
use super::{Part, TransformError};

/// A function's name in lower case, as the peer's patterns spell it with either case of each word's first letter.
const NAMES: &[&str] = &[
    "wildcard",
    "partition",
    "random",
    "split",
    "splitFromLeft",
    "splitFromRight",
    "sliceFromLeft",
    "sliceFromRight",
    "left",
    "right",
];

/// Parses `destination` for a source with `wildcards` partial wildcards.
pub(super) fn destination(destination: &str, wildcards: usize) -> Result<Vec<Part>, TransformError> {
    let tokens = split_tokens(destination);
    let mut after_rest = false;
    for token in &tokens {
        if token.is_empty() {
            return Err(TransformError::Destination);
        }
        if after_rest {
            return Err(TransformError::AfterRest((*token).into()));
        }
        after_rest = *token == ">";
    }
    tokens.into_iter().map(|token| part(token, wildcards)).collect()
}

/// Tokens at dots, but not at dots inside `{{…}}` (a separator argument may be one).
fn split_tokens(destination: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let (mut start, mut at, mut inside) = (0, 0, false);
    let bytes = destination.as_bytes();
    while at < bytes.len() {
        if bytes[at..].starts_with(b"{{") && destination[at..].contains("}}") {
            inside = true;
        } else if bytes[at..].starts_with(b"}}") {
            inside = false;
        } else if bytes[at] == b'.' && !inside {
            tokens.push(&destination[start..at]);
            start = at + 1;
        }
        at += 1;
    }
    tokens.push(&destination[start..]);
    tokens
}

fn part(token: &str, wildcards: usize) -> Result<Part, TransformError> {
    if token == ">" {
        return Ok(Part::Rest);
    }
    if token == "*" {
        return Err(TransformError::Subject);
    }
    if let Some(digits) = token.strip_prefix('$')
        && let Ok(n) = digits.parse::<usize>()
    {
        return match n {
            // Without any wildcard the peer does not say which one is meant.
            _ if wildcards == 0 => Err(TransformError::IndexOutOfRange(token.to_owned())),
            n if n > wildcards => Err(TransformError::IndexOutOfRange(format!("{token}: [{n}]"))),
            n => Ok(Part::Wildcard(n)),
        };
    }
    let Some(inner) = token.strip_prefix("{{").and_then(|t| t.strip_suffix("}}")) else {
        if token.chars().any(char::is_whitespace) {
            return Err(TransformError::Destination);
        }
        return Ok(Part::Literal(token.as_bytes().into()));
    };
    function(token, inner.trim(), wildcards)
}

fn function(token: &str, inner: &str, wildcards: usize) -> Result<Part, TransformError> {
    let unknown = || TransformError::UnknownFunction(token.into());
    let (name, rest) = inner.split_once('(').ok_or_else(unknown)?;
    let args = rest.strip_suffix(')').ok_or_else(unknown)?;
    let name = NAMES
        .iter()
        .find(|known| same_name(name.trim_end(), known))
        .ok_or_else(unknown)?;
    let args: Vec<&str> = args.split(',').collect();
    let call = Call {
        token,
        args: &args,
        wildcards,
    };
    match *name {
        "wildcard" => call.wildcard(),
        "partition" => call.partition(),
        "random" => call.random(),
        "split" => call.split(),
        "splitFromLeft" => call.pair(Part::SplitFromLeft),
        "splitFromRight" => call.pair(Part::SplitFromRight),
        "sliceFromLeft" => call.pair(Part::SliceFromLeft),
        "sliceFromRight" => call.pair(Part::SliceFromRight),
        "left" => call.pair(Part::Left),
        _ => call.pair(Part::Right),
    }
}

/// Whether `name` is `known` with any case of the letters that begin its words.
fn same_name(name: &str, known: &str) -> bool {
    let mut word_start = true;
    name.len() == known.len()
        && name.chars().zip(known.chars()).all(|(a, b)| {
            let free = word_start || b.is_uppercase();
            word_start = false;
            a == b || (free && a.eq_ignore_ascii_case(&b))
        })
}

struct Call<'a> {
    token: &'a str,
    args: &'a [&'a str],
    wildcards: usize,
}

impl Call<'_> {
    fn invalid(&self) -> TransformError {
        TransformError::InvalidArgument(self.token.into())
    }

    fn count(&self, n: usize) -> Result<(), TransformError> {
        match self.args.len() {
            len if len < n => Err(TransformError::NotEnoughArguments(self.token.into())),
            len if len > n => Err(TransformError::TooManyArguments(self.token.into())),
            _ => Ok(()),
        }
    }

    fn integer(&self, n: usize) -> Result<i64, TransformError> {
        self.args[n]
            .trim()
            .parse::<i32>()
            .map(i64::from)
            .map_err(|_| self.invalid())
    }

    /// The n-th argument as a wildcard of the source; 0, which stands for the subject's first token, for what is below.
    fn index(&self, n: usize) -> Result<usize, TransformError> {
        let value: i64 = self.args[n].trim().parse().map_err(|_| self.invalid())?;
        if self.wildcards == 0 {
            return Err(TransformError::IndexOutOfRange(self.token.into()));
        }
        match usize::try_from(value.max(0)) {
            Ok(i) if i <= self.wildcards => Ok(i),
            _ => Err(TransformError::IndexOutOfRange(format!(
                "{}: [{value}]",
                self.token
            ))),
        }
    }

    fn wildcard(&self) -> Result<Part, TransformError> {
        if self.args == [""] {
            return Err(TransformError::NotEnoughArguments(self.token.into()));
        }
        self.count(1)?;
        Ok(Part::Wildcard(self.index(0)?))
    }

    fn partition(&self) -> Result<Part, TransformError> {
        let buckets = u32::try_from(self.integer(0)?.max(0)).unwrap_or(0);
        let arguments = 1..self.args.len();
        if self.wildcards == 0 && !arguments.is_empty() {
            for n in arguments {
                self.integer(n)?;
            }
            // The peer takes every index there, and hashes nothing.
            let constant = fnv1a([]).checked_rem(buckets).unwrap_or(0);
            return Ok(Part::Literal(constant.to_string().as_bytes().into()));
        }
        let indices: Result<Vec<usize>, _> = arguments.map(|n| self.index(n)).collect();
        Ok(Part::Partition(buckets, indices?))
    }

    fn random(&self) -> Result<Part, TransformError> {
        if self.args.len() != 1 {
            return Err(TransformError::NotEnoughArguments(self.token.into()));
        }
        Ok(Part::Random(u32::try_from(self.integer(0)?.max(0)).unwrap_or(0)))
    }

    fn split(&self) -> Result<Part, TransformError> {
        self.count(2)?;
        let index = self.index(0)?;
        Ok(Part::Split(index, self.args[1].as_bytes().into()))
    }

    fn pair(&self, make: fn(usize, usize) -> Part) -> Result<Part, TransformError> {
        self.count(2)?;
        let size = self.integer(1);
        let index = match self.index(0) {
            // Of two faults the peer names the form of an argument first.
            Err(TransformError::IndexOutOfRange(_)) if size.is_err() => return Err(self.invalid()),
            index => index?,
        };
        Ok(make(index, usize::try_from(size?.max(0)).unwrap_or(0)))
    }
}
