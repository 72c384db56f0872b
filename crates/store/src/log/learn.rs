//! What opening a stream learns from its segments (subjects, times to live, and damage), and what of that a checkpoint keeps.

use std::collections::VecDeque;
use std::io;

use super::StreamLog;
use super::checkpoint::Checkpoint;
use super::expiry::page_of;
use crate::codec::{In, Out};
use crate::ids::Seq;
use crate::segment::Segment;
use crate::segment::cursor::Cursor;
use crate::subjects::{Damaged, Keep, Kept, run_number};

/// What opening a stream would otherwise learn from its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    pub(crate) subjects: Kept,
    /// Pages of sequences in which messages with a time to live of their own may be.
    pub(crate) mortal: Vec<u64>,
}

impl Learnt {
    pub(super) fn encode(&self, out: &mut Out) {
        self.subjects.encode(out);
        out.len(self.mortal.len());
        self.mortal.iter().for_each(|page| out.u64(*page));
    }

    pub(super) fn decode(fields: &mut In<'_>) -> Option<Self> {
        let mut learnt = Self {
            subjects: Kept::decode(fields)?,
            mortal: Vec::new(),
        };
        for _ in 0..fields.count()? {
            learnt.mortal.push(fields.u64()?);
        }
        Some(learnt)
    }
}

impl StreamLog {
    /// What is known of subjects and times to live, as of now, and what no longer counts once that is kept. `changed` is how
    /// many bytes came since the last checkpoint.
    pub(super) fn keep_learnt(&mut self, changed: u64) -> Option<(Keep, Vec<u64>)> {
        let little = changed < self.subjects.table_bytes() as u64;
        let settle = little && !self.context.journal.is_full();
        let keep = self.subjects.keep(settle, &self.context.worker);
        self.jobs.garbage.extend(self.subjects.take_gone());
        self.mortal = self.mortal.split_off(&page_of(self.state.first_seq));
        Some((keep?, self.mortal.iter().copied().collect()))
    }

    /// What is known of subjects, times to live and damage, from the segments.
    pub(super) fn build_subjects(&mut self) {
        let mut segments = std::mem::take(&mut self.segments);
        let bytes = self.learn_all(&mut segments).unwrap_or_else(|Damaged| {
            // What was just written does not read back.
            self.subjects.reset(&self.context.worker);
            self.subjects.stay_in_memory();
            self.learn_all(&mut segments).unwrap_or_default()
        });
        // Damaged messages count as messages, but nobody knows their bytes: when they are removed none are taken off.
        self.state.bytes = bytes;
        self.segments = segments;
    }

    fn learn_all(&mut self, segments: &mut VecDeque<Segment>) -> Result<u64, Damaged> {
        let mut bytes = 0;
        for segment in segments {
            bytes += self.learn(segment)?;
            self.map_anew(segment);
        }
        Ok(bytes)
    }

    /// Reading all of a segment made all of it resident; of another mapping nothing is.
    fn map_anew(&self, segment: &mut Segment) {
        let [path, _] = segment.paths(&self.dir);
        let file = self.context.disk.open_existing(&path);
        if let Ok(file) = file {
            segment.data.map_anew(file.as_ref());
        }
    }

    fn learn(&mut self, segment: &Segment) -> Result<u64, Damaged> {
        let (mut cursor, mut bytes) = (Cursor::whole(segment), 0);
        while let Some((slot, found)) = cursor.step() {
            let seq = Seq(segment.base.0 + slot as u64);
            let Some(record) = found.map(|passing| passing.record()) else {
                self.note_lost(seq, segment, slot);
                continue;
            };
            bytes += self.accounted(record);
            self.learn_subject(record.subject(), seq)?;
            self.note_ttl(seq, record);
        }
        Ok(bytes)
    }

    /// Numbers of the runs of subjects in the stream's folder.
    pub(super) fn run_numbers(&self) -> io::Result<Vec<u64>> {
        let names = self.context.disk.list(&self.dir)?;
        Ok(names.iter().filter_map(|n| run_number(n)).collect())
    }

    /// Removes the runs that `checkpoint` does not name.
    pub(super) fn remove_runs(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let disk = self.context.disk.as_ref();
        let learnt = checkpoint.learnt.as_ref();
        for name in disk.list(&self.dir)? {
            let number = run_number(&name);
            let is_named = |number| learnt.is_some_and(|l| l.subjects.names(number));
            if number.is_some_and(|number| !is_named(number)) {
                disk.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }
}
