//! Which messages of a run of slots have which subject: the subjects in order, and the slots of each, ascending. Answers
//! what the next one of a filter is, and how many there are, by looking at subjects instead of messages. Of a sealed segment
//! it is part of the index file; of what is not sealed yet it is made in memory when it is asked for.

use std::ops::Range;

use bytes::Bytes;
use natterjack_subject::{Filter, FilterSet};
use parking_lot::Mutex;

use super::gathered::SubjectTable;
use super::ranks::Ranks;
use crate::codec::{In, Out};

/// Bytes of one entry: where its text begins, and its first place in the list of slots.
const ENTRY_BYTES: usize = 8;
/// A part of the list that is at least one in so many of it is worth counting all that is live.
const RANKS_SHARE: usize = 4;
/// All slots there can be.
pub(crate) const WHOLE: Range<u32> = 0..u32::MAX;

/// Subjects with their slots.
#[derive(Debug)]
pub(crate) struct Postings {
    /// One more than there are subjects: the last one ends the others.
    entries: Bytes,
    /// Slots, those of a subject one behind the other.
    list: Bytes,
    texts: Bytes,
    /// What is live of the list, as of some time.
    ranks: Mutex<Option<Ranks>>,
}

/// Which slots are gone.
#[derive(Clone, Copy)]
pub(crate) struct Gone<'a> {
    pub(crate) is_gone: &'a dyn Fn(u32) -> bool,
    /// How many; never one less than before. Not known of some.
    pub(crate) count: Option<usize>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

/// Whether all that starts with the literal part of `filter` passes.
pub(crate) fn is_prefix(filter: &Filter) -> bool {
    filter.as_bytes().strip_suffix(b">") == Some(filter.literal_prefix())
}

/// The first of `range` for which `is_before` does not hold; it holds for all before that.
fn partition(range: Range<usize>, is_before: impl Fn(usize) -> bool) -> usize {
    let Range { mut start, mut end } = range;
    while start < end {
        let middle = usize::midpoint(start, end);
        if is_before(middle) {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    start
}

/// Bytes that [`encode`] writes.
pub(super) fn encoded_len(table: &SubjectTable) -> usize {
    8 + (table.len() + 1) * ENTRY_BYTES + table.slots() * 4 + table.text_bytes()
}

/// Writes what [`Postings::parse`] reads.
pub(super) fn encode(table: &SubjectTable, out: &mut Out) {
    out.len(table.len());
    out.len(table.slots());
    let (mut text_at, mut place) = (0, 0);
    for (text, count) in table.iter() {
        out.len(text_at);
        out.len(place);
        text_at += text.len();
        place += count;
    }
    out.len(text_at);
    out.len(place);
    table.list().iter().for_each(|slot| out.u32(*slot));
    for (text, _) in table.iter() {
        out.0.extend_from_slice(text);
    }
}

impl Postings {
    /// Of subjects that were gathered.
    pub(crate) fn of(table: &SubjectTable) -> Option<Self> {
        let mut out = Out(Vec::with_capacity(encoded_len(table)));
        encode(table, &mut out);
        Self::parse(&Bytes::from(out.0))
    }

    pub(super) fn parse(content: &Bytes) -> Option<Self> {
        let mut fields = In(content);
        let (subjects, slots) = (fields.count()?, fields.count()?);
        let list_at = subjects
            .checked_add(1)?
            .checked_mul(ENTRY_BYTES)?
            .checked_add(8)?;
        let texts_at = list_at.checked_add(slots.checked_mul(4)?)?;
        (texts_at <= content.len()).then(|| Self {
            entries: content.slice(8..list_at),
            list: content.slice(list_at..texts_at),
            texts: content.slice(texts_at..),
            ranks: Mutex::default(),
        })
    }

    /// Bytes that were parsed.
    pub(crate) const fn bytes(&self) -> usize {
        self.entries.len() + self.list.len() + self.texts.len()
    }

    /// Bytes of memory it takes beside these.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.ranks.lock().as_ref().map_or(0, |ranks| ranks.memory_bytes())
    }

    pub(crate) const fn subjects(&self) -> usize {
        (self.entries.len() / ENTRY_BYTES).saturating_sub(1)
    }

    fn field(&self, n: usize, field: usize) -> usize {
        word(&self.entries, n * ENTRY_BYTES + field * 4) as usize
    }

    /// The n-th subject in order.
    pub(crate) fn text(&self, n: usize) -> &[u8] {
        let range = self.field(n, 0)..self.field(n + 1, 0);
        self.texts.get(range).unwrap_or_default()
    }

    /// Where the slots of these subjects are in the list.
    fn places(&self, subjects: &Range<usize>) -> Range<usize> {
        self.field(subjects.start, 1)..self.field(subjects.end, 1)
    }

    fn slot(&self, place: usize) -> u32 {
        word(&self.list, place * 4)
    }

    /// Subjects that may pass `filter`: they start as it does.
    fn range(&self, filter: &Filter) -> Range<usize> {
        let prefix = filter.literal_prefix();
        let all = self.subjects();
        let start = partition(0..all, |n| self.text(n) < prefix);
        if filter.is_literal() {
            return start..start + usize::from(start < all && self.text(start) == prefix);
        }
        let end = partition(start..all, |n| self.text(n).starts_with(prefix));
        start..end
    }

    /// How many subjects are looked at to tell what passes `set`.
    pub(crate) fn spread(&self, set: &FilterSet) -> usize {
        set.filters().iter().map(|filter| self.range(filter).len()).sum()
    }

    /// Calls `each` for the subjects that pass `set`, in runs that lie side by side, every subject once.
    fn runs(&self, set: &FilterSet, each: &mut dyn FnMut(Range<usize>)) {
        for (n, filter) in set.filters().iter().enumerate() {
            let range = self.range(filter);
            let earlier = &set.filters()[..n];
            if earlier.is_empty() && (filter.is_literal() || is_prefix(filter)) {
                each(range);
                continue;
            }
            for n in range {
                let text = self.text(n);
                if filter.matches(text) && !earlier.iter().any(|f| f.matches(text)) {
                    each(n..n + 1);
                }
            }
        }
    }

    /// How many of `slots` pass `set` and are not gone.
    pub(crate) fn count(&self, set: &FilterSet, slots: &Range<u32>, gone: Gone<'_>) -> u64 {
        let mut count = 0;
        self.runs(set, &mut |subjects| {
            let places = self.places(&subjects);
            count += if *slots == WHOLE {
                self.count_live(&places, gone)
            } else if subjects.len() == 1 {
                self.count_live(&self.within(places, slots), gone)
            } else {
                let listed = places.map(|place| self.slot(place));
                let within = listed.filter(|slot| slots.contains(slot));
                within.filter(|slot| !(gone.is_gone)(*slot)).count()
            };
        });
        count as u64
    }

    /// How many of the slots at `places` are not gone.
    fn count_live(&self, places: &Range<usize>, gone: Gone<'_>) -> usize {
        let is_live = |place: usize| !(gone.is_gone)(self.slot(place));
        let all = self.list.len() / 4;
        let Some(count) = gone.count else {
            return places.clone().filter(|place| is_live(*place)).count();
        };
        if count == 0 {
            return places.len();
        }
        let mut ranks = self.ranks.lock();
        let known = ranks.take().filter(|ranks| ranks.deleted == count);
        if known.is_none() && places.len() < all / RANKS_SHARE {
            return places.clone().filter(|place| is_live(*place)).count();
        }
        let known = known.unwrap_or_else(|| Ranks::new(all, count, is_live));
        ranks.insert(known).count(places, is_live)
    }

    /// The places of a single subject whose slots are in `slots`.
    fn within(&self, places: Range<usize>, slots: &Range<u32>) -> Range<usize> {
        let start = partition(places.clone(), |place| self.slot(place) < slots.start);
        start..partition(start..places.end, |place| self.slot(place) < slots.end)
    }

    /// Lets `pick` choose among the slots of each subject that passes `set`, as far as they are in `slots`, and say which
    /// slots are worth a look from then on; the last that it chose.
    fn choose(
        &self,
        set: &FilterSet,
        slots: &Range<u32>,
        pick: impl Fn(Range<usize>, &mut Range<u32>) -> Option<u32>,
    ) -> Option<u32> {
        let mut left = slots.clone();
        let mut found = None;
        self.runs(set, &mut |subjects| {
            for n in subjects {
                let places = self.within(self.places(&(n..n + 1)), &left);
                found = pick(places, &mut left).or(found);
            }
        });
        found
    }

    /// The first of `slots` that passes `set` and is not gone.
    pub(crate) fn next(
        &self,
        set: &FilterSet,
        slots: &Range<u32>,
        is_gone: &dyn Fn(u32) -> bool,
    ) -> Option<u32> {
        self.choose(set, slots, |mut places, left| {
            let slot = places.find_map(|place| Some(self.slot(place)).filter(|slot| !is_gone(*slot)))?;
            left.end = slot;
            Some(slot)
        })
    }

    /// The last of `slots` that passes `set` and is not gone.
    pub(crate) fn last(
        &self,
        set: &FilterSet,
        slots: &Range<u32>,
        is_gone: &dyn Fn(u32) -> bool,
    ) -> Option<u32> {
        self.choose(set, slots, |places, left| {
            let mut places = places.rev();
            let slot = places.find_map(|place| Some(self.slot(place)).filter(|slot| !is_gone(*slot)))?;
            left.start = slot + 1;
            Some(slot)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gathered::Subjects;
    use super::*;

    const SUBJECTS: [&str; 6] = ["a", "a.b", "a.b.c", "a.x", "b.b", "c.d.e"];
    const FILTERS: [&str; 8] = ["a", "a.>", "*.b", "b.*", "c.d.e", "nobody", "*", "a.b.>"];

    fn set(filters: &[usize]) -> FilterSet {
        let parsed = filters
            .iter()
            .map(|n| Filter::parse(FILTERS[*n].as_bytes()).unwrap());
        FilterSet::new(parsed.collect())
    }

    proptest! {
        /// Whatever is asked, the answer is that of a look at every message.
        #[test]
        fn answers_as_the_messages_would(
            messages in proptest::collection::vec((0usize..6, any::<bool>(), 1u32..4), 0..60),
            filters in proptest::collection::vec(0usize..8, 1..4),
            (from, to) in (0u32..100, 0u32..160),
        ) {
            let (mut subjects, mut slot, mut model) = (Subjects::default(), 0, Vec::new());
            for (subject, gone, step) in messages {
                slot += step;
                subjects.note(SUBJECTS[subject].as_bytes(), slot);
                model.push((slot, SUBJECTS[subject], gone));
            }
            let postings = Postings::of(&subjects.into_table()).unwrap();
            let set = set(&filters);
            let is_gone = |slot: u32| model.iter().any(|m| m.0 == slot && m.2);
            let passing = |m: &&(u32, &str, bool)| set.matches(m.1.as_bytes());
            let count = model.iter().filter(|m| m.2).count();
            for gone in [None, Some(count)].map(|count| Gone { is_gone: &is_gone, count }) {
                let live = model.iter().filter(passing).filter(|m| !m.2).count();
                prop_assert_eq!(postings.count(&set, &WHOLE, gone), live as u64);
            }
            let within: Vec<_> = model.iter().filter(passing).filter(|m| (from..to).contains(&m.0)).collect();
            let live: Vec<u32> = within.iter().filter(|m| !m.2).map(|m| m.0).collect();
            let range = from..to;
            let (none, some) = (Gone { is_gone: &|_| false, count: Some(0) }, Gone { is_gone: &is_gone, count: Some(count) });
            prop_assert_eq!(postings.count(&set, &range, none), within.len() as u64);
            prop_assert_eq!(postings.count(&set, &range, some), live.len() as u64);
            prop_assert_eq!(postings.next(&set, &range, &is_gone), live.first().copied());
            prop_assert_eq!(postings.last(&set, &range, &is_gone), live.last().copied());
            let known: std::collections::BTreeSet<&str> = model.iter().filter(passing).map(|m| m.1).collect();
            prop_assert!(postings.spread(&set) >= known.len());
        }
    }
}
