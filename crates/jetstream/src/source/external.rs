//! An origin that is reached by messages alone, wherever it is: what it is asked, what its answer says, and what its
//! deliveries hold. Reaches nobody: the driver sends what is made here, and hands in what arrives.

use bytes::Bytes;
use natterjack_jsapi::ack::{ACK_PREFIX, AckSubject};
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, ConsumerInfo, CreateRequest};
use natterjack_jsapi::request::Reset;
use natterjack_jsapi::stream::{External, Refusal, StreamSource};
use natterjack_jsapi::{ApiError, Nanos, errors, headers, json};
use natterjack_store::record::encode;
use natterjack_store::{Message, NewRecord, Seq};
use natterjack_subject::names::random_name;

use super::durable::HEARTBEAT_NS;
use super::{Ask, Copier, Start};
use crate::stream::value;

/// How long the origin keeps the consumer when nobody listens, nanoseconds.
const INACTIVE_NS: i64 = 10_000_000_000;
/// Longer than any delivery takes: nothing is acknowledged, and so nothing may be delivered again. Nanoseconds.
const ACK_WAIT_NS: i64 = 22 * 3600 * 1_000_000_000;
/// The API level a mirror asks for.
const MIRROR_LEVEL: &str = "4";
/// The API level a source asks for: the one that knows which stream is meant.
const SOURCE_LEVEL: &str = "5";
/// What the API of an origin in the same account begins with.
const OWN_API: &str = "$JS.API";

/// A request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its subject.
    pub subject: String,
    /// Its headers, may be empty.
    pub headers: Vec<u8>,
    /// Its body, may be empty.
    pub body: Vec<u8>,
}

/// What a message on the deliver subject is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// A message of the origin.
    Message {
        /// The message as it is stored there.
        message: Message,
        /// Its place in the order of deliveries.
        consumer_seq: u64,
        /// Messages that follow.
        pending: u64,
    },
    /// A request for flow control: to be answered on this subject.
    Flow(Vec<u8>),
    /// A sign of life.
    Beat,
    /// Something was lost on the way: the origin has to be asked anew.
    Lost,
}

/// One consumer of an origin, from the request that makes it to its end.
#[derive(Debug, Clone)]
pub struct Crossing {
    request: Request,
    deliver_subject: String,
    source: StreamSource,
    is_mirror: bool,
    /// What the consumer is called, unless it was made beforehand by somebody else.
    name: Option<String>,
    /// Which stream the origin is.
    identity: String,
    /// Whether the origin keeps messages until they are acknowledged.
    acks: bool,
    /// The last sequence in front of where the consumer begins, until that is told.
    behind: Option<Seq>,
    /// The last delivery; `None` until the first of a consumer that may have delivered before.
    last: Option<u64>,
}

/// `prefix` and what follows it, with no empty token between them.
fn under(prefix: &str, rest: &str) -> String {
    format!("{prefix}.{rest}").replace("..", ".")
}

fn api(external: Option<&External>) -> &str {
    external
        .map(|e| e.api.as_str())
        .filter(|api| !api.is_empty())
        .unwrap_or(OWN_API)
}

/// What is said of the stream that is meant, beside the level that takes.
fn heading(is_mirror: bool, identity: &str) -> Vec<u8> {
    let (level, name) = (headers::REQUIRED_API_LEVEL, headers::STREAM_IDENTITY);
    let lines = if is_mirror {
        format!("NATS/1.0\r\n{level}: {MIRROR_LEVEL}\r\n\r\n")
    } else {
        format!("NATS/1.0\r\n{level}: {SOURCE_LEVEL}\r\n{name}: {identity}\r\n\r\n")
    };
    lines.into_bytes()
}

/// The request that removes the consumer by which `ask` was answered; `None` for one that was given.
#[must_use]
pub fn removal(source: &StreamSource, is_mirror: bool, copier: Copier<'_>) -> Option<Request> {
    if source.consumer.is_some() {
        return None;
    }
    let name = copier.consumer_name(source, is_mirror);
    let call = format!("CONSUMER.DELETE.{}.{name}", source.name);
    Some(Request {
        subject: under(api(source.external.as_ref()), &call),
        headers: Vec::new(),
        body: Vec::new(),
    })
}

impl Crossing {
    /// What `ask` comes to when its origin is reached by messages.
    #[must_use]
    pub fn new(ask: &Ask, copier: Copier<'_>, random: &mut dyn FnMut() -> u64) -> Self {
        let (source, is_mirror) = (&ask.source, ask.is_mirror);
        let external = source.external.as_ref();
        let (subject, deliver_subject, body) = if let Some(given) = &source.consumer {
            let call = format!("CONSUMER.RESET.{}.{}", source.name, given.name);
            let body = match ask.start {
                Start::Seq(seq) if ask.resumes => json::to_vec(&Reset { seq }),
                _ => Vec::new(),
            };
            (call, given.deliver_subject.clone(), body)
        } else {
            let deliver = deliver_subject(external, is_mirror, random);
            let config = wanted(ask, copier, &deliver);
            let call = create_call(&source.name, &config);
            let request = CreateRequest {
                stream_name: source.name.clone(),
                config,
                ..CreateRequest::default()
            };
            (call, deliver, json::to_vec(&request))
        };
        let is_given = source.consumer.is_some();
        let name = (!is_given).then(|| copier.consumer_name(source, is_mirror));
        let headers = if is_given && is_mirror {
            Vec::new()
        } else {
            heading(is_mirror, &ask.identity)
        };
        Self {
            request: Request {
                subject: under(api(external), &subject),
                headers,
                body,
            },
            deliver_subject,
            source: source.clone(),
            is_mirror,
            name,
            identity: ask.identity.clone(),
            acks: false,
            behind: None,
            last: None,
        }
    }

    /// What is to be sent.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Where deliveries arrive.
    #[must_use]
    pub fn deliver_subject(&self) -> &str {
        &self.deliver_subject
    }

    /// Which stream the origin is, as far as it said so.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether the consumer was there before, and starts over when it is asked.
    #[must_use]
    pub const fn is_given(&self) -> bool {
        self.name.is_none()
    }

    /// Whether an edit of the other sources has given the consumer another name.
    #[must_use]
    pub fn is_renamed(&self, copier: Copier<'_>) -> bool {
        let name = self.name.as_deref();
        name.is_some_and(|name| name != copier.consumer_name(&self.source, self.is_mirror))
    }

    /// Whether the origin wants to know what is safe.
    #[must_use]
    pub const fn acks(&self) -> bool {
        self.acks
    }

    /// The origin answered the request.
    ///
    /// # Errors
    /// Why it delivers nothing. When it is another stream than the one that was copied before, [`Self::identity`] says
    /// so, and it is to be read from its beginning.
    pub fn on_answer(&mut self, block: &[u8], body: &[u8]) -> Result<(), ApiError> {
        let refused = |_| errors::BAD_REQUEST;
        let answer: Refusal = json::from_slice(body).map_err(refused)?;
        if let Some(error) = answer.error {
            let error = ApiError::from(error);
            if error.err_code == errors::consumer_stream_identity_mismatch("").err_code {
                let (_, other) = error.description.rsplit_once(' ').unwrap_or_default();
                other.clone_into(&mut self.identity);
            }
            return Err(error);
        }
        let info: ConsumerInfo = json::from_slice(body).map_err(refused)?;
        self.acks = info.config.ack_policy == AckPolicy::FlowControl;
        if self.is_given() && !self.acks {
            return Err(if self.is_mirror {
                errors::MIRROR_CONSUMER_REQUIRES_ACK_FC
            } else {
                errors::SOURCE_CONSUMER_REQUIRES_ACK_FC
            });
        }
        self.behind = Some(Seq(info.delivered.stream_seq));
        // One that is made for this alone begins with its first delivery.
        if !self.acks && self.last.is_none() {
            self.last = Some(0);
        }
        if let Some(identity) = value(block, headers::STREAM_IDENTITY) {
            self.identity = String::from_utf8_lossy(identity).into_owned();
        }
        Ok(())
    }

    /// The last sequence in front of where the consumer begins; told once.
    pub const fn take_behind(&mut self) -> Option<Seq> {
        self.behind.take()
    }

    /// Something arrived on the deliver subject.
    pub fn on_delivery(&mut self, subject: &[u8], reply: &[u8], block: &[u8], payload: &[u8]) -> Arrived {
        if reply.starts_with(ACK_PREFIX)
            && let Some(ack) = AckSubject::parse(reply)
        {
            return self.on_message(&ack, subject, block, payload);
        }
        if !reply.is_empty() {
            return Arrived::Flow(reply.to_vec());
        }
        if let Some(stalled) = value(block, headers::CONSUMER_STALLED) {
            return Arrived::Flow(stalled.to_vec());
        }
        let number = |name| std::str::from_utf8(value(block, name)?).ok()?.parse::<u64>().ok();
        let told = number(headers::LAST_CONSUMER);
        match (told, self.last) {
            (Some(told), Some(last)) if told > last => Arrived::Lost,
            _ => Arrived::Beat,
        }
    }

    fn on_message(&mut self, ack: &AckSubject<'_>, subject: &[u8], block: &[u8], payload: &[u8]) -> Arrived {
        if self.last.is_some_and(|last| ack.consumer_seq != last + 1) {
            return Arrived::Lost;
        }
        self.last = Some(ack.consumer_seq);
        let record = NewRecord {
            seq: Seq(ack.stream_seq),
            ts_ns: ack.timestamp_ns,
            subject,
            headers: block,
            payload,
            ..NewRecord::default()
        };
        let mut bytes = Vec::new();
        let written = encode(&record, &mut bytes);
        let message = written.and_then(|_| Message::check(Bytes::from(bytes)));
        message.map_or(Arrived::Beat, |message| Arrived::Message {
            message,
            consumer_seq: ack.consumer_seq,
            pending: ack.pending,
        })
    }
}

fn deliver_subject(external: Option<&External>, is_mirror: bool, random: &mut dyn FnMut() -> u64) -> String {
    let prefix = external.map(|e| e.deliver.as_str()).filter(|d| !d.is_empty());
    let kind = if is_mirror { "M." } else { "S." };
    let mut subject = under(prefix.unwrap_or("$JS"), kind);
    random_name(8, random, &mut subject);
    subject
}

/// A consumer of the kind that is not acknowledged; an origin that needs more makes it so itself.
fn wanted(ask: &Ask, copier: Copier<'_>, deliver_subject: &str) -> ConsumerConfig {
    let mut config = super::durable::consumer_start(ask);
    config.name = copier.consumer_name(&ask.source, ask.is_mirror);
    config.metadata = copier.metadata(ask.is_mirror);
    deliver_subject.clone_into(&mut config.deliver_subject);
    config.ack_policy = AckPolicy::None;
    config.ack_wait = Nanos(ACK_WAIT_NS);
    config.max_deliver = 1;
    config.flow_control = true;
    config.idle_heartbeat = Nanos(HEARTBEAT_NS);
    config.inactive_threshold = Nanos(INACTIVE_NS);
    config.direct = true;
    config.sourcing = true;
    config
}

/// A single filter stands in the subject, so that permissions may tell it.
fn create_call(stream: &str, config: &ConsumerConfig) -> String {
    let (name, filter) = (&config.name, &config.filter_subject);
    if filter.is_empty() {
        format!("CONSUMER.CREATE.{stream}")
    } else {
        format!("CONSUMER.CREATE.{stream}.{name}.{filter}")
    }
}

#[cfg(test)]
mod tests {
    use natterjack_jsapi::stream::StreamSource;
    use natterjack_subject::FilterSet;

    use super::*;

    const COPIER: Copier<'static> = Copier {
        stream: "S",
        account: "$G",
        domain: "",
        sources: &[],
    };

    fn ask(is_mirror: bool, source: StreamSource) -> Ask {
        Ask {
            source,
            is_mirror,
            start: Start::Seq(1),
            filters: FilterSet::new(Vec::new()),
            resumes: false,
            begins: true,
            identity: String::new(),
        }
    }

    fn elsewhere() -> StreamSource {
        StreamSource {
            name: "ORIGIN".into(),
            external: Some(External {
                api: "EXT.API".into(),
                deliver: "DLV".into(),
            }),
            ..StreamSource::default()
        }
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    fn answered(ask: &Ask, policy: &str) -> Crossing {
        let mut crossing = Crossing::new(ask, COPIER, &mut || 7);
        let body = format!(r#"{{"type":"x","config":{{"ack_policy":"{policy}"}},"num_pending":3}}"#);
        let block = b"NATS/1.0\r\nNats-Stream-Identity: abc\r\n\r\n";
        crossing.on_answer(block, body.as_bytes()).unwrap();
        crossing
    }

    #[test]
    fn requests_are_the_peers() {
        let crossing = Crossing::new(&ask(false, elsewhere()), COPIER, &mut || 7);
        let request = crossing.request();
        assert_eq!(request.subject, "EXT.API.CONSUMER.CREATE.ORIGIN");
        assert_eq!(
            text(&request.headers),
            "NATS/1.0\r\nNats-Required-Api-Level: 5\r\nNats-Stream-Identity: \r\n\r\n"
        );
        let body = text(&request.body);
        let name = COPIER.consumer_name(&elsewhere(), false);
        let begins =
            format!(r#"{{"stream_name":"ORIGIN","config":{{"name":"{name}","deliver_policy":"all","#);
        assert!(body.starts_with(&begins), "{body}");
        let rest = r#""ack_policy":"none","ack_wait":79200000000000,"max_deliver":1,"#;
        assert!(body.contains(rest), "{body}");
        assert!(crossing.deliver_subject().starts_with("DLV.S."));
        let mirror = StreamSource {
            filter_subject: "o.1".into(),
            ..elsewhere()
        };
        let asked = Ask {
            start: Start::Seq(4),
            ..ask(true, mirror)
        };
        let request = Crossing::new(&asked, COPIER, &mut || 7).request().clone();
        let name = COPIER.consumer_name(&asked.source, true);
        assert_eq!(
            request.subject,
            format!("EXT.API.CONSUMER.CREATE.ORIGIN.{name}.o.1")
        );
        assert_eq!(
            text(&request.headers),
            "NATS/1.0\r\nNats-Required-Api-Level: 4\r\n\r\n"
        );
        let body = text(&request.body);
        assert!(
            body.contains(r#""deliver_policy":"by_start_sequence","opt_start_seq":4"#),
            "{body}"
        );
        let gone = removal(&elsewhere(), false, COPIER).unwrap();
        let name = COPIER.consumer_name(&elsewhere(), false);
        assert_eq!(gone.subject, format!("EXT.API.CONSUMER.DELETE.ORIGIN.{name}"));
    }

    #[test]
    fn a_prefix_that_is_left_out_is_the_own() {
        let mut source = elsewhere();
        if let Some(external) = &mut source.external {
            external.deliver.clear();
        }
        let crossing = Crossing::new(&ask(true, source), COPIER, &mut || 7);
        assert!(crossing.deliver_subject().starts_with("$JS.M."));
        let local = StreamSource {
            name: "O".into(),
            ..StreamSource::default()
        };
        let crossing = Crossing::new(&ask(false, local), COPIER, &mut || 7);
        assert_eq!(crossing.request().subject, "$JS.API.CONSUMER.CREATE.O");
    }

    #[test]
    fn deliveries_become_messages_and_gaps_are_seen() {
        let mut crossing = answered(&ask(false, elsewhere()), "none");
        assert_eq!((crossing.identity(), crossing.acks()), ("abc", false));
        let mut deliver =
            |reply: &str, block: &[u8]| crossing.on_delivery(b"o.1", reply.as_bytes(), block, b"x");
        let Arrived::Message {
            message,
            consumer_seq,
            pending,
        } = deliver("$JS.ACK.ORIGIN.c.1.9.1.123.4", b"")
        else {
            panic!("no message");
        };
        assert_eq!(
            (message.seq(), message.ts_ns(), message.subject()),
            (Seq(9), 123, &b"o.1"[..])
        );
        assert_eq!((consumer_seq, pending), (1, 4));
        let beat = |last: u64| format!("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: {last}\r\n\r\n");
        assert_eq!(deliver("", beat(1).as_bytes()), Arrived::Beat);
        assert_eq!(deliver("", beat(2).as_bytes()), Arrived::Lost);
        assert_eq!(deliver("$JS.ACK.ORIGIN.c.1.11.3.123.2", b""), Arrived::Lost);
        let asked = deliver("$JS.FC.ORIGIN.c.x", b"NATS/1.0 100 FlowControl Request\r\n\r\n");
        assert_eq!(asked, Arrived::Flow(b"$JS.FC.ORIGIN.c.x".to_vec()));
        let stalled = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Consumer-Stalled: $JS.FC.a\r\n\r\n";
        assert_eq!(deliver("", stalled), Arrived::Flow(b"$JS.FC.a".to_vec()));
    }

    #[test]
    fn an_origin_that_is_another_by_now_says_which() {
        let mut crossing = answered(&ask(false, elsewhere()), "flow_control");
        assert!(crossing.acks());
        let refusal = br#"{"error":{"code":400,"err_code":10225,"description":"consumer's stream identity does not match: xyz"}}"#;
        let error = crossing.on_answer(b"", refusal).unwrap_err();
        assert_eq!((error.err_code, crossing.identity()), (10225, "xyz"));
        let missing = br#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        let error = crossing.on_answer(b"", missing).unwrap_err();
        assert_eq!((error.err_code, crossing.identity()), (10059, "xyz"));
    }

    #[test]
    fn another_source_of_the_same_origin_gives_another_name() {
        let crossing = answered(&ask(false, elsewhere()), "none");
        assert!(!crossing.is_renamed(COPIER));
        let sources = [elsewhere(), elsewhere()];
        let copier = Copier {
            sources: &sources,
            ..COPIER
        };
        assert!(crossing.is_renamed(copier));
    }

    #[test]
    fn a_given_consumer_must_wait_for_what_it_delivers() {
        let mut given = elsewhere();
        given.consumer = Some(natterjack_jsapi::stream::SourceConsumer {
            name: "C".into(),
            deliver_subject: "d".into(),
        });
        let mut crossing = Crossing::new(&ask(false, given.clone()), COPIER, &mut || 7);
        assert_eq!(crossing.request().subject, "EXT.API.CONSUMER.RESET.ORIGIN.C");
        assert!(crossing.request().body.is_empty());
        let body = br#"{"config":{"ack_policy":"explicit"}}"#;
        assert_eq!(crossing.on_answer(b"", body).unwrap_err().err_code, 10217);
        assert_eq!(removal(&given, false, COPIER), None);
    }
}
