//! A segmented message log with a shared journal: an acknowledged write is on disk.
