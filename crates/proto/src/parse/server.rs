//! The verbs a server sends, for clients. As strict as a client needs to be; never trusts a size beyond its limit.

use super::args::{self, Line, Raw};
use super::{ParseError, Step, unknown};
use crate::quote::quote;

/// One operation a server sent, borrowed from the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerOp<'a> {
    /// `INFO {json}`.
    Info {
        /// The JSON text.
        json: &'a [u8],
    },
    /// `MSG` or `HMSG` with its payload.
    Msg(Delivered<'a>),
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`.
    Ok,
    /// `-ERR 'text'`.
    Err {
        /// The text without its quotes.
        text: &'a [u8],
    },
}

/// A message delivered to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered<'a> {
    /// Subject the message was published on.
    pub subject: &'a [u8],
    /// Subscription id.
    pub sid: &'a [u8],
    /// Reply subject.
    pub reply: Option<&'a [u8]>,
    /// Length of the header block at the start of `body`; `Some` for `HMSG`.
    pub headers_len: Option<usize>,
    /// Headers followed by payload.
    pub body: &'a [u8],
}

/// Parses what a server sends.
#[derive(Debug, Clone, Default)]
pub struct ServerParser {
    /// Largest message accepted, bytes; `None` accepts any size the protocol can express.
    pub max_payload: Option<usize>,
}

impl ServerParser {
    /// Looks at `input` from its start.
    pub fn parse<'a>(&self, input: &'a [u8]) -> Step<ServerOp<'a>> {
        const VERBS: [&[u8]; 7] = [b"MSG ", b"HMSG ", b"INFO", b"PING", b"PONG", b"+OK", b"-ERR"];
        let mut partial = false;
        for (n, verb) in VERBS.iter().enumerate() {
            if input.len() < verb.len() {
                partial |= verb.starts_with(&input.to_ascii_uppercase());
                continue;
            }
            if !input[..verb.len()].eq_ignore_ascii_case(verb) {
                continue;
            }
            let start = verb.len();
            return match n {
                0 => self.message(input, start, false),
                1 => self.message(input, start, true),
                2 => raw(input, start, |json| ServerOp::Info { json }),
                3 => raw(input, start, |_| ServerOp::Ping),
                4 => raw(input, start, |_| ServerOp::Pong),
                5 => raw(input, start, |_| ServerOp::Ok),
                _ => raw(input, start, |text| ServerOp::Err { text: unquote(text) }),
            };
        }
        if partial {
            Step::Incomplete { needed: None }
        } else {
            unknown(input, 0)
        }
    }

    fn message<'a>(&self, input: &'a [u8], start: usize, with_headers: bool) -> Step<ServerOp<'a>> {
        let (args, text, end) = match args::split(input, start) {
            Line::Whole { args, text, end, .. } => (args, text, end),
            Line::Partial { .. } => return Step::Incomplete { needed: None },
        };
        let bad = || {
            Step::Fail(ParseError::Arguments(format!(
                "bad message line: {}",
                quote(text)
            )))
        };
        // HMSG with a reply has five arguments, one more than the splitter keeps: the last is the rest of the text.
        let all: Vec<&[u8]>;
        let list = if args.count > args.as_slice().len() {
            all = text
                .split(|b| matches!(b, b' ' | b'\t'))
                .filter(|a| !a.is_empty())
                .collect();
            all.as_slice()
        } else {
            args.as_slice()
        };
        let (subject, sid, reply, header, total) = match (with_headers, list) {
            (false, &[subject, sid, size]) => (subject, sid, None, None, size),
            (false, &[subject, sid, reply, size]) => (subject, sid, Some(reply), None, size),
            (true, &[subject, sid, header, size]) => (subject, sid, None, Some(header), size),
            (true, &[subject, sid, reply, header, size]) => (subject, sid, Some(reply), Some(header), size),
            _ => return bad(),
        };
        let Some(size) = args::size(total) else {
            return bad();
        };
        let headers_len = match header.map(args::size) {
            None => None,
            Some(Some(n)) if n <= size => Some(n),
            Some(_) => return bad(),
        };
        if let Some(limit) = self.max_payload
            && size > limit
        {
            return Step::Fail(ParseError::Payload { size, limit });
        }
        let (stop, len) = (end + size, end + size + 2);
        if input.len() < len {
            return Step::Incomplete { needed: Some(len) };
        }
        if &input[stop..len] != b"\r\n" {
            return unknown(input, stop);
        }
        let body = &input[end..stop];
        Step::Op {
            op: ServerOp::Msg(Delivered {
                subject,
                sid,
                reply,
                headers_len,
                body,
            }),
            len,
        }
    }
}

fn raw<'a>(input: &'a [u8], start: usize, make: impl FnOnce(&'a [u8]) -> ServerOp<'a>) -> Step<ServerOp<'a>> {
    match args::raw(input, start) {
        Raw::Whole { text, end, .. } => Step::Op {
            op: make(text),
            len: end,
        },
        Raw::Partial { .. } => Step::Incomplete { needed: None },
    }
}

fn unquote(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    text.strip_prefix(b"'")
        .and_then(|t| t.strip_suffix(b"'"))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(input: &[u8]) -> String {
        let (mut rest, mut out) = (input, String::new());
        loop {
            match ServerParser::default().parse(rest) {
                Step::Op { op, len } => {
                    let text = match op {
                        ServerOp::Msg(m) => format!(
                            "msg {} {} {:?} {:?} {}",
                            String::from_utf8_lossy(m.subject),
                            String::from_utf8_lossy(m.sid),
                            m.reply.map(String::from_utf8_lossy),
                            m.headers_len,
                            String::from_utf8_lossy(m.body)
                        ),
                        ServerOp::Err { text } => format!("err {}", String::from_utf8_lossy(text)),
                        other => format!("{other:?}")
                            .split(' ')
                            .next()
                            .unwrap_or_default()
                            .to_lowercase(),
                    };
                    out.push_str(&text);
                    out.push('|');
                    rest = &rest[len..];
                }
                Step::Incomplete { needed } => return format!("{out}more {needed:?}"),
                Step::Fail(e) => return format!("{out}fail {e}"),
            }
        }
    }

    #[test]
    fn messages_of_all_shapes() {
        assert_eq!(ops(b"MSG a 1 2\r\nhi\r\n"), "msg a 1 None None hi|more None");
        assert_eq!(
            ops(b"MSG a 1 r 2\r\nhi\r\nPING\r\n"),
            "msg a 1 Some(\"r\") None hi|ping|more None"
        );
        assert_eq!(
            ops(b"HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"),
            "msg a 1 None Some(12) NATS/1.0\r\n\r\nhi|more None"
        );
        assert_eq!(
            ops(b"HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"),
            "msg a 1 Some(\"r\") Some(12) NATS/1.0\r\n\r\nhi|more None"
        );
        assert_eq!(
            ops(b"-ERR 'Stale Connection'\r\n+OK\r\n"),
            "err Stale Connection|ok|more None"
        );
        assert_eq!(ops(b"MSG a 1 5\r\nhi"), "more Some(18)");
        assert_eq!(ops(b"HM"), "more None");
        assert!(ops(b"FOO\r\n").starts_with("fail"));
        assert!(ops(b"MSG a 1\r\n").starts_with("fail"));
    }
}
