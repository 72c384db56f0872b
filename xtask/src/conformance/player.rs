//! Plays one case against one server and records the answers. Never judges them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::json::Json;
use super::normal::Names;
use super::step::{Action, Request};
use super::transcript::{Case, Header};
use super::wire::{Connection, Frame, Message, Read1};

/// How long an answer may take that must come, and how long where the first playing differed.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);
pub(super) const ANSWER_WITHIN_AT_LAST: Duration = Duration::from_secs(20);
/// How long to listen for what must not come.
const QUIET: Duration = Duration::from_millis(250);
const CONNECT: &str = r#"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"echo":true}"#;
const FIRST_SID: usize = 9001;

/// What was recorded, by step.
pub(super) type Answers = Vec<Vec<String>>;

/// Makes the stream that a file's header asks for.
pub(super) fn prepare(address: SocketAddr, header: &Header) -> Result<()> {
    if let Some(stream) = &header.keep {
        let body = format!("{{\"name\":\"{stream}\"}}");
        let subject = format!("$JS.API.STREAM.CREATE.{stream}");
        Player::new(address, header, String::new(), ANSWER_WITHIN_AT_LAST).api(subject, body)?;
    }
    Ok(())
}

/// Plays `case` on fresh connections, waiting for an answer no longer than `within`, then removes the streams it left.
pub(super) fn play(address: SocketAddr, header: &Header, case: &Case, within: Duration) -> Result<Answers> {
    let script: Vec<&str> = case.steps.iter().map(|s| s.text.as_str()).collect();
    let mut player = Player::new(address, header, script.join("\n"), within);
    let mut answers = Vec::new();
    for step in &case.steps {
        player.act(&step.action).with_context(|| step.text.clone())?;
        answers.push(std::mem::take(&mut player.said));
    }
    drop(player);
    Player::new(address, header, String::new(), ANSWER_WITHIN_AT_LAST).remove_streams()?;
    Ok(answers)
}

struct Player<'a> {
    address: SocketAddr,
    header: &'a Header,
    /// How long an answer may take that must come.
    within: Duration,
    connections: BTreeMap<char, Connection>,
    names: Names,
    /// Ack subjects of the messages seen, in order.
    acks: Vec<String>,
    /// The newest flow control request seen, itself or in a heartbeat.
    flow: Option<String>,
    requests: usize,
    said: Vec<String>,
}

impl<'a> Player<'a> {
    fn new(address: SocketAddr, header: &'a Header, script: String, within: Duration) -> Self {
        Self {
            address,
            header,
            within,
            connections: BTreeMap::new(),
            names: Names::new(script),
            acks: Vec::new(),
            flow: None,
            requests: 0,
            said: Vec::new(),
        }
    }

    fn act(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Open(on) => self.open(*on),
            Action::Close(on) => {
                self.connections.remove(on);
                Ok(())
            }
            Action::Send(on, bytes) => {
                let connection = self.connection(*on)?;
                connection.send(bytes);
                let is_ping = bytes.to_ascii_uppercase().starts_with(b"PING");
                connection.pings_open += usize::from(is_ping);
                Ok(())
            }
            Action::Fence { on, sorted } => {
                self.fence(*on)?;
                if *sorted {
                    self.said.sort();
                }
                Ok(())
            }
            Action::Quiet(on) => {
                if self.messages(*on, usize::MAX, QUIET)? {
                    self.said.pop(); // Silence is what was hoped for.
                }
                self.fence(*on)
            }
            Action::Wait(on, count) => {
                self.messages(*on, *count, self.within)?;
                Ok(())
            }
            Action::Request(request) => self.request(request).map(|_| ()),
            Action::Ack {
                on,
                message,
                body,
                answered,
            } => self.ack(*on, *message, body, *answered),
            Action::Flow(on, headers) => {
                let subject = self.flow.clone().context("no flow control request was seen")?;
                let answer = message(&subject, None, headers.as_deref(), b"");
                self.connection(*on)?.send(&answer);
                Ok(())
            }
        }
    }

    /// A bare connection; its first line is recorded.
    fn open(&mut self, on: char) -> Result<()> {
        let mut connection = Connection::open(self.address)?;
        let first = connection.next(Instant::now() + self.within)?;
        self.connections.insert(on, connection);
        self.record(first);
        Ok(())
    }

    /// The connection `on`, made with the file's CONNECT when there is none.
    fn connection(&mut self, on: char) -> Result<&mut Connection> {
        if !self.connections.contains_key(&on) {
            let said = std::mem::take(&mut self.said);
            self.open(on)?;
            self.said = said; // INFO is only of interest when asked for.
            let connect = self.header.connect.as_deref().unwrap_or(CONNECT);
            let connect = format!("CONNECT {connect}\r\n");
            self.existing(on)?.send(connect.as_bytes());
            self.fence(on)?;
        }
        self.existing(on)
    }

    fn existing(&mut self, on: char) -> Result<&mut Connection> {
        self.connections.get_mut(&on).context("no such connection")
    }

    /// Records everything up to the answer of a PING, or to the end.
    fn fence(&mut self, on: char) -> Result<()> {
        let connection = self.connection(on)?;
        connection.send(b"PING\r\n");
        let mut before = std::mem::take(&mut connection.pings_open);
        let deadline = Instant::now() + self.within;
        loop {
            let read = self.existing(on)?.next(deadline)?;
            if let Read1::Frame(Frame::Line(line)) = &read
                && line == "PONG"
            {
                if before == 0 {
                    return Ok(());
                }
                before -= 1;
            }
            if !self.record(read) {
                return Ok(());
            }
        }
    }

    /// Records up to `count` messages and what comes between them; says whether it ended in silence.
    fn messages(&mut self, on: char, count: usize, within: Duration) -> Result<bool> {
        let deadline = Instant::now() + within;
        let mut seen = 0;
        while seen < count {
            let read = self.connection(on)?.next(deadline)?;
            seen += usize::from(matches!(read, Read1::Frame(Frame::Message(_))));
            let is_silent = matches!(read, Read1::Silence);
            if !self.record(read) {
                return Ok(is_silent);
            }
        }
        Ok(false)
    }

    /// Sends a request and records its answers; other frames stay where they were. Gives the last answer's body.
    fn request(&mut self, request: &Request) -> Result<Vec<u8>> {
        let Request {
            on,
            answers,
            subject,
            headers,
            body,
        } = request;
        self.requests += 1;
        let sid = (FIRST_SID + self.requests - 1).to_string();
        let inbox = format!("_INBOX.r{}", self.requests);
        let sub = format!("SUB {inbox} {sid}\r\n");
        let publish = message(subject, Some(&inbox), headers.as_deref(), body);
        let connection = self.connection(*on)?;
        connection.send(&[sub.as_bytes(), &publish].concat());

        let within = if *answers == 0 { QUIET } else { self.within };
        let deadline = Instant::now() + within;
        let (mut aside, mut seen, mut last) = (Vec::new(), 0, Vec::new());
        while *answers == 0 || seen < *answers {
            let read = self.existing(*on)?.next(deadline)?;
            match read {
                Read1::Frame(Frame::Message(m)) if m.sid == sid => {
                    seen += 1;
                    last.clone_from(&m.payload);
                    self.record(Read1::Frame(Frame::Message(m)));
                }
                Read1::Frame(Frame::Line(line)) if line.starts_with("-ERR") => {
                    self.record(Read1::Frame(Frame::Line(line)));
                    break;
                }
                Read1::Frame(frame) => aside.push(frame),
                Read1::Silence => {
                    if *answers > 0 || seen == 0 {
                        self.said.push("<no reply>".to_owned());
                    }
                    break;
                }
                Read1::Closed => {
                    self.record(Read1::Closed);
                    break;
                }
            }
        }
        let connection = self.existing(*on)?;
        connection.send(format!("UNSUB {sid}\r\n").as_bytes());
        connection.put_back(aside);
        Ok(last)
    }

    fn ack(&mut self, on: char, number: usize, body: &[u8], answered: bool) -> Result<()> {
        let Some(subject) = number.checked_sub(1).and_then(|n| self.acks.get(n)).cloned() else {
            self.said.push("<no such message>".to_owned());
            return Ok(());
        };
        if !answered {
            self.connection(on)?.send(&message(&subject, None, None, body));
            return Ok(());
        }
        let (body, headers) = (body.to_vec(), None);
        self.request(&Request {
            on,
            answers: 1,
            subject,
            headers,
            body,
        })?;
        Ok(())
    }

    /// Writes down what was read; says whether more can come.
    fn record(&mut self, read: Read1) -> bool {
        match read {
            Read1::Frame(frame) => {
                if let Frame::Message(message) = &frame {
                    self.note_replies(message);
                }
                self.said.push(self.names.frame(&frame));
                true
            }
            Read1::Closed => {
                self.said.push("<closed>".to_owned());
                false
            }
            Read1::Silence => {
                self.said.push("<silence>".to_owned());
                false
            }
        }
    }

    /// Keeps the subjects that later steps answer to.
    fn note_replies(&mut self, message: &Message) {
        let reply = message.reply.as_deref().unwrap_or_default();
        if reply.starts_with("$JS.ACK.") {
            self.acks.push(reply.to_owned());
        }
        let headers = String::from_utf8_lossy(&message.headers);
        let stalled = headers
            .lines()
            .find_map(|l| l.strip_prefix("Nats-Consumer-Stalled: "));
        let asked = stalled.or_else(|| Some(reply).filter(|r| r.starts_with("$JS.FC.")));
        if let Some(asked) = asked {
            self.flow = Some(asked.to_owned());
        }
    }

    /// Every case begins without streams. Servers without JetStream, or with users, are left as they are.
    fn remove_streams(mut self) -> Result<()> {
        let subject = "$JS.API.STREAM.NAMES".to_owned();
        let names = self.api(subject, String::new())?;
        let names = Json::parse(&String::from_utf8_lossy(&names));
        let Some(Json::List(names)) = names.as_ref().and_then(|n| n.member("streams")) else {
            return Ok(());
        };
        for name in names {
            if let Json::Text(name) = name
                && self.header.keep.as_ref() != Some(name)
            {
                self.api(format!("$JS.API.STREAM.DELETE.{name}"), String::new())?;
            }
        }
        Ok(())
    }

    fn api(&mut self, subject: String, body: String) -> Result<Vec<u8>> {
        let (headers, body) = (None, body.into_bytes());
        self.request(&Request {
            on: 'A',
            answers: 1,
            subject,
            headers,
            body,
        })
    }
}

/// A PUB or, with headers, an HPUB.
fn message(subject: &str, reply: Option<&str>, headers: Option<&str>, body: &[u8]) -> Vec<u8> {
    let reply = reply.map_or(String::new(), |r| format!(" {r}"));
    let line = match headers {
        None => format!("PUB {subject}{reply} {}\r\n", body.len()),
        Some(headers) => {
            let (head, total) = (headers.len(), headers.len() + body.len());
            format!("HPUB {subject}{reply} {head} {total}\r\n{headers}")
        }
    };
    [line.as_bytes(), body, b"\r\n"].concat()
}
