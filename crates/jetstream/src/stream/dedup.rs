//! Message ids seen within the duplicate window. Ids on their way to the log count as seen.

use natterjack_store::Seq;

use super::id_ring::IdRing;

/// Ids remembered at most; beyond it the oldest are forgotten early, which shortens the window under extreme rates
/// instead of growing without bound.
const IDS_MAX: usize = if cfg!(test) { 4096 } else { 8 * 1024 * 1024 };
/// Bytes of ids remembered at most, for the same reason.
const ID_BYTES_MAX: usize = if cfg!(test) { 256 * 1024 } else { 256 * 1024 * 1024 };

/// Id of the last message that had one, with its sequence.
pub(crate) type LastId = Option<(Box<[u8]>, Seq)>;

/// Ids and the sequences they got.
#[derive(Debug, Default)]
pub(crate) struct Dedup {
    window_ns: i64,
    ids: IdRing,
    last: LastId,
}

impl Dedup {
    pub(crate) fn set_window(&mut self, window_ns: i64) {
        self.window_ns = window_ns;
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.window_ns > 0
    }

    /// The sequence that `id` got, if it was seen within the window.
    pub(crate) fn get(&self, id: &[u8]) -> Option<Seq> {
        self.ids.get(id)
    }

    /// Remembers `id`.
    pub(crate) fn insert(&mut self, id: &[u8], seq: Seq, ts_ns: i64) {
        match &mut self.last {
            // Nearly always as long as the one before: no new place for it.
            Some((last, of)) if last.len() == id.len() => {
                last.copy_from_slice(id);
                *of = seq;
            }
            last => *last = Some((id.into(), seq)),
        }
        if !self.is_on() || self.ids.get(id).is_some() {
            return;
        }
        self.ids.push(id, seq, ts_ns);
        while self.ids.len() > IDS_MAX || self.ids.id_bytes() > ID_BYTES_MAX {
            self.ids.pop();
        }
    }

    /// Forgets `id` again: its message did not make it into the log.
    pub(crate) fn remove(&mut self, id: &[u8], seq: Seq) {
        if self.ids.get(id) == Some(seq) {
            self.ids.remove(id);
        }
    }

    /// Forgets what is older than the window.
    pub(crate) fn expire(&mut self, now_ns: i64) {
        let oldest = now_ns.saturating_sub(self.window_ns);
        while self.ids.first_ts_ns().is_some_and(|ts| ts < oldest) {
            self.ids.pop();
        }
    }

    /// Id of the last message, if it had one.
    pub(crate) fn last_id(&self, last: Seq) -> Option<&[u8]> {
        self.last
            .as_ref()
            .filter(|(_, seq)| *seq == last)
            .map(|(id, _)| &**id)
    }

    /// The last message that had an id.
    pub(crate) const fn last(&self) -> &LastId {
        &self.last
    }

    /// Puts [`Self::last`] back to what it was.
    pub(crate) fn set_last(&mut self, last: LastId) {
        self.last = last;
    }

    /// Everything to be kept across a restart.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], Seq, i64)> {
        self.ids.iter()
    }

    /// How many ids are remembered.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_by_number_and_by_bytes() {
        for id_bytes in [8, 600] {
            let mut dedup = Dedup::default();
            dedup.set_window(i64::MAX);
            let id = |n: usize| format!("{n:0id_bytes$}").into_bytes();
            for n in 1..=3 * IDS_MAX {
                dedup.insert(&id(n), Seq(n as u64), 1);
            }
            let kept = IDS_MAX.min(ID_BYTES_MAX / id_bytes);
            assert_eq!(dedup.len(), kept, "ids of {id_bytes} bytes");
            let newest = 3 * IDS_MAX;
            assert_eq!(dedup.get(&id(newest)), Some(Seq(newest as u64)));
            assert_eq!(
                dedup.get(&id(newest - kept)),
                None,
                "the oldest are forgotten first"
            );
            assert!(dedup.get(&id(newest - kept + 1)).is_some());
        }
    }

    #[test]
    fn the_window_slides() {
        let mut dedup = Dedup::default();
        dedup.set_window(100);
        dedup.insert(b"a", Seq(1), 0);
        dedup.insert(b"b", Seq(2), 50);
        assert_eq!((dedup.get(b"a"), dedup.get(b"c")), (Some(Seq(1)), None));
        dedup.expire(101);
        assert_eq!(
            (dedup.get(b"a"), dedup.get(b"b"), dedup.len()),
            (None, Some(Seq(2)), 1)
        );
        assert_eq!(
            (dedup.last_id(Seq(2)), dedup.last_id(Seq(3))),
            (Some(&b"b"[..]), None)
        );
        dedup.remove(b"b", Seq(2));
        assert_eq!(dedup.entries().count(), 0);
    }
}
