//! Message tracing (ADR-41): a message that asks for it gathers what happens to it on its way, and where it ends that is
//! published on the subject it names. A message that does not ask costs one look through its headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use natterjack_proto::headers::{self, Headers};
use natterjack_subject::is_valid_publish;
use serde_json::{Map, Value, json};

use super::lane::Lane;
use super::message::Routed;
use super::sub::{Service, Sub};
use crate::account::Account;
use crate::clock;
use crate::conn::Conn;
use crate::system::{self, encoding::Encoding};

/// Names the subject the trace goes to.
const DEST: &str = "Nats-Trace-Dest";
/// The same behind the end of a line.
const DEST_LINE: &[u8] = b"\r\nNats-Trace-Dest:";
/// Asks that nobody gets the message.
const ONLY: &str = "Nats-Trace-Only";
/// The header of W3C tracing, in any case.
const PARENT: &[u8] = b"traceparent";
/// A destination that ends tracing here and everywhere behind.
const DISABLED: &[u8] = b"trace disabled";
/// How traces call a client connection.
const KIND_CLIENT: u8 = 0;

/// Why a subscription did not get a message; the texts are those of nats-server's `msgtrace.go`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// The publisher does not hear itself.
    NoEcho,
    /// The subscriber may not hear it.
    SubscriptionDenied,
    /// The subscription has ended.
    SubscriptionClosed,
    /// The connection has ended.
    ClientClosed,
    /// The subscription has had all it asked for.
    AutoUnsubscribed,
}

impl Undelivered {
    const fn text(self) -> &'static str {
        match self {
            Self::NoEcho => "Not delivered because of no echo",
            Self::SubscriptionDenied => "Not delivered because subscription denies this subject",
            Self::SubscriptionClosed => "Not delivered because subscription is closed",
            Self::ClientClosed => "Not delivered because client is closed",
            Self::AutoUnsubscribed => "Not delivered because auto-unsubscribe exceeded",
        }
    }
}

/// Something that goes on with the trace elsewhere and publishes it there.
type Later = Box<dyn FnOnce(Trace) + Send>;

/// What happened to one message so far.
pub(crate) struct Trace {
    /// Where it goes.
    dest: Vec<u8>,
    /// Whether nobody gets the message itself.
    pub(crate) only: bool,
    fields: BTreeMap<String, Vec<String>>,
    size: usize,
    /// How it is to be packed.
    encoding: Option<Encoding>,
    events: Vec<Value>,
    /// Who goes on with it.
    pub(crate) later: Option<Later>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace")
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

/// What the headers of a message ask for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// That its trace goes to this subject.
    Dest(Vec<u8>),
    /// A destination nobody can listen on, from a message that is for nobody: it ends here.
    Nowhere,
    /// The decision of the account, as tracing was asked for by the header other systems use.
    Account,
}

/// Whether W3C's flags of `value` ask for sampling.
fn is_sampled(value: &[u8]) -> bool {
    let Some(flags) = value.split(|b| *b == b'-').nth(3) else {
        return false;
    };
    let flags = std::str::from_utf8(flags).ok().filter(|f| f.len() == 2);
    flags
        .and_then(|f| u8::from_str_radix(f, 16).ok())
        .is_some_and(|f| f & 1 == 1)
}

fn is_only(block: Headers<'_>) -> bool {
    let value = block.get(ONLY).unwrap_or_default();
    [&b"1"[..], b"true", b"on"]
        .iter()
        .any(|on| value.eq_ignore_ascii_case(on))
}

/// What the header block `block` asks for; `account`: whether the account has a destination of its own. Allocates only
/// when the message asks for one.
pub(crate) fn asked(block: &[u8], account: bool) -> Asked {
    let block = Headers::new(block);
    if let Some(dest) = block.get(DEST).filter(|d| !d.is_empty()) {
        let valid = std::str::from_utf8(dest).is_ok() && is_valid_publish(dest);
        return match () {
            () if dest == DISABLED => Asked::Nothing,
            () if valid => Asked::Dest(dest.to_vec()),
            () if is_only(block) => Asked::Nowhere,
            () => Asked::Nothing,
        };
    }
    let parent = account
        .then(|| block.iter().find(|(name, _)| name.eq_ignore_ascii_case(PARENT)))
        .flatten();
    match parent {
        Some((_, value)) if is_sampled(value) => Asked::Account,
        _ => Asked::Nothing,
    }
}

/// `block` as it goes on when it is not to be traced any further.
pub(crate) fn disabled(block: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.len() + DEST.len() + DISABLED.len() + 4);
    let found = memchr::memmem::find(block, DEST_LINE);
    if let Some(value) = found.map(|at| at + DEST_LINE.len()) {
        let end = memchr::memmem::find(&block[value..], b"\r\n").map_or(block.len(), |n| value + n);
        out.extend_from_slice(&block[..value]);
        out.push(b' ');
        out.extend_from_slice(DISABLED);
        out.extend_from_slice(&block[end..]);
        return out;
    }
    out.extend_from_slice(block.strip_suffix(b"\r\n").unwrap_or(block));
    headers::push(&mut out, DEST, DISABLED);
    headers::finish(&mut out);
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An event of what happened at a client's connection.
fn of_client(conn: &Conn) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("kind".into(), KIND_CLIENT.into());
    event.insert("cid".into(), conn.id.into());
    let name = conn.facts.lock().connect.name.clone();
    if !name.is_empty() {
        event.insert("name".into(), name.into());
    }
    event
}

/// The fields of a block by name. Names keep blanks, and a line without a colon belongs to the next name: as the peer has it.
fn fields(block: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rest = block.strip_prefix(headers::VERSION_LINE).unwrap_or_default();
    while let Some(colon) = memchr::memchr(b':', rest) {
        let (name, after) = (&rest[..colon], &rest[colon + 1..]);
        let Some(end) = memchr::memmem::find(after, b"\r\n") else {
            break;
        };
        let value = text(after[..end].trim_ascii());
        found.entry(text(name)).or_default().push(value);
        rest = &after[end + 2..];
    }
    found
}

impl Trace {
    /// The trace of `message` of `conn`, for the subject `dest`.
    pub(crate) fn new(
        dest: Vec<u8>,
        only: bool,
        message: &Routed<'_>,
        conn: &Conn,
        account: &Account,
    ) -> Self {
        let mut event = of_client(conn);
        event.insert("acc".into(), (*account.name).into());
        event.insert("subj".into(), text(message.subject).into());
        let mut trace = Self {
            dest,
            only,
            fields: fields(message.headers()),
            size: message.body.len(),
            encoding: Encoding::accepted(message.headers()),
            events: Vec::new(),
            later: None,
        };
        trace.add("in", event);
        trace
    }

    fn add(&mut self, kind: &str, rest: Map<String, Value>) {
        let mut event = Map::new();
        event.insert("type".into(), kind.into());
        event.insert("ts".into(), clock::wall().to_string().into());
        event.extend(rest);
        self.events.push(event.into());
    }

    /// The message was refused on arrival.
    pub(crate) fn refused(&mut self, why: String) {
        if let Some(Value::Object(event)) = self.events.first_mut() {
            event.insert("error".into(), why.into());
        }
    }

    /// A mapping of the account changed its subject.
    pub(crate) fn mapped(&mut self, to: &[u8]) {
        self.add("sm", Map::from_iter([("to".to_owned(), text(to).into())]));
    }

    /// A service of another account takes it, on the subject `to`.
    pub(crate) fn service(&mut self, account: &str, from: &[u8], to: String) {
        let event = [
            ("acc".to_owned(), account.into()),
            ("from".to_owned(), text(from).into()),
            ("to".to_owned(), to.into()),
        ];
        self.add("si", Map::from_iter(event));
    }

    /// It reached a subscription of a connection, or why not.
    pub(crate) fn delivered(&mut self, conn: &Conn, sub: &Sub, outcome: Result<(), Undelivered>) {
        let mut event = of_client(conn);
        event.insert("sub".into(), text(&sub.subject).into());
        if let Some(queue) = &sub.queue {
            event.insert("queue".into(), text(queue).into());
        }
        if let Err(why) = outcome {
            event.insert("error".into(), why.text().into());
        }
        self.add("eg", event);
    }

    /// A stream took it as `subject`, or nobody is interested in it there, or it was refused.
    pub(crate) fn stream(&mut self, name: &str, subject: &str, has_interest: bool, refused: Option<&str>) {
        let mut event = Map::new();
        event.insert("stream".into(), name.into());
        match refused {
            Some(why) => {
                event.insert("error".into(), why.into());
            }
            None => {
                event.insert("subject".into(), subject.into());
                if !has_interest {
                    event.insert("nointerest".into(), true.into());
                }
            }
        }
        self.add("js", event);
    }

    /// Publishes it, or hands it on to who goes on with it.
    pub(crate) fn send(mut self, lane: &mut Lane) {
        if let Some(later) = self.later.take() {
            later(self);
            return;
        }
        if self.dest.is_empty() {
            return;
        }
        let mut request = Map::new();
        request.insert("header".into(), json!(self.fields));
        request.insert("msgsize".into(), self.size.into());
        let body = json!({
            "server": system::server_info(&lane.server),
            "request": request,
            "events": self.events,
        });
        system::say(lane, &self.dest, Some(b""), &body, self.encoding);
    }
}

impl Lane {
    /// Begins the trace that `message` of `conn` asks for. Gives its headers and payload when they go on differently than
    /// they came.
    pub(crate) fn begin_trace(&mut self, message: &Routed<'_>, conn: &Conn, asked: Asked) -> Option<Vec<u8>> {
        let account = Arc::clone(&self.account);
        let (dest, only) = match asked {
            Asked::Nothing => return None,
            Asked::Dest(dest) => (dest, is_only(Headers::new(message.headers()))),
            Asked::Nowhere => (Vec::new(), true),
            Asked::Account => {
                let chosen = account.trace.load_full()?;
                if self.random() % 100 >= u64::from(chosen.sampling) {
                    return Some([&disabled(message.headers()), message.payload()].concat());
                }
                (chosen.dest.clone().into_bytes(), false)
            }
        };
        let trace = Trace::new(dest, only, message, conn, &account);
        self.trace = Some(Box::new(trace));
        None
    }

    /// Hands a traced message to a service: what the service says to others does not belong to the trace.
    pub(super) fn hand_traced(&mut self, service: &Arc<dyn Service>, message: &Routed<'_>) -> bool {
        if let Some(taken) = service.on_traced(message, self) {
            return taken;
        }
        let Some(mut trace) = self.trace.take() else {
            return false;
        };
        let system = self.server.system_account();
        if *self.account.name != *system
            && let Some(to) = system::served_as(&self.account.name, message.subject)
        {
            trace.service(system, message.subject, to);
        }
        let taken = trace.only || service.on_message(message, self);
        self.trace = Some(trace);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_ask_for_traces() {
        let is = |lines: &str| asked(format!("NATS/1.0\r\n{lines}\r\n").as_bytes(), true);
        assert!(matches!(is("Nats-Trace-Dest: a.b\r\n"), Asked::Dest(d) if d == b"a.b"));
        assert!(matches!(is("nats-trace-dest: a.b\r\n"), Asked::Nothing));
        assert!(matches!(
            is("Nats-Trace-Dest: trace disabled\r\n"),
            Asked::Nothing
        ));
        assert!(matches!(is("Nats-Trace-Dest: a.*\r\n"), Asked::Nothing));
        assert!(matches!(
            is("Nats-Trace-Dest: a.*\r\nNats-Trace-Only: TRUE\r\n"),
            Asked::Nowhere
        ));
        assert!(matches!(is("TraceParent: 00-a-b-03\r\n"), Asked::Account));
        assert!(matches!(is("traceparent: 00-a-b-02\r\n"), Asked::Nothing));
        assert!(matches!(is("traceparent: 00-a-b-zz\r\n"), Asked::Nothing));
        assert!(matches!(asked(b"abc", true), Asked::Nothing));
    }

    #[test]
    fn a_trace_goes_no_further() {
        assert_eq!(
            disabled(b"NATS/1.0\r\nNats-Trace-Dest: a\r\nB: c\r\n\r\n"),
            b"NATS/1.0\r\nNats-Trace-Dest: trace disabled\r\nB: c\r\n\r\n"
        );
        assert_eq!(
            disabled(b"NATS/1.0\r\ntraceparent: x\r\n\r\n"),
            b"NATS/1.0\r\ntraceparent: x\r\nNats-Trace-Dest: trace disabled\r\n\r\n"
        );
    }

    #[test]
    fn fields_are_as_the_peer_reads_them() {
        let found = fields(b"NATS/1.0\r\n A : b \r\nnone\r\nC: d\r\nC:e\r\n\r\n");
        assert_eq!(
            json!(found).to_string(),
            r#"{" A ":["b"],"C":["e"],"none\r\nC":["d"]}"#
        );
    }
}
