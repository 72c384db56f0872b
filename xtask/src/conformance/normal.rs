//! Answers as text in which only what must be equal is left: names a server makes up, times and numbers of its own
//! are replaced by what they are. Never drops a frame or a field.

use super::json::Json;
use super::wire::{Frame, Message};

/// Members whose value says something of one process only.
const VOLATILE: &[&str] = &[
    "port",
    "client_id",
    "go",
    "git_commit",
    "nonce",
    "xkey",
    "connect_urls",
    "cid",
    "mem",
    "cpu",
    "rtt",
    "uptime",
    "idle",
    "num_subscriptions",
];
/// Numbers a server counts up: what it says of itself, and its connections. Whose member, and which.
const COUNTED: &[(&str, &str)] = &[("server", "seq"), ("client", "id")];
/// Durations since something; -1 (never) stays.
const SINCE: &[&str] = &["active", "pause_remaining"];
/// Dots of a flow control subject: `$JS.FC.<stream>.<consumer>.<word>`.
const FLOW_DOTS: usize = 4;
/// A character more often than this in a row is counted instead of shown.
const RUN_MAX: usize = 10_000;
const NUID_LENGTH: usize = 22;
const KEY_LENGTH: usize = 56;
const NANOSECONDS_LENGTH: usize = 19;

/// Names learned from the answers of one case.
#[derive(Debug)]
pub(super) struct Names {
    script: String,
    learned: Vec<(String, &'static str)>,
}

impl Names {
    /// For a case with the text `script`: a name that stands in it was given, not made up.
    pub(super) fn new(script: String) -> Self {
        let learned = Vec::new();
        Self { script, learned }
    }

    /// One frame as one line.
    pub(super) fn frame(&mut self, frame: &Frame) -> String {
        match frame {
            Frame::Message(message) => self.message(message),
            Frame::Line(line) => match line.strip_prefix("INFO ").and_then(Json::parse) {
                Some(info) => {
                    self.learn(&info, "server_id", "<server>");
                    self.learn(&info, "server_name", "<server>");
                    format!("INFO {}", self.json(info))
                }
                None => visible(&self.text(line)),
            },
        }
    }

    fn message(&mut self, message: &Message) -> String {
        let Message {
            subject,
            sid,
            reply,
            headers,
            payload,
        } = message;
        let reply = reply
            .as_ref()
            .map_or(String::new(), |r| format!(" {}", self.text(r)));
        let raw = String::from_utf8_lossy(payload);
        let (body, body_same) = self.body(&raw);
        let subject = self.text(subject);
        if headers.is_empty() {
            let size = size_of(payload.len(), body_same);
            return format!("MSG {subject} {sid}{reply} {size} | {body}");
        }
        let raw = String::from_utf8_lossy(headers);
        let head = self.text(&raw);
        let head_same = head == raw;
        let size = size_of(headers.len(), head_same);
        let total = size_of(headers.len() + payload.len(), head_same && body_same);
        format!(
            "HMSG {subject} {sid}{reply} {size} {total} | {} | {body}",
            visible(&head)
        )
    }

    /// A payload, and whether it is what was sent.
    fn body(&mut self, raw: &str) -> (String, bool) {
        let Some(json) = Json::parse(raw) else {
            let text = self.text(raw);
            let same = text == raw;
            return (visible(&text), same);
        };
        let made = json
            .text("type")
            .is_some_and(|t| t.ends_with("consumer_create_response"));
        if made && json.text("name").is_some_and(|n| !self.script.contains(n)) {
            self.learn(&json, "name", "<consumer>");
        }
        let before = json.to_string();
        let after = self.json(json).to_string();
        let same = before == after;
        (after, same)
    }

    fn learn(&mut self, json: &Json, key: &str, name: &'static str) {
        if let Some(text) = json
            .text(key)
            .filter(|t| !t.is_empty() && !self.script.contains(*t))
        {
            self.learned.push((text.to_owned(), name));
        }
    }

    fn json(&self, json: Json) -> Json {
        match json {
            Json::Text(text) => Json::Text(self.text(&text)),
            Json::List(items) => Json::List(items.into_iter().map(|i| self.json(i)).collect()),
            Json::Object(members) => {
                let members = members.into_iter().map(|(key, value)| {
                    let value = self.member(&key, value);
                    (self.text(&key), value)
                });
                Json::Object(members.collect())
            }
            bare @ Json::Bare(_) => bare,
        }
    }

    fn member(&self, key: &str, value: Json) -> Json {
        let since = SINCE.contains(&key) && value != Json::Bare("-1".into());
        if since || VOLATILE.contains(&key) {
            return Json::Bare(format!("<{key}>"));
        }
        match value {
            // A unique id without a digit looks like any word; here it stands in its place.
            Json::Text(id) if key == "id" && id.len() == NUID_LENGTH => Json::Text("<nuid>".to_owned()),
            Json::Text(subject) if key == "deliver_subject" => {
                Json::Text(self.text(&without_last_id(subject)))
            }
            Json::Object(members) => {
                let counted = COUNTED
                    .iter()
                    .find(|(of, _)| *of == key)
                    .map(|(_, member)| *member);
                let members = members.into_iter().map(|(key, value)| {
                    if counted == Some(key.as_str()) {
                        return (key, Json::Bare("<count>".into()));
                    }
                    let value = self.member(&key, value);
                    (self.text(&key), value)
                });
                Json::Object(members.collect())
            }
            value => self.json(value),
        }
    }

    /// Text without learned names, times, unique ids, public keys and ports.
    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, general) in &self.learned {
            text = text.replace(name, general);
        }
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            if let Some(length) = time_length(rest) {
                out.push_str("<time>");
                rest = &rest[length..];
            } else if first.is_ascii_alphanumeric() {
                let length = run_length(rest, |b| b.is_ascii_alphanumeric());
                let (run, after) = rest.split_at(length);
                out.push_str(general(run).unwrap_or(run));
                rest = after;
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        without_word(
            without_own_identity(without_identity(without_flow_suffix(out))),
            "Nats-Pin-Id: ",
            NUID_LENGTH,
            "<nuid>",
        )
    }
}

/// Flow control subjects end in a word that a server makes up.
fn without_flow_suffix(text: String) -> String {
    let Some(from) = text.find("$JS.FC.") else {
        return text;
    };
    let length = run_length(&text[from..], |b| b.is_ascii_graphic());
    let (subject, rest) = text[from..].split_at(length);
    match subject.rsplit_once('.') {
        Some((before, _)) if subject.matches('.').count() == FLOW_DOTS => {
            format!("{}{before}.<flow>{rest}", &text[..from])
        }
        _ => text,
    }
}

/// Without the word behind `field`, whatever letters chance gave it: the id of a pinned client, or of a stream.
fn without_word(text: String, field: &str, wanted: usize, shown: &str) -> String {
    let Some(from) = text.find(field).map(|at| at + field.len()) else {
        return text;
    };
    let length = run_length(&text[from..], |b| b.is_ascii_alphanumeric());
    if length != wanted {
        return text;
    }
    format!("{}{shown}{}", &text[..from], &text[from + length..])
}

/// A subject whose last token is as long as a unique id.
fn without_last_id(subject: String) -> String {
    match subject.rsplit_once('.') {
        Some((before, last)) if last.len() == NUID_LENGTH => format!("{before}.<nuid>"),
        _ => subject,
    }
}

/// Where a stream says which it is.
fn without_own_identity(text: String) -> String {
    let fields = ["Nats-Stream-Identity: ", "identity does not match: "];
    fields
        .iter()
        .fold(text, |text, field| without_word(text, field, 8, "<identity>"))
}

/// Where a copied message says which stream it came from, the last word tells one life of that stream from the next.
fn without_identity(text: String) -> String {
    const FIELD: &str = "Nats-Stream-Source: ";
    let Some(from) = text.find(FIELD).map(|at| at + FIELD.len()) else {
        return text;
    };
    let line = text[from..].find(['\r', '\\']).map_or(text.len(), |at| from + at);
    match text[from..line].rsplit_once(' ') {
        Some((before, last)) if before.split(' ').count() == 5 && last.len() == 8 => {
            format!("{}{before} <identity>{}", &text[..from], &text[line..])
        }
        _ => text,
    }
}

fn size_of(length: usize, same: bool) -> String {
    if same {
        length.to_string()
    } else {
        "<n>".to_owned()
    }
}

/// What a run of letters and digits is, when it is made up by a server.
fn general(run: &str) -> Option<&'static str> {
    let has = |check: fn(&u8) -> bool| run.bytes().any(|b| check(&b));
    let digits_only = !has(|b| !b.is_ascii_digit());
    match run.len() {
        NANOSECONDS_LENGTH if digits_only && run.starts_with('1') => Some("<ns>"),
        NUID_LENGTH if has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) => Some("<nuid>"),
        KEY_LENGTH if run.starts_with(['N', 'X', 'A', 'U']) && !has(u8::is_ascii_lowercase) => Some("<key>"),
        _ => None,
    }
}

/// Length of the RFC 3339 time `text` begins with, if it is of these days: the zero time and times that scripts
/// give are to be compared.
fn time_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let head = bytes.get(..shape.len())?;
    let fits = head
        .iter()
        .zip(shape)
        .all(|(b, s)| if *s == b'd' { b.is_ascii_digit() } else { b == s });
    let year: u16 = text.get(..4)?.parse().ok()?;
    if !fits || !(2025..2090).contains(&year) {
        return None;
    }
    let mut length = shape.len();
    if bytes.get(length) == Some(&b'.') {
        length += 1 + run_length(&text[length + 1..], |b| b.is_ascii_digit());
    }
    match bytes.get(length)? {
        b'Z' => Some(length + 1),
        b'+' | b'-' if bytes.len() >= length + 6 => Some(length + 6),
        _ => None,
    }
}

fn run_length(text: &str, of: fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| of(*b)).count()
}

/// Line ends and other invisible bytes made visible.
fn visible(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let same = rest.as_str().chars().take_while(|next| *next == c).count();
        if same >= RUN_MAX {
            out.push_str(&format!("\\*{{{c},{}}}", same + 1));
            rest.by_ref().take(same).for_each(drop);
            continue;
        }
        match c {
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        Names::new(String::new()).text(text)
    }

    #[test]
    fn made_up_words() {
        assert_eq!(
            text("$JS.ACK.S.C.1.2.3.1763709984434089123.0"),
            "$JS.ACK.S.C.1.2.3.<ns>.0"
        );
        assert_eq!(text("a 9223372036854775807"), "a 9223372036854775807");
        assert_eq!(text("_INBOX.2JKzXkOuxmmd5bPQOCXBZ1.x"), "_INBOX.<nuid>.x");
        assert_eq!(
            text("id NCEKWA33BV7UFIICWKF43DEU3DSW6JRO3C7Q5TR6K4LQ6V5KTT7ONGXX"),
            "id <key>"
        );
    }

    #[test]
    fn flow_control_and_long_runs() {
        let stalled = "Nats-Consumer-Stalled: $JS.FC.S.c.wUn1\r\n\r\n";
        assert_eq!(text(stalled), "Nats-Consumer-Stalled: $JS.FC.S.c.<flow>\r\n\r\n");
        assert_eq!(text("$JS.FC.S.c"), "$JS.FC.S.c");
        assert_eq!(visible(&format!("a{}b", "x".repeat(20_000))), "a\\*{x,20000}b");
        assert_eq!(visible(&"x".repeat(5)), "xxxxx");
    }

    #[test]
    fn a_subject_may_end_in_an_id_without_a_digit() {
        let subject = |last: &str| without_last_id(format!("$JS.SNAPSHOT.RESTORE.S.{last}"));
        assert_eq!(subject("HFgEuWhoozVoItzLGPnWTL"), "$JS.SNAPSHOT.RESTORE.S.<nuid>");
        assert_eq!(subject("short"), "$JS.SNAPSHOT.RESTORE.S.short");
    }

    #[test]
    fn identities_of_streams_themselves() {
        assert_eq!(
            text("Nats-Stream-Identity: 7zBvg6OV\r\n"),
            "Nats-Stream-Identity: <identity>\r\n"
        );
        assert_eq!(
            text("stream identity does not match: 7zBvg6OV"),
            "stream identity does not match: <identity>"
        );
        assert_eq!(
            text("Nats-Stream-Identity: \r\nA: b"),
            "Nats-Stream-Identity: \r\nA: b"
        );
    }

    #[test]
    fn identities_of_origins() {
        assert_eq!(
            text("Nats-Stream-Source: O 2 > > o.a 7zBvg6OV\r\nA: b"),
            "Nats-Stream-Source: O 2 > > o.a <identity>\r\nA: b"
        );
        assert_eq!(
            text("Nats-Stream-Source: O 2 > > o.a\r\nA: b"),
            "Nats-Stream-Source: O 2 > > o.a\r\nA: b"
        );
    }

    #[test]
    fn times() {
        assert_eq!(text("at 2026-11-21T07:26:44.434089Z."), "at <time>.");
        assert_eq!(text("2026-11-21T07:26:44+01:00"), "<time>");
        assert_eq!(text("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z");
        assert_eq!(text("2026-11-21"), "2026-11-21");
    }

    fn message(headers: &str, payload: &str) -> Frame {
        Frame::Message(Message {
            subject: "s".into(),
            sid: "1".into(),
            reply: None,
            headers: headers.into(),
            payload: payload.into(),
        })
    }

    #[test]
    fn sizes_stay_when_nothing_was_replaced() {
        let mut names = Names::new(String::new());
        assert_eq!(names.frame(&message("", "hi")), "MSG s 1 2 | hi");
        assert_eq!(
            names.frame(&message("", "{\"duplicate\": true}")),
            "MSG s 1 19 | {\"duplicate\":true}"
        );
        let info = "{\"ts\":\"2026-11-21T07:26:44.4Z\",\"active\":-1}";
        assert_eq!(
            names.frame(&message("", info)),
            "MSG s 1 <n> | {\"ts\":\"<time>\",\"active\":-1}"
        );
        let headers = "NATS/1.0\r\nNats-Time-Stamp: 2026-11-21T07:26:44.4Z\r\n\r\n";
        let line = "HMSG s 1 <n> <n> | NATS/1.0\\r\\nNats-Time-Stamp: <time>\\r\\n\\r\\n | x";
        assert_eq!(names.frame(&message(headers, "x")), line);
    }

    #[test]
    fn ids_in_their_place() {
        let mut names = Names::new(String::new());
        let line = "MSG s 1 <n> | {\"id\":\"<nuid>\"}";
        assert_eq!(
            names.frame(&message("", "{\"id\":\"RECeDvdZMjnDBHyVEtOrlM\"}")),
            line
        );
    }

    #[test]
    fn names_are_learned() {
        let mut names = Names::new("given".into());
        let info = Frame::Line("INFO {\"server_name\":\"given\",\"server_id\":\"other\",\"port\":1} ".into());
        assert_eq!(
            names.frame(&info),
            "INFO {\"server_name\":\"given\",\"server_id\":\"<server>\",\"port\":<port>}"
        );
        let made = "{\"type\":\"io.nats.jetstream.api.v1.consumer_create_response\",\"name\":\"aB3dE6gH\"}";
        names.frame(&message("", made));
        assert_eq!(names.text("$JS.ACK.S.aB3dE6gH.1"), "$JS.ACK.S.<consumer>.1");
    }
}
