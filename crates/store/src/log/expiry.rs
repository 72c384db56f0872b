//! Messages whose time has come. Only found here: the owner decides and proposes their removal.

use super::StreamLog;
use crate::ids::Seq;
use crate::record::{RecordView, TTL_NEVER};
use crate::traits::Due;

const SECOND_NS: i64 = 1_000_000_000;
/// Sequences of a page: of each is known whether messages in it may have a time to live of their own.
const PAGE: u64 = 4096;

/// The page `seq` is in.
pub(super) const fn page_of(seq: Seq) -> u64 {
    seq.0 / PAGE
}

impl StreamLog {
    /// Remembers when a message with its own time to live ends.
    pub(super) fn note_ttl(&mut self, seq: Seq, record: RecordView<'_>) {
        let ttl = record.ttl_s();
        if ttl > 0 && ttl != TTL_NEVER {
            let ends = record
                .ts_ns()
                .saturating_add(i64::from(ttl).saturating_mul(SECOND_NS));
            self.ttl.insert((ends, seq));
            self.mortal.insert(page_of(seq));
        }
    }

    /// Learns times to live from the messages in `pages`: all others have none.
    pub(super) fn learn_ttls(&mut self, pages: &[u64]) {
        for page in pages {
            let end = Seq((page + 1).saturating_mul(PAGE));
            let mut from = Seq(page.saturating_mul(PAGE));
            while let Some(seq) = self.next_live(from).filter(|seq| *seq < end) {
                if let Ok(message) = self.read(seq) {
                    self.note_ttl(seq, message.view());
                }
                from = seq.next();
            }
        }
    }

    fn is_live(&self, seq: Seq) -> bool {
        self.next_live(seq) == Some(seq)
    }

    /// The next message the age limit concerns.
    fn oldest_mortal(&mut self) -> Option<(Seq, i64)> {
        self.limits.max_age_ns?;
        loop {
            let seq = self.next_live(self.age_cursor.max(self.state.first_seq))?;
            let message = self.read(seq).ok();
            if message.as_ref().is_some_and(|m| m.ttl_s() == TTL_NEVER) {
                self.age_cursor = seq.next();
                continue;
            }
            return Some((seq, message.map_or(self.state.first_ts_ns, |m| m.ts_ns())));
        }
    }

    pub(super) fn next_due(&mut self) -> Option<i64> {
        while let Some((_, seq)) = self.ttl.first().copied() {
            if self.is_live(seq) {
                break;
            }
            self.ttl.pop_first();
        }
        let by_ttl = self.ttl.first().map(|(ends, _)| *ends);
        let age = self.limits.max_age_ns.and_then(|a| i64::try_from(a).ok());
        let by_age = self
            .oldest_mortal()
            .and_then(|(_, ts)| Some(ts.saturating_add(age?)));
        match (by_ttl, by_age) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(super) fn find_due(&mut self, now_ns: i64, max: usize) -> Vec<Due> {
        let mut due = Vec::new();
        if let Some(age) = self.limits.max_age_ns.and_then(|a| i64::try_from(a).ok()) {
            let oldest = now_ns.saturating_sub(age);
            let mut from = self.oldest_mortal().map(|(seq, _)| seq);
            while let Some(seq) = from.filter(|_| due.len() < max) {
                let Ok(message) = self.read(seq) else { break };
                if message.ts_ns() > oldest {
                    break;
                }
                if message.ttl_s() != TTL_NEVER {
                    due.push(Due { seq, ttl: false });
                }
                from = self.next_live(seq.next());
            }
        }
        let mut stale = Vec::new();
        for (ends, seq) in &self.ttl {
            if *ends > now_ns || due.len() >= max {
                break;
            }
            if self.is_live(*seq) {
                due.push(Due { seq: *seq, ttl: true });
            } else {
                stale.push((*ends, *seq));
            }
        }
        for entry in stale {
            self.ttl.remove(&entry);
        }
        due.sort_unstable_by_key(|d| d.seq);
        due.dedup_by_key(|d| d.seq);
        due
    }
}
