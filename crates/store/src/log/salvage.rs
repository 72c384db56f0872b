//! Opening a stream without a checkpoint: its messages are taken from whatever segments are there.

use std::io;
use std::sync::Arc;

use super::StreamLog;
use crate::ids::Seq;
use crate::segment::data::Data;
use crate::segment::{HOLE, Offsets, Segment, parse_name, write};

impl StreamLog {
    /// Without a checkpoint, takes whatever segments are there.
    pub(super) fn salvage(&mut self) -> io::Result<()> {
        let mut found: Vec<(Seq, u32)> = self
            .context
            .disk
            .list(&self.dir)?
            .iter()
            .filter_map(|n| parse_name(n))
            .collect();
        if found.is_empty() {
            return Ok(());
        }
        self.context.damage.note(format!(
            "{}: no usable checkpoint; messages are taken from segments",
            self.dir.display()
        ));
        found.sort_unstable();
        for n in 0..found.len() {
            let (base, generation) = found[n];
            let newest = found.get(n + 1).is_none_or(|(next, _)| *next != base);
            if newest {
                self.salvage_segment(base, generation)?;
            }
        }
        self.tail_base = self.last().next();
        self.build_subjects();
        self.state.msgs = self.segments.iter().map(|s| s.live() as u64).sum();
        self.state.first_seq = self.next_live(Seq(1)).unwrap_or_else(|| self.last().next());
        self.state.first_ts_ns = self.timestamp(self.state.first_seq).unwrap_or(0);
        self.state.last_ts_ns = self.timestamp(self.last()).unwrap_or(0);
        Ok(())
    }

    fn salvage_segment(&mut self, base: Seq, generation: u32) -> io::Result<()> {
        let mut segment = Segment::new(base, generation);
        let [data_path, _] = segment.paths(&self.dir);
        let file = self.context.disk.open_existing(&data_path)?;
        let content = file.map(usize::try_from(file.len()?).unwrap_or(0))?;
        segment.data = Data::open(&self.context.pool, &data_path, (base, generation), content)?;
        let offsets = write::scan(&segment.data, base, segment.data.end());
        segment.slots = offsets.len();
        for (slot, _) in offsets.iter().enumerate().filter(|(_, o)| **o == HOLE) {
            segment.deleted.insert(slot);
        }
        segment.offsets = Offsets::Ram(Arc::new(offsets));
        segment.len = segment.data.end();
        segment.sealed = true;
        for slot in 0..segment.slots {
            let Some(message) = segment.view(slot) else {
                continue;
            };
            segment.live_bytes += message.view().stride() as u64;
            self.state.bytes += self.accounted(message.view());
        }
        if segment.slots > 0 && segment.base > self.last() {
            self.state.last_seq = segment.end().previous();
            self.segments.push_back(segment);
        }
        Ok(())
    }
}
