//! The verbs a client sends. Rules and texts agree with the peer's `client.parse`, asked by running it.

use super::args::{self, Line, Raw};
use super::{ParseError, Step, unknown};
use crate::limits::{BARE_LINE_BYTES_MAX, CONTROL_LINE_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::quote::quote;

/// One operation a client sent, borrowed from the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientOp<'a> {
    /// `CONNECT {json}`.
    Connect {
        /// The JSON text.
        json: &'a [u8],
    },
    /// `PUB` or `HPUB` with its payload.
    Pub(Publish<'a>),
    /// `SUB subject [queue] sid`.
    Sub {
        /// Subject or wildcard filter, unchecked.
        subject: &'a [u8],
        /// Queue group.
        queue: Option<&'a [u8]>,
        /// The client's id of the subscription.
        sid: &'a [u8],
    },
    /// `UNSUB sid [max]`.
    Unsub {
        /// The client's id of the subscription.
        sid: &'a [u8],
        /// Total deliveries after which it ends; `None` ends it now.
        max: Option<u64>,
    },
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`, ignored.
    Ok,
    /// `INFO`, ignored.
    Info {
        /// The JSON text.
        json: &'a [u8],
    },
    /// `-ERR text`: the client gives up.
    Err {
        /// The text.
        text: &'a [u8],
    },
}

/// A published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Subject, unchecked.
    pub subject: &'a [u8],
    /// Reply subject, unchecked.
    pub reply: Option<&'a [u8]>,
    /// Length of the header block at the start of `body`; `Some` for `HPUB`, also when 0.
    pub headers_len: Option<usize>,
    /// Headers followed by payload.
    pub body: &'a [u8],
}

impl<'a> Publish<'a> {
    /// The header block, empty if there is none.
    #[must_use]
    pub fn headers(&self) -> &'a [u8] {
        &self.body[..self.headers_len.unwrap_or(0)]
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.body[self.headers_len.unwrap_or(0)..]
    }
}

/// Settings of a connection that decide what is accepted. Holds no input.
#[derive(Debug, Clone)]
pub struct ClientParser {
    /// Longest arguments of a control line, bytes.
    pub max_control_line: usize,
    /// Longest headers plus payload, bytes; `None` is unlimited.
    pub max_payload: Option<usize>,
    /// Whether headers were negotiated.
    pub headers: bool,
}

impl Default for ClientParser {
    fn default() -> Self {
        Self {
            max_control_line: CONTROL_LINE_BYTES_MAX,
            max_payload: Some(PAYLOAD_BYTES_MAX),
            headers: true,
        }
    }
}

/// A verb that takes arguments, and the offset where they start.
enum Verb {
    Connect,
    Pub,
    HeaderPub,
    Sub,
    Unsub,
    Info,
    Err,
    Ping,
    Pong,
    Ok,
}

impl ClientParser {
    /// Looks at `input` from its start.
    #[inline]
    pub fn parse<'a>(&self, input: &'a [u8]) -> Step<ClientOp<'a>> {
        // The verb of nearly every line, in one comparison.
        if let Some(first) = input.first_chunk::<4>()
            && (first == b"PUB " || first == b"pub ")
        {
            return self.publish(input, 4, false);
        }
        let (verb, start) = match verb(input) {
            Ok(found) => found,
            Err(Some(at)) => return unknown(input, at),
            Err(None) => return Step::Incomplete { needed: None },
        };
        match verb {
            Verb::Pub => self.publish(input, start, false),
            Verb::HeaderPub => self.publish(input, start, true),
            Verb::Sub => self.subscribe(input, start),
            Verb::Unsub => self.unsubscribe(input, start),
            Verb::Connect => self.raw(input, start, |json| ClientOp::Connect { json }),
            Verb::Info => self.raw(input, start, |json| ClientOp::Info { json }),
            Verb::Err => self.raw(input, start, |text| ClientOp::Err { text }),
            Verb::Ping => bare(input, start, ClientOp::Ping),
            Verb::Pong => bare(input, start, ClientOp::Pong),
            Verb::Ok => bare(input, start, ClientOp::Ok),
        }
    }

    #[inline]
    fn publish<'a>(&self, input: &'a [u8], start: usize, with_headers: bool) -> Step<ClientOp<'a>> {
        let (args, text, end) = match self.line(input, start) {
            Ok(line) => line,
            Err(step) => return step,
        };
        if with_headers && !self.headers {
            return Step::Fail(ParseError::HeadersUnsupported);
        }
        let (subject, reply, header_size, total_size) = match (with_headers, args.as_slice()) {
            _ if args.count > if with_headers { 4 } else { 3 } => {
                return arguments(with_headers, "Parse Error", text);
            }
            (false, &[subject, size]) => (subject, None, None, size),
            (false, &[subject, reply, size]) => (subject, Some(reply), None, size),
            (true, &[subject, header, total]) => (subject, None, Some(header), total),
            (true, &[subject, reply, header, total]) => (subject, Some(reply), Some(header), total),
            _ => return arguments(with_headers, "Parse Error", text),
        };
        let headers_len = match header_size.map(args::size) {
            None => None,
            Some(Some(n)) => Some(n),
            Some(None) => return arguments(true, "Bad or Missing Header Size", text),
        };
        let Some(size) = args::size(total_size) else {
            let what = if with_headers {
                "Bad or Missing Total Size"
            } else {
                "Bad or Missing Size"
            };
            return arguments(with_headers, what, text);
        };
        if headers_len.is_some_and(|h| h > size) {
            return arguments(true, "Header Size larger then TotalSize", text);
        }
        if let Some(limit) = self.max_payload
            && size > limit
        {
            return Step::Fail(ParseError::Payload { size, limit });
        }
        let (stop, total) = (end + size, end + size + 2);
        if let Some(&byte) = input.get(stop)
            && byte != b'\r'
        {
            return unknown(input, stop);
        }
        match input.get(stop + 1) {
            Some(b'\n') => {}
            Some(_) => return unknown(input, stop + 1),
            None => return Step::Incomplete { needed: Some(total) },
        }
        let body = &input[end..stop];
        Step::Op {
            op: ClientOp::Pub(Publish {
                subject,
                reply,
                headers_len,
                body,
            }),
            len: total,
        }
    }

    fn subscribe<'a>(&self, input: &'a [u8], start: usize) -> Step<ClientOp<'a>> {
        let (args, text, len) = match self.line(input, start) {
            Ok(line) => line,
            Err(step) => return step,
        };
        let op = match (args.count, args.as_slice()) {
            (2, &[subject, sid]) => ClientOp::Sub {
                subject,
                queue: None,
                sid,
            },
            (3, &[subject, queue, sid]) => ClientOp::Sub {
                subject,
                queue: Some(queue),
                sid,
            },
            _ => {
                return Step::Fail(ParseError::Arguments(format!(
                    "processSub Parse Error: {}",
                    quote(text)
                )));
            }
        };
        Step::Op { op, len }
    }

    fn unsubscribe<'a>(&self, input: &'a [u8], start: usize) -> Step<ClientOp<'a>> {
        let (args, text, len) = match self.line(input, start) {
            Ok(line) => line,
            Err(step) => return step,
        };
        let op = match (args.count, args.as_slice()) {
            (1, &[sid]) => ClientOp::Unsub { sid, max: None },
            // What is no size ends the subscription now, as 0 does.
            (2, &[sid, max]) => ClientOp::Unsub {
                sid,
                max: args::size(max).filter(|&m| m > 0).map(|m| m as u64),
            },
            _ => {
                return Step::Fail(ParseError::Arguments(format!(
                    "processUnsub Parse Error: {}",
                    quote(text)
                )));
            }
        };
        Step::Op { op, len }
    }

    /// A whole line of arguments, or what to answer instead.
    #[inline]
    fn line<'a>(
        &self,
        input: &'a [u8],
        start: usize,
    ) -> Result<(args::Args<'a>, &'a [u8], usize), Step<ClientOp<'a>>> {
        match args::split(input, start) {
            Line::Whole { counted, .. } if counted > self.max_control_line => {
                Err(Step::Fail(ParseError::ControlLine))
            }
            Line::Whole { args, text, end, .. } => Ok((args, text, end)),
            Line::Partial { len } => Err(self.partial(input, len)),
        }
    }

    fn raw<'a>(
        &self,
        input: &'a [u8],
        start: usize,
        make: impl FnOnce(&'a [u8]) -> ClientOp<'a>,
    ) -> Step<ClientOp<'a>> {
        match args::raw(input, start) {
            Raw::Whole { counted, .. } if counted > self.max_control_line => {
                Step::Fail(ParseError::ControlLine)
            }
            Raw::Whole { text, end, .. } => Step::Op {
                op: make(text),
                len: end,
            },
            Raw::Partial { len } => self.partial(input, len),
        }
    }

    /// An unfinished line. A CR at its end may be the line's, so it does not count against the limit yet.
    fn partial<'a>(&self, input: &[u8], len: usize) -> Step<ClientOp<'a>> {
        let counted = len - usize::from(len > 0 && input.last() == Some(&b'\r'));
        if counted > self.max_control_line {
            return Step::Fail(ParseError::ControlLine);
        }
        Step::Incomplete { needed: None }
    }
}

/// Finds the verb. `Err(Some(at))` names the first wrong byte, `Err(None)` asks for more.
fn verb(input: &[u8]) -> Result<(Verb, usize), Option<usize>> {
    let first = input.first().ok_or(None)?.to_ascii_lowercase();
    let (word, verb): (&[u8], Verb) = match first {
        b'p' => match input.get(1).ok_or(None)?.to_ascii_lowercase() {
            b'u' => (b"pub", Verb::Pub),
            b'i' => (b"ping", Verb::Ping),
            b'o' => (b"pong", Verb::Pong),
            _ => return Err(Some(1)),
        },
        b'h' => (b"hpub", Verb::HeaderPub),
        b's' => (b"sub", Verb::Sub),
        b'u' => (b"unsub", Verb::Unsub),
        b'c' => (b"connect", Verb::Connect),
        b'i' => (b"info", Verb::Info),
        b'+' => (b"+ok", Verb::Ok),
        b'-' => (b"-err", Verb::Err),
        _ => return Err(Some(0)),
    };
    for (at, expected) in word.iter().enumerate() {
        if input.get(at).ok_or(None)?.to_ascii_lowercase() != *expected {
            return Err(Some(at));
        }
    }
    let end = word.len();
    match verb {
        // A separator is required and skipped.
        Verb::Pub | Verb::HeaderPub | Verb::Sub | Verb::Unsub | Verb::Err => match input.get(end) {
            Some(b' ' | b'\t') => Ok((verb, end + 1)),
            Some(_) => Err(Some(end)),
            None => Err(None),
        },
        Verb::Connect | Verb::Info | Verb::Ping | Verb::Pong | Verb::Ok => Ok((verb, end)),
    }
}

/// A verb whose line is ignored up to its end. The peer reads on for ever; here the caller holds the bytes, so there is
/// an end to it.
fn bare<'a>(input: &'a [u8], start: usize, op: ClientOp<'a>) -> Step<ClientOp<'a>> {
    let line = &input[start..input.len().min(start + BARE_LINE_BYTES_MAX)];
    match memchr::memchr(b'\n', line) {
        Some(newline) => Step::Op {
            op,
            len: start + newline + 1,
        },
        None if line.len() == BARE_LINE_BYTES_MAX => Step::Fail(ParseError::ControlLine),
        None => Step::Incomplete { needed: None },
    }
}

#[cold]
fn arguments<'a>(with_headers: bool, what: &str, text: &[u8]) -> Step<ClientOp<'a>> {
    let verb = if with_headers {
        "processHeaderPub"
    } else {
        "processPub"
    };
    Step::Fail(ParseError::Arguments(format!("{verb} {what}: {}", quote(text))))
}

#[cfg(test)]
mod tests;
