//! Direct get: stored messages as messages. Chooses what is answered; sends nothing itself.

use std::ops::ControlFlow;

use natterjack_jsapi::GoTime;
use natterjack_jsapi::request::MsgGet;
use natterjack_store::{Message, MsgStore, Seq};
use natterjack_subject::{Filter, FilterSet};

use crate::limits::MULTI_LAST_MAX;
use crate::stream::push_header;

/// Why nothing is found: a status line.
pub type Status = &'static str;

/// What a request asks for is not possible.
pub const BAD_REQUEST: Status = "408 Bad Request";
/// A request without content.
pub const EMPTY_REQUEST: Status = "408 Empty Request";
/// A request that is no JSON.
pub const MALFORMED_REQUEST: Status = "408 Malformed Request";
/// No such message.
pub const NOT_FOUND: Status = "404 Message Not Found";
/// No such messages.
pub const NO_RESULTS: Status = "404 No Results";
/// Too many subjects.
pub const TOO_MANY: Status = "413 Too Many Results";

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// One message.
    One(Message),
    /// Several, one after the other.
    Many(Many),
}

/// Several messages and how they end.
#[derive(Debug, Default)]
pub struct Many {
    /// The messages.
    pub messages: Vec<Message>,
    /// Matching messages behind the last one.
    pub pending: u64,
    /// As of which sequence, for the last of several subjects.
    pub up_to: Option<Seq>,
}

/// Whether the request makes sense.
///
/// # Errors
/// The status to answer.
pub fn check(request: &MsgGet) -> Result<(), Status> {
    let seq = request.seq > 0;
    let (last, next) = (!request.last_by_subj.is_empty(), !request.next_by_subj.is_empty());
    let (time, multi) = (request.start_time.is_some(), !request.multi_last.is_empty());
    let batch = request.batch > 0;
    if !(seq || last || next || time || multi) {
        return Err(EMPTY_REQUEST);
    }
    let batch_or_multi = batch || multi;
    let clash = [
        seq && (last || time),
        time && last,
        last && (next || batch_or_multi),
        next && multi,
        request.up_to_seq > 0 && request.up_to_time.is_some(),
    ];
    if clash.contains(&true) {
        Err(BAD_REQUEST)
    } else {
        Ok(())
    }
}

/// The messages `subject` stands for: all of them if it is empty, none if it is no subject.
fn filter_of(subject: &str) -> Option<FilterSet> {
    if subject.is_empty() {
        return Some(FilterSet::all());
    }
    let filter = Filter::parse(subject.as_bytes()).ok()?;
    Some(FilterSet::new(vec![filter]))
}

/// The last message of `subject`, which may be a filter.
pub fn last_of(store: &mut dyn MsgStore, subject: &str) -> Option<Message> {
    let up_to = store.state().last_seq;
    let seq = if natterjack_subject::is_literal(subject.as_bytes()) {
        store.last_for(subject.as_bytes())?
    } else {
        store.last_matching(&filter_of(subject)?, up_to)?
    };
    store.load(seq).ok()
}

/// Where a request begins to look.
fn start(store: &dyn MsgStore, request: &MsgGet) -> Seq {
    request
        .start_time
        .map_or_else(|| Seq(request.seq.max(1)), |time| store.seq_at_time(time.0))
}

/// One message as STREAM.MSG.GET finds it.
pub fn find(store: &mut dyn MsgStore, request: &MsgGet) -> Option<Message> {
    if !request.last_by_subj.is_empty() {
        return last_of(store, &request.last_by_subj);
    }
    if request.next_by_subj.is_empty() && request.start_time.is_none() {
        return store.load(Seq(request.seq)).ok();
    }
    let from = start(store, request);
    store.next(&filter_of(&request.next_by_subj)?, from)
}

/// What a request that passed [`check`] finds; `bytes_max` bounds answers that set no limit.
///
/// # Errors
/// The status to answer.
pub fn answer(store: &mut dyn MsgStore, request: &MsgGet, bytes_max: u64) -> Result<Answer, Status> {
    if !request.multi_last.is_empty() {
        return multi_last(store, request, bytes_max).map(Answer::Many);
    }
    if request.batch == 0 {
        return find(store, request).map(Answer::One).ok_or(NOT_FOUND);
    }
    // Fewer than none of them are none, as in the peer.
    let count = usize::try_from(request.batch).unwrap_or(0);
    let Some(filter) = filter_of(&request.next_by_subj) else {
        let none = Answer::Many(Many::default());
        return if count > 0 { Err(NOT_FOUND) } else { Ok(none) };
    };
    let mut from = start(store, request);
    let mut budget = budget(request, bytes_max);
    let mut messages = Vec::new();
    if count > 0 {
        store.scan(&filter, from, &mut |passing| {
            let message = passing.message();
            from = message.seq().next();
            let enough = budget.takes(&message);
            messages.push(message);
            if enough || messages.len() == count {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
    }
    if messages.is_empty() && count > 0 {
        return Err(NOT_FOUND);
    }
    Ok(Answer::Many(Many {
        pending: store.num_pending(&filter, from, false).count,
        messages,
        up_to: None,
    }))
}

struct Budget(u64);

impl Budget {
    /// Takes a message off; whether that was the last that fits.
    fn takes(&mut self, message: &Message) -> bool {
        let size = (message.subject().len() + message.body().len()) as u64;
        self.0 = self.0.saturating_sub(size);
        self.0 == 0
    }
}

/// Less than nothing is room for one message, as in the peer.
fn budget(request: &MsgGet, bytes_max: u64) -> Budget {
    Budget(match u64::try_from(request.max_bytes) {
        Ok(0) => bytes_max,
        Ok(bytes) => bytes,
        Err(_) => 0,
    })
}

fn multi_last(store: &mut dyn MsgStore, request: &MsgGet, bytes_max: u64) -> Result<Many, Status> {
    let state = store.state();
    let up_to = match (request.up_to_seq, request.up_to_time) {
        (0, None) => state.last_seq,
        (0, Some(time)) => store.seq_at_time(time.0).previous(),
        (seq, _) => Seq(seq),
    };
    let parsed = request.multi_last.iter();
    let filters: Vec<_> = parsed.filter_map(|f| Filter::parse(f.as_bytes()).ok()).collect();
    if filters.is_empty() {
        return Err(NO_RESULTS);
    }
    let found = store
        .multi_last(
            &FilterSet::new(filters),
            up_to.min(state.last_seq),
            MULTI_LAST_MAX,
        )
        .map_err(|_| TOO_MANY)?;
    if found.is_empty() {
        return Err(NO_RESULTS);
    }
    let from = Seq(request.seq);
    let wanted: Vec<Seq> = found.into_iter().filter(|s| *s >= from).collect();
    let count = usize::try_from(request.batch)
        .ok()
        .filter(|n| *n > 0)
        .unwrap_or(usize::MAX);
    let mut budget = budget(request, bytes_max);
    let mut messages = Vec::new();
    for seq in wanted.iter().take(count) {
        let Ok(message) = store.load(*seq) else { continue };
        let enough = budget.takes(&message);
        messages.push(message);
        if enough {
            break;
        }
    }
    Ok(Many {
        pending: (wanted.len() - messages.len()) as u64,
        messages,
        up_to: Some(up_to),
    })
}

/// The header block a stored message is answered with: its own fields and where it was found. `batch` adds how many are
/// pending and the sequence answered before.
#[must_use]
pub fn headers(stream: &str, message: &Message, batch: Option<(u64, u64)>) -> Vec<u8> {
    let own = message.headers();
    let mut block = own
        .strip_suffix(b"\r\n")
        .map_or_else(|| b"NATS/1.0\r\n".to_vec(), <[u8]>::to_vec);
    push_header(&mut block, "Nats-Stream", stream.as_bytes());
    push_header(&mut block, "Nats-Subject", message.subject());
    push_header(
        &mut block,
        "Nats-Sequence",
        message.seq().0.to_string().as_bytes(),
    );
    let time = GoTime(message.ts_ns()).to_string();
    push_header(&mut block, "Nats-Time-Stamp", time.as_bytes());
    if let Some((pending, last)) = batch {
        push_header(&mut block, "Nats-Num-Pending", pending.to_string().as_bytes());
        push_header(&mut block, "Nats-Last-Sequence", last.to_string().as_bytes());
    }
    block.extend_from_slice(b"\r\n");
    block
}

/// The status that ends several messages, and says that `pending` are left.
#[must_use]
pub fn end_of_batch(many: &Many, pending: u64) -> String {
    let last = many.messages.last().map_or(0, |m| m.seq().0);
    let up_to = many
        .up_to
        .map_or_else(String::new, |s| format!("Nats-UpTo-Sequence: {}\r\n", s.0));
    format!("NATS/1.0 204 EOB\r\nNats-Num-Pending: {pending}\r\nNats-Last-Sequence: {last}\r\n{up_to}\r\n")
}
