//! What a stream should hold, kept the plain way, and the commands that change it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use natterjack_store::{
    BatchBuilder, EntryBody, Limits, LoadError, MsgStore, NewRecord, Seq, Snapshot, Unheard,
};
use natterjack_subject::Filter;

/// Subjects messages are sent to.
pub(crate) const SUBJECTS: [&str; 4] = ["a.x", "a.y", "b.x", "c"];
const FILTERS: [&str; 4] = ["a.*", "a.x", "b.>", "c"];
const NONE: u64 = u64::MAX;

/// A change of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// So many messages, of about so many bytes.
    Append(u64, u64),
    /// One with a time to live, seconds.
    Mortal(u64),
    Remove(u64),
    Erase(u64),
    Purge,
    PurgeFilter(u64),
    PurgeKeep(u64),
    PurgeTo(u64),
    MaxMsgs(u64),
    MaxBytes(u64),
    MaxPerSubject(u64),
    Skip(u64),
    Truncate(u64),
}

use Change::*;

impl Change {
    /// As bytes, for the journal.
    pub(crate) fn encode(self) -> Vec<u8> {
        let (tag, a, b) = match self {
            Append(a, b) => (0, a, b),
            Mortal(a) => (1, a, 0),
            Remove(a) => (2, a, 0),
            Erase(a) => (3, a, 0),
            Purge => (4, 0, 0),
            PurgeFilter(a) => (5, a, 0),
            PurgeKeep(a) => (6, a, 0),
            PurgeTo(a) => (7, a, 0),
            MaxMsgs(a) => (8, a, 0),
            MaxBytes(a) => (9, a, 0),
            MaxPerSubject(a) => (10, a, 0),
            Skip(a) => (11, a, 0),
            Truncate(a) => (12, a, 0),
        };
        [tag, a, b].iter().flat_map(|n: &u64| n.to_le_bytes()).collect()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let n = |i: usize| u64::from_le_bytes(bytes[i * 8..i * 8 + 8].try_into().unwrap());
        match n(0) {
            2 => Remove(n(1)),
            3 => Erase(n(1)),
            4 => Purge,
            5 => PurgeFilter(n(1)),
            6 => PurgeKeep(n(1)),
            7 => PurgeTo(n(1)),
            8 => MaxMsgs(n(1)),
            9 => MaxBytes(n(1)),
            10 => MaxPerSubject(n(1)),
            11 => Skip(n(1)),
            12 => Truncate(n(1)),
            other => panic!("no command {other}"),
        }
    }
}

/// A stream as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) messages: BTreeMap<u64, (&'static str, Vec<u8>)>,
    pub(crate) last: u64,
    pub(crate) max: [u64; 3],
}

/// Content of message `seq`: tells it from all others.
fn payload(seq: u64, group: u32, bytes: u64) -> Vec<u8> {
    let mut text = format!("{group}:{seq}:{bytes}:").into_bytes();
    let len = usize::try_from(bytes).unwrap().max(text.len());
    text.resize(len, u8::try_from(seq % 251).unwrap());
    text
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            max: [NONE; 3],
            ..Self::default()
        }
    }

    /// The change as an entry, decided on top of this state.
    pub(crate) fn entry(&self, change: Change, group: u32, now_ns: i64) -> EntryBody {
        let (count, bytes, ttl_s) = match change {
            Append(count, bytes) => (count, bytes, 0),
            Mortal(ttl) => (1, 20, u32::try_from(ttl).unwrap()),
            other => return EntryBody::Command(other.encode().into()),
        };
        let mut builder = BatchBuilder::default();
        for n in 0..count {
            let seq = self.last + n + 1;
            let body = payload(seq, group, bytes);
            assert!(builder.push(&NewRecord {
                seq: Seq(seq),
                ts_ns: now_ns,
                subject: SUBJECTS[usize::try_from(seq % 4).unwrap()].as_bytes(),
                headers: if seq.is_multiple_of(3) {
                    b"NATS/1.0\r\nA: b\r\n\r\n"
                } else {
                    b""
                },
                payload: &body,
                ttl_s,
                ..NewRecord::default()
            }));
        }
        EntryBody::Messages(builder.finish())
    }

    fn bytes(&self) -> u64 {
        let size = |(seq, (s, p)): (&u64, &(&str, Vec<u8>))| {
            let headers = if seq.is_multiple_of(3) { 18 } else { 0 };
            natterjack_store::accounted(natterjack_store::Storage::File, s.len(), headers, p.len())
        };
        self.messages.iter().map(size).sum()
    }

    fn drop_where(&mut self, keep: usize, up_to: u64, test: impl Fn(&str) -> bool) {
        let hit: Vec<u64> = self
            .messages
            .iter()
            .filter(|(_, (s, _))| test(s))
            .map(|(n, _)| *n)
            .collect();
        let count = hit.len().saturating_sub(keep);
        for seq in hit.into_iter().take(count).filter(|n| *n < up_to) {
            self.messages.remove(&seq);
        }
    }

    fn enforce(&mut self) {
        if self.max[2] != NONE {
            for subject in SUBJECTS {
                self.drop_where(usize::try_from(self.max[2]).unwrap(), NONE, |s| s == subject);
            }
        }
        while self.messages.len() as u64 > self.max[0] || self.bytes() > self.max[1] {
            self.messages.pop_first();
        }
    }

    pub(crate) fn apply(&mut self, change: Change, group: u32) {
        match change {
            Append(count, bytes) => {
                for _ in 0..count {
                    self.push(group, bytes);
                }
            }
            Mortal(_) => self.push(group, 20),
            Remove(seq) | Erase(seq) => {
                self.messages.remove(&seq);
            }
            Purge => self.messages.clear(),
            PurgeFilter(n) => {
                let filter = Filter::parse(FILTERS[usize::try_from(n).unwrap()].as_bytes()).unwrap();
                self.drop_where(0, NONE, |s| filter.matches(s.as_bytes()));
            }
            PurgeKeep(keep) => self.drop_where(usize::try_from(keep).unwrap(), NONE, |_| true),
            PurgeTo(seq) => {
                self.drop_where(0, seq, |_| true);
                if self.messages.is_empty() {
                    self.last = self.last.max(seq.saturating_sub(1));
                }
            }
            MaxMsgs(n) => self.max[0] = n,
            MaxBytes(n) => self.max[1] = n,
            MaxPerSubject(n) => self.max[2] = n,
            Skip(n) => self.last += n,
            Truncate(last) => {
                self.last = self.last.min(last);
                drop(self.messages.split_off(&(self.last + 1)));
            }
        }
        self.enforce();
    }

    fn push(&mut self, group: u32, bytes: u64) {
        self.last += 1;
        let subject = SUBJECTS[usize::try_from(self.last % 4).unwrap()];
        self.messages
            .insert(self.last, (subject, payload(self.last, group, bytes)));
        self.enforce();
    }

    /// A message of `log` that is not as it was, if there is one. Messages may be missing.
    pub(crate) fn contradicts(&self, log: &dyn MsgStore) -> Option<String> {
        let all = natterjack_subject::FilterSet::all();
        let mut from = Seq(0);
        while let Some(message) = log.next(&all, from) {
            let seq = message.seq();
            let expected = self.messages.get(&seq.0).map(|(s, p)| (s.as_bytes(), &p[..]));
            if expected.is_some_and(|e| e != (message.subject(), message.payload())) {
                return Some(format!("message {seq} is not as it was"));
            }
            from = seq.next();
        }
        None
    }

    /// What differs between this and a snapshot, if anything does.
    pub(crate) fn differs_from(&self, snapshot: &Snapshot) -> Option<String> {
        let mut seen = Vec::new();
        snapshot.scan(Seq(0), &mut |seq, found| {
            seen.push((seq.0, found.map(|m| m.message())));
            ControlFlow::Continue(())
        });
        for (seq, found) in &seen {
            let expected = self.messages.get(seq).map(|(s, p)| (s.as_bytes(), &p[..]));
            let loaded = snapshot.load(Seq(*seq));
            for found in [found, &loaded] {
                let found = found.as_ref().ok().map(|m| (m.subject(), m.payload()));
                if expected.is_none() || found != expected {
                    return Some(format!("message {seq} is not as it was"));
                }
            }
        }
        let behind = snapshot.load(Seq(self.last + 1));
        if seen.len() != self.messages.len() || behind != Err(LoadError::NotFound) {
            return Some(format!("{} of {} messages", seen.len(), self.messages.len()));
        }
        None
    }

    /// What differs between this and `log`, if anything does.
    pub(crate) fn differs(&self, log: &dyn MsgStore) -> Option<String> {
        let state = log.state();
        let first = self.messages.keys().next().copied().unwrap_or(self.last + 1);
        let expected = (self.last, self.messages.len() as u64, self.bytes(), first);
        let got = (state.last_seq.0, state.msgs, state.bytes, state.first_seq.0);
        if got != expected {
            return Some(format!("last, messages, bytes, first: {got:?}, not {expected:?}"));
        }
        let mut seen = 0;
        let all = natterjack_subject::FilterSet::all();
        let mut from = Seq(0);
        while let Some(message) = log.next(&all, from) {
            let seq = message.seq();
            let expected = self.messages.get(&seq.0).map(|(s, p)| (s.as_bytes(), &p[..]));
            if expected != Some((message.subject(), message.payload())) {
                return Some(format!("message {seq} is not as it was"));
            }
            seen += 1;
            from = seq.next();
        }
        (seen != self.messages.len()).then(|| format!("{seen} of {} messages", self.messages.len()))
    }
}

/// Carries out a change on a store, as the owner of a stream does.
pub(crate) fn apply(log: &mut dyn MsgStore, change: Change, limits: &mut Limits) {
    let purge = |filter, up_to, keep| natterjack_store::Purge { filter, up_to, keep };
    match change {
        Append(..) | Mortal(_) => {}
        Remove(seq) => drop(log.remove(Seq(seq), false, &mut Unheard)),
        Erase(seq) => drop(log.remove(Seq(seq), true, &mut Unheard)),
        Purge => drop(log.purge(&purge(None, None, 0), &mut Unheard)),
        PurgeFilter(n) => {
            let filter = Filter::parse(FILTERS[usize::try_from(n).unwrap()].as_bytes()).unwrap();
            log.purge(&purge(Some(filter), None, 0), &mut Unheard);
        }
        PurgeKeep(keep) => drop(log.purge(&purge(None, None, keep), &mut Unheard)),
        PurgeTo(seq) => drop(log.purge(&purge(None, Some(Seq(seq)), 0), &mut Unheard)),
        MaxMsgs(n) => limits.max_msgs = Some(n),
        MaxBytes(n) => limits.max_bytes = Some(n),
        MaxPerSubject(n) => limits.max_per_subject = Some(n),
        Skip(n) => log.skip_to(Seq(log.state().last_seq.0 + n), 0),
        Truncate(last) => log.truncate(Seq(last)),
    }
    if matches!(change, MaxMsgs(_) | MaxBytes(_) | MaxPerSubject(_)) {
        log.set_limits(*limits, &mut Unheard);
    }
}

/// Limits as the owner's state in a checkpoint.
pub(crate) fn encode_limits(limits: &Limits) -> Vec<u8> {
    let all = [limits.max_msgs, limits.max_bytes, limits.max_per_subject];
    all.iter().flat_map(|n| n.unwrap_or(NONE).to_le_bytes()).collect()
}

pub(crate) fn decode_limits(bytes: &[u8]) -> Limits {
    let n = |i: usize| {
        Some(u64::from_le_bytes(bytes[i * 8..i * 8 + 8].try_into().unwrap())).filter(|n| *n != NONE)
    };
    Limits {
        max_msgs: n(0),
        max_bytes: n(1),
        max_per_subject: n(2),
        max_age_ns: None,
    }
}
