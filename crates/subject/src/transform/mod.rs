//! Subject mappings and transforms: `foo.*` to `bar.{{partition(3,1)}}` and the like. Randomness is an argument.
//!
//! Functions, what is accepted and the error texts are the peer's (asked with `-t` on `mappings`).

mod apply;
mod parse;

use crate::subject::SubjectError;
use crate::token::{is_literal, is_valid_subject};

/// Why a transform is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// Source or destination is no valid subject, or their wildcards do not fit.
    #[error("invalid subject")]
    Subject,
    /// An empty token in the destination, or one with white space.
    #[error("invalid mapping destination: invalid transform")]
    Destination,
    /// A token of the destination after `>`.
    #[error("invalid mapping destination: invalid transform in {0}")]
    AfterRest(String),
    /// No function of that name.
    #[error("invalid mapping destination: unknown function in {0}")]
    UnknownFunction(String),
    /// A wildcard that the source does not have.
    #[error("invalid mapping destination: wildcard index out of range in {0}")]
    IndexOutOfRange(String),
    /// Too few arguments.
    #[error("invalid mapping destination: not enough arguments passed to the function in {0}")]
    NotEnoughArguments(String),
    /// Too many arguments.
    #[error("invalid mapping destination: too many arguments passed to the function in {0}")]
    TooManyArguments(String),
    /// An argument of the wrong form.
    #[error("invalid mapping destination: function argument is invalid or in the wrong format in {0}")]
    InvalidArgument(String),
}

impl From<SubjectError> for TransformError {
    fn from(_: SubjectError) -> Self {
        Self::Subject
    }
}

/// What one token of the destination becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<[u8]>),
    /// Text of a source wildcard, counted from 1; here and below 0 is the first token of the subject, as on the peer.
    Wildcard(usize),
    /// Hash of source wildcards (all of the subject, when empty) modulo a count.
    Partition(u32, Vec<usize>),
    Random(u32),
    Split(usize, Box<[u8]>),
    SplitFromLeft(usize, usize),
    SplitFromRight(usize, usize),
    SliceFromLeft(usize, usize),
    SliceFromRight(usize, usize),
    Left(usize, usize),
    Right(usize, usize),
    /// What `>` of the source matched.
    Rest,
}

/// A rule that turns subjects matching a source into others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    source: Box<[u8]>,
    destination: Box<[u8]>,
    /// Token index of each `*` of the source.
    wildcards: Vec<usize>,
    /// Token index of the source's `>`, if it ends in one.
    full: Option<usize>,
    parts: Vec<Part>,
}

impl Transform {
    /// A transform from `source` (`>` if empty) to `destination`.
    ///
    /// # Errors
    /// [`TransformError`] with the peer's text.
    pub fn new(source: &str, destination: &str) -> Result<Self, TransformError> {
        let source = if source.is_empty() { ">" } else { source };
        if !is_valid_subject(source.as_bytes()) || destination.is_empty() {
            return Err(TransformError::Subject);
        }
        let mut wildcards = Vec::new();
        let mut full = None;
        for (n, token) in source.split('.').enumerate() {
            match token {
                "*" => wildcards.push(n),
                ">" => full = Some(n),
                _ => {}
            }
        }
        let parts = parse::destination(destination, wildcards.len())?;
        let rest = parts.last() == Some(&Part::Rest);
        if rest != full.is_some() || parts.iter().rev().skip(1).any(|p| *p == Part::Rest) {
            return Err(TransformError::Subject);
        }
        Ok(Self {
            source: source.as_bytes().into(),
            destination: destination.as_bytes().into(),
            wildcards,
            full,
            parts,
        })
    }

    /// The source filter.
    #[must_use]
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// The destination as written.
    #[must_use]
    pub fn destination(&self) -> &[u8] {
        &self.destination
    }

    /// Whether the outcome depends on chance, so that it must not be remembered.
    #[must_use]
    pub fn is_random(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Random(_)))
    }
}

/// One weighted destination of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted {
    /// The rule.
    pub transform: Transform,
    /// Share of messages, percent.
    pub weight: u8,
    /// Only in the cluster of this name, if not empty.
    pub cluster: String,
}

/// Why a mapping is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// One of its destinations.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// Above 100 in a cluster.
    #[error("total weight needs to be <= 100")]
    Weight,
    /// Twice the same destination.
    #[error("duplicate entry for {0:?}")]
    Duplicate(String),
}

/// A mapping of an account: messages on `source` go to one of the destinations by weight; what the weights leave over
/// keeps its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    source: Box<[u8]>,
    literal: bool,
    destinations: Vec<Weighted>,
}

impl Mapping {
    /// A mapping from `source` to destinations given as (destination, weight in percent, cluster).
    ///
    /// # Errors
    /// [`MappingError`] with the peer's text.
    pub fn new(source: &str, destinations: &[(String, u8, String)]) -> Result<Self, MappingError> {
        let mut list: Vec<Weighted> = Vec::new();
        for (destination, weight, cluster) in destinations {
            if list
                .iter()
                .any(|w| *w.transform.destination == *destination.as_bytes())
            {
                return Err(MappingError::Duplicate(destination.clone()));
            }
            let transform = Transform::new(source, destination)?;
            list.push(Weighted {
                transform,
                weight: *weight,
                cluster: cluster.clone(),
            });
            let total: u32 = list
                .iter()
                .filter(|w| w.cluster == *cluster)
                .map(|w| u32::from(w.weight))
                .sum();
            if total > 100 {
                return Err(MappingError::Weight);
            }
        }
        // A wildcard source that maps all messages to nowhere else keeps its own subject for the remainder.
        Ok(Self {
            source: source.as_bytes().into(),
            literal: is_literal(source.as_bytes()),
            destinations: list,
        })
    }

    /// The source filter.
    #[must_use]
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// Where it maps to.
    #[must_use]
    pub fn destinations(&self) -> &[Weighted] {
        &self.destinations
    }

    /// Whether the mapping concerns `subject`.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> bool {
        if self.literal {
            *self.source == *subject
        } else {
            crate::matches::matches(subject, &self.source)
        }
    }

    /// Whether the outcome depends on chance.
    #[must_use]
    pub fn is_random(&self) -> bool {
        match self.destinations.as_slice() {
            [only] => only.weight != 100 || only.transform.is_random(),
            _ => true,
        }
    }

    /// The subject a message goes to instead of `subject`; `None` keeps it.
    pub fn apply(&self, subject: &[u8], cluster: &str, random: &mut dyn FnMut() -> u64) -> Option<Vec<u8>> {
        // Destinations for this cluster replace the general ones.
        let own = !cluster.is_empty() && self.destinations.iter().any(|w| w.cluster == cluster);
        let wanted = if own { cluster } else { "" };
        let draw = random() % 100;
        let mut below = 0;
        for weighted in self.destinations.iter().filter(|w| w.cluster == wanted) {
            below += u64::from(weighted.weight);
            if draw < below {
                return weighted.transform.apply(subject, random);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
