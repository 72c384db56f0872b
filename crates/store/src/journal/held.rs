//! What a journal file holds, by group: for letting go of it, and for finding out whether a deleted message may be in it.
//! Reads no file.

use std::collections::HashMap;

use super::frame::{Frame, Kind};
use crate::ids::{GroupId, LogIndex, Seq};

/// What one full file holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Highest entry of each group in it.
    pub(crate) highest: HashMap<GroupId, LogIndex>,
    /// Messages in its entries.
    pub(crate) messages: Spans,
    /// Messages that an earlier use of the file may have left behind the entries.
    pub(crate) stale: Spans,
    /// Something in it does not verify: it is kept aside, not used again.
    pub(crate) damaged: bool,
    /// It is encrypted. One that is not is not used again by a store that is: what it held would stay readable.
    pub(crate) sealed: bool,
}

impl Contents {
    /// Notes an entry.
    pub(crate) fn note(&mut self, frame: &Frame) {
        let highest = self.highest.entry(frame.group).or_default();
        *highest = (*highest).max(frame.index);
        if frame.kind == Kind::Messages {
            self.messages.note(frame.group, frame.base_seq, frame.count);
        }
    }

    /// What is left in the file once it is used again.
    pub(crate) fn into_stale(self) -> Spans {
        let mut stale = self.stale;
        stale.is_unknown |= self.messages.is_unknown;
        for (group, (first, last)) in self.messages.by_group {
            stale.cover(group, first, last);
        }
        stale
    }
}

/// For each group the messages that may be there, from the first to the last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Spans {
    by_group: HashMap<GroupId, (Seq, Seq)>,
    is_unknown: bool,
}

impl Spans {
    /// What an earlier start has left: nobody knows.
    pub(crate) fn unknown() -> Self {
        Self {
            by_group: HashMap::new(),
            is_unknown: true,
        }
    }

    fn note(&mut self, group: GroupId, first: Seq, count: u32) {
        if count > 0 {
            let last = Seq(first.0.saturating_add(u64::from(count) - 1));
            self.cover(group, first, last);
        }
    }

    fn cover(&mut self, group: GroupId, first: Seq, last: Seq) {
        let span = self.by_group.entry(group).or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }

    /// Whether one of `seqs` may be there.
    pub(crate) fn may_hold(&self, group: GroupId, seqs: &[Seq]) -> bool {
        let within = |(first, last): &(Seq, Seq)| seqs.iter().any(|s| first <= s && s <= last);
        self.is_unknown || self.by_group.get(&group).is_some_and(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_may_be_there() {
        let mut contents = Contents::default();
        contents.messages.note(GroupId(1), Seq(10), 5);
        contents.messages.note(GroupId(1), Seq(20), 0);
        let held = |spans: &Spans, seq| spans.may_hold(GroupId(1), &[Seq(seq)]);
        assert!(!held(&contents.messages, 9) && held(&contents.messages, 10));
        assert!(held(&contents.messages, 14) && !held(&contents.messages, 15));
        assert!(!contents.messages.may_hold(GroupId(2), &[Seq(12)]));
        assert!(!held(&contents.stale, 12));
        let stale = contents.into_stale();
        assert!(held(&stale, 12) && !held(&stale, 20));
        assert!(held(&Spans::unknown(), 1));
    }
}
