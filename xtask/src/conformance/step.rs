//! One line of a script as an action, and the escapes of its bytes. Never carries the action out.

use anyhow::{Context, Result, bail, ensure};

/// What a step does. Connections are named by a letter and opened when first named.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// `open A`: a bare connection; the INFO is recorded and no CONNECT sent.
    Open(char),
    /// `A> text`: the bytes and CRLF. `A>> text`: the bytes alone. `pub A subject reply body`: a PUB, counted.
    Send(char, Vec<u8>),
    /// `A<`: everything up to the answer to a PING, or to the end. `A<~`: the same, sorted.
    Fence { on: char, sorted: bool },
    /// `quiet A`: a quarter of a second, then as `A<`.
    Quiet(char),
    /// `wait A 2`: two messages.
    Wait(char, usize),
    /// `req A [*2] subject body`: a request and its answers. `none A subject body`: expects silence.
    Request(Request),
    /// `ack A 1 +ACK`: publishes to the ack subject of the case's first message. `ackreq A 1 +ACK`: as a request.
    Ack {
        on: char,
        message: usize,
        body: Vec<u8>,
        answered: bool,
    },
    /// `flow A` or `flow A H{Name: value}`: answers the newest flow control request of the case.
    Flow(char, Option<String>),
    /// `close A`
    Close(char),
}

/// A message with a reply subject of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) on: char,
    /// Answers to wait for; none for a request that must stay without one.
    pub(super) answers: usize,
    pub(super) subject: String,
    /// `H{Name: value|Other: value}` before the body.
    pub(super) headers: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Action {
    /// Reads one line.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let mut chars = line.chars();
        if let (Some(on @ 'A'..='Z'), rest) = (chars.next(), chars.as_str())
            && rest.starts_with(['<', '>'])
        {
            return Self::on_wire(on, rest);
        }
        let (verb, rest) = line.split_once(' ').context("a verb and a connection")?;
        let (on, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut letters = on.chars();
        let (Some(on @ 'A'..='Z'), None) = (letters.next(), letters.next()) else {
            bail!("connections are named by one capital letter");
        };
        Ok(match verb {
            "open" => Self::Open(on),
            "quiet" => Self::Quiet(on),
            "close" => Self::Close(on),
            "flow" => Self::Flow(on, take_headers(rest)?.0),
            "wait" => Self::Wait(on, rest.parse()?),
            "req" => Self::Request(Request::parse(on, rest, 1)?),
            "none" => Self::Request(Request::parse(on, rest, 0)?),
            "pub" => Self::Send(on, publish(rest)?),
            "ack" | "ackreq" => {
                let (message, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let (message, body) = (message.parse()?, unescape(body)?);
                let answered = verb == "ackreq";
                Self::Ack {
                    on,
                    message,
                    body,
                    answered,
                }
            }
            _ => bail!("no such verb"),
        })
    }

    fn on_wire(on: char, rest: &str) -> Result<Self> {
        match rest {
            "<" => return Ok(Self::Fence { on, sorted: false }),
            "<~" => return Ok(Self::Fence { on, sorted: true }),
            _ => {}
        }
        if let Some(text) = rest.strip_prefix(">> ") {
            return Ok(Self::Send(on, unescape(text)?));
        }
        let text = rest.strip_prefix("> ").or_else(|| rest.strip_prefix(">"));
        let mut bytes = unescape(text.context("`A<`, `A> text` or `A>> text`")?)?;
        bytes.extend_from_slice(b"\r\n");
        Ok(Self::Send(on, bytes))
    }
}

impl Request {
    fn parse(on: char, rest: &str, answers: usize) -> Result<Self> {
        let mut answers = answers;
        let mut rest = rest;
        if let Some(counted) = rest.strip_prefix('*') {
            let (count, after) = counted.split_once(' ').context("a count and a subject")?;
            (answers, rest) = (count.parse()?, after);
        }
        let (subject, body) = rest.split_once(' ').unwrap_or((rest, ""));
        ensure!(!subject.is_empty(), "a request has a subject");
        let (headers, body) = take_headers(body)?;
        let (subject, body) = (subject.to_owned(), unescape(body)?);
        Ok(Self {
            on,
            answers,
            subject,
            headers,
            body,
        })
    }
}

/// The header block that `H{Name: value|Other: value}` at the beginning means, and what follows.
fn take_headers(text: &str) -> Result<(Option<String>, &str)> {
    let Some(after) = text.strip_prefix("H{") else {
        return Ok((None, text));
    };
    let (inside, after) = after.split_once('}').context("`H{` without `}`")?;
    let lines: Vec<String> = inside.split('|').map(|l| format!("{l}\r\n")).collect();
    let block = format!("NATS/1.0\r\n{}\r\n", lines.concat());
    Ok((Some(block), after.strip_prefix(' ').unwrap_or(after)))
}

fn publish(rest: &str) -> Result<Vec<u8>> {
    let (subject, rest) = rest.split_once(' ').context("a subject and a reply")?;
    let (reply, body) = rest.split_once(' ').unwrap_or((rest, ""));
    let body = unescape(body)?;
    let line = format!("PUB {subject} {reply} {}\r\n", body.len());
    Ok([line.as_bytes(), &body, b"\r\n"].concat())
}

/// `\r \n \t \\ \xNN`, and `\*{text,n}` for `text` n times.
fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let kind = after.chars().next().context("a backslash at the end")?;
        rest = &after[kind.len_utf8()..];
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).context("`\\x` and two digits")?;
                bytes.push(u8::from_str_radix(digits, 16)?);
                rest = &rest[2..];
            }
            '*' => {
                let inside = rest.strip_prefix('{').and_then(|r| r.split_once('}'));
                let (repeated, after) = inside.context("`\\*{text,n}`")?;
                let (text, count) = repeated.rsplit_once(',').context("`\\*{text,n}`")?;
                bytes.extend(text.repeat(count.parse()?).bytes());
                rest = after;
            }
            // Left as it is, for the escapes of JSON.
            _ => {
                bytes.push(b'\\');
                bytes.extend(kind.to_string().bytes());
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_on_the_wire() {
        assert_eq!(
            Action::parse("A> PUB f 2\\r\\nhi").unwrap(),
            Action::Send('A', b"PUB f 2\r\nhi\r\n".to_vec())
        );
        assert_eq!(
            Action::parse("B>> \\x00\\*{ab,2}").unwrap(),
            Action::Send('B', b"\0abab".to_vec())
        );
        assert_eq!(
            Action::parse("A<~").unwrap(),
            Action::Fence {
                on: 'A',
                sorted: true
            }
        );
        assert!(Action::parse("A<5").is_err());
    }

    #[test]
    fn requests() {
        let Action::Request(r) = Action::parse("req A *2 s.1 H{A: b|C: d} {\"x\":1}").unwrap() else {
            panic!("no request");
        };
        assert_eq!((r.answers, r.subject.as_str()), (2, "s.1"));
        assert_eq!(r.headers.as_deref(), Some("NATS/1.0\r\nA: b\r\nC: d\r\n\r\n"));
        assert_eq!(r.body, b"{\"x\":1}");
        let Action::Request(r) = Action::parse("none A s").unwrap() else {
            panic!("no request");
        };
        assert_eq!((r.answers, r.body.len()), (0, 0));
    }

    #[test]
    fn acks_name_their_message() {
        let ack = Action::parse("ackreq A 2 -NAK {\"delay\":1}").unwrap();
        let body = b"-NAK {\"delay\":1}".to_vec();
        assert_eq!(
            ack,
            Action::Ack {
                on: 'A',
                message: 2,
                body,
                answered: true
            }
        );
    }
}
