//! Figures about the journal, for who watches it.

use std::time::Duration;

/// Figures about the journal since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Rounds written.
    pub rounds: u64,
    /// Syncs.
    pub syncs: u64,
    /// Entries.
    pub frames: u64,
    /// Bytes, with headers and padding.
    pub bytes: u64,
    /// Files that hold what is needed, the one that is written to among them.
    pub files: u64,
    /// How long syncs took, all together.
    pub sync_time: Duration,
    /// Syncs by how long they took: up to [`Self::SYNC_BOUNDS`] each and longer than the one before; the last are longer than all.
    pub sync_counts: [u64; Self::SYNC_BOUNDS.len() + 1],
}

impl JournalStats {
    /// What syncs are told apart by: from what a disk with a cache of its own takes to what a spinning one under load does.
    pub const SYNC_BOUNDS: [Duration; 12] = [
        Duration::from_micros(50),
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_secs(1),
    ];

    /// Notes a sync that took so long.
    pub(super) fn note_sync(&mut self, took: Duration) {
        self.syncs += 1;
        self.sync_time += took;
        let nth = Self::SYNC_BOUNDS.partition_point(|bound| *bound < took);
        self.sync_counts[nth] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_counts_where_it_belongs() {
        let mut stats = JournalStats::default();
        assert!(JournalStats::SYNC_BOUNDS.is_sorted());
        for micros in [1, 50, 51, 1_000_000, 1_000_001] {
            stats.note_sync(Duration::from_micros(micros));
        }
        assert_eq!((stats.syncs, stats.sync_counts.iter().sum()), (5, 5u64));
        assert_eq!((stats.sync_counts[0], stats.sync_counts[1]), (2, 1));
        assert_eq!((stats.sync_counts[11], stats.sync_counts[12]), (1, 1));
        assert_eq!(stats.sync_time, Duration::from_micros(2_000_103));
    }
}
