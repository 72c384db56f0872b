//! Direct get: answers with messages instead of JSON.

use natterjack_jetstream::Effects as _;
use natterjack_jetstream::direct::{self, Answer, Many};
use natterjack_jsapi::json;
use natterjack_jsapi::request::MsgGet;
use natterjack_store::Message;

use crate::jetstream::owner::Owner;

fn status(owner: &mut Owner, reply: &[u8], line: &str) {
    let block = format!("NATS/1.0 {line}\r\n\r\n");
    owner.wire.send(reply, None, block.as_bytes(), &[]);
}

/// Answers a message that asks for more than this server's API level, where answers are no JSON.
pub(in crate::jetstream) fn refuse_level(owner: &mut Owner, reply: &[u8]) {
    status(owner, reply, "412 Required Api Level");
}

/// Answers a request; `subject` is what follows the stream's name, empty for none.
pub(in crate::jetstream) fn get(owner: &mut Owner, reply: &[u8], subject: &[u8], body: &[u8]) {
    match answer(owner, subject, body) {
        Ok((Answer::One(message), no_headers)) => one(owner, reply, &message, None, no_headers),
        Ok((Answer::Many(many), no_headers)) => several(owner, reply, &many, no_headers),
        Err(line) => status(owner, reply, line),
    }
}

fn answer(owner: &mut Owner, subject: &[u8], body: &[u8]) -> Result<(Answer, bool), direct::Status> {
    let mut wanted: MsgGet = if body.is_empty() {
        if subject.is_empty() {
            return Err(direct::EMPTY_REQUEST);
        }
        MsgGet::default()
    } else {
        json::from_whole(body, "JSApiMsgGetRequest").map_err(|_| direct::MALFORMED_REQUEST)?
    };
    if !subject.is_empty() {
        let only = MsgGet {
            no_hdr: wanted.no_hdr,
            max_bytes: wanted.max_bytes,
            ..MsgGet::default()
        };
        if wanted != only {
            return Err(direct::BAD_REQUEST);
        }
        wanted.last_by_subj = String::from_utf8_lossy(subject).into_owned();
    }
    direct::check(&wanted)?;
    let most = owner.wire.lane.server.options.limits.max_pending_bytes as u64;
    let found = direct::answer(owner.group.store(), &wanted, most)?;
    // The last of several subjects are answered with headers in any case.
    Ok((found, wanted.no_hdr && wanted.multi_last.is_empty()))
}

fn one(owner: &mut Owner, reply: &[u8], message: &Message, batch: Option<(u64, u64)>, no_headers: bool) {
    let name = owner.stream.name.clone();
    let headers = if no_headers {
        Vec::new()
    } else {
        direct::headers(&name, message, batch)
    };
    owner.wire.send(reply, None, &headers, message.payload());
}

fn several(owner: &mut Owner, reply: &[u8], many: &Many, no_headers: bool) {
    // The peer counts down as it writes headers.
    let counted = many.pending + many.messages.len() as u64;
    let mut left = counted;
    let mut last = 0;
    for message in &many.messages {
        left -= 1;
        one(owner, reply, message, Some((left, last)), no_headers);
        last = message.seq().0;
    }
    let pending = if no_headers { counted } else { left };
    let end = direct::end_of_batch(many, pending);
    owner.wire.send(reply, None, end.as_bytes(), &[]);
}
