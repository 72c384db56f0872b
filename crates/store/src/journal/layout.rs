//! Entries as frames, one behind the other: what one round writes.

use bytes::Bytes;

use super::AppendError;
use super::frame::{BODY_AT, Frame, Kind, Seed, stride};
use crate::batch::{EntryBody, is_lent};
use crate::disk::{DIRECT_BYTES, ZEROS, direct_rest};
use crate::ids::{GroupId, LogIndex, Seq};
use crate::seal::{SEAL_BYTES, Sealer};

/// Between frames there is never more than this, bytes.
pub(super) const GAP_BYTES_MAX: usize = DIRECT_BYTES + BODY_AT;

/// Where frames go, and what they are made with.
pub(super) struct Place<'a> {
    pub(super) seed: &'a Seed,
    pub(super) sealer: Option<&'a Sealer>,
    /// Offset in the file.
    pub(super) at: u64,
    /// Of the first frame.
    pub(super) lsn: u64,
    pub(super) synced: u64,
    /// They go past the system's memory.
    pub(super) large: bool,
}

/// The frames of a round.
#[derive(Default)]
pub(super) struct Layout {
    heads: Vec<[u8; BODY_AT]>,
    bodies: Vec<Bytes>,
    /// Those that hold entries.
    pub(super) entries: Vec<Frame>,
    /// Bytes of all with what is between them.
    pub(super) total: u64,
    /// Of the frame behind them.
    pub(super) next_lsn: u64,
}

impl Layout {
    /// Lays out `entries`.
    ///
    /// # Errors
    /// When an entry is too large for a frame.
    pub(super) fn new(
        place: &Place<'_>,
        entries: &[(GroupId, LogIndex, EntryBody)],
    ) -> Result<Self, AppendError> {
        let mut out = Self {
            next_lsn: place.lsn,
            ..Self::default()
        };
        for (group, index, body) in entries {
            let (kind, count, base_seq) = match body {
                EntryBody::Messages(batch) => (Kind::Messages, batch.count, batch.base_seq),
                EntryBody::Command(_) => (Kind::Command, 0, Seq::ZERO),
            };
            let plain = body_bytes(body);
            if place.large && place.sealer.is_none() && is_lent(plain) {
                out.fill_page(place)?;
            }
            let frame = Frame {
                lsn: out.next_lsn,
                synced: place.synced,
                group: *group,
                kind,
                is_erased: false,
                count,
                term: 1,
                index: *index,
                base_seq,
            };
            let body = sealed(place.sealer, &frame, plain)?;
            out.push(place, &frame, body)?;
            out.entries.push(frame);
        }
        Ok(out)
    }

    fn push(&mut self, place: &Place<'_>, frame: &Frame, body: Bytes) -> Result<(), AppendError> {
        let head = frame.encode(place.seed, &body);
        self.heads
            .push(head.ok_or_else(|| AppendError::Io("entry is too large".into()))?);
        self.total += stride(BODY_AT + body.len()) as u64;
        self.bodies.push(body);
        self.next_lsn += 1;
        Ok(())
    }

    /// A frame that says only what is synced, up to the end of the page: the next begins where its body can be written from
    /// as it is.
    fn fill_page(&mut self, place: &Place<'_>) -> Result<(), AppendError> {
        let gap = match direct_rest(place.at + self.total) {
            0 => return Ok(()),
            rest if rest < BODY_AT => rest + DIRECT_BYTES,
            rest => rest,
        };
        let mark = Frame::mark(self.next_lsn, place.synced);
        self.push(place, &mark, Bytes::from_static(&ZEROS[..gap - BODY_AT]))
    }

    /// What is written: frames one behind the other, each with its padding.
    pub(super) fn parts(&self) -> Vec<&[u8]> {
        let mut parts: Vec<&[u8]> = Vec::with_capacity(self.heads.len() * 3 + 1);
        for (head, body) in self.heads.iter().zip(&self.bodies) {
            let len = BODY_AT + body.len();
            parts.extend([&head[..], body, &ZEROS[..stride(len) - len]]);
        }
        parts
    }
}

/// What an entry holds, as bytes.
pub(super) const fn body_bytes(body: &EntryBody) -> &Bytes {
    match body {
        EntryBody::Messages(batch) => &batch.body,
        EntryBody::Command(body) => body,
    }
}

/// The body of `frame` as it is written: without a key, the bytes themselves.
fn sealed(sealer: Option<&Sealer>, frame: &Frame, body: &Bytes) -> Result<Bytes, AppendError> {
    let Some(sealer) = sealer else {
        return Ok(body.clone());
    };
    let mut out = Vec::with_capacity(body.len() + SEAL_BYTES);
    sealer
        .seal(&frame.place(), body, &mut out)
        .map_err(|e| AppendError::Io(e.to_string()))?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;
    use crate::disk::LENT_BYTES_MIN;
    use crate::journal::frame::Read;
    use crate::record::NewRecord;

    const AT: u64 = 5000;

    fn batch(builder: &mut BatchBuilder, seq: u64) -> EntryBody {
        let record = NewRecord {
            seq: Seq(seq),
            subject: b"a",
            payload: &[7; LENT_BYTES_MIN + DIRECT_BYTES],
            ..NewRecord::default()
        };
        assert!(builder.push(&record));
        EntryBody::Messages(builder.finish())
    }

    fn frames(large: bool) -> Vec<(usize, Kind, u64)> {
        let mut builder = BatchBuilder::default();
        let entries: Vec<_> = (1..4)
            .map(|n| (GroupId(1), LogIndex(n), batch(&mut builder, n)))
            .collect();
        let seed = Seed::new(1, b"salt");
        let place = Place {
            seed: &seed,
            sealer: None,
            at: AT,
            lsn: 10,
            synced: 9,
            large,
        };
        let layout = Layout::new(&place, &entries).unwrap();
        let bytes = layout.parts().concat();
        assert_eq!(bytes.len() as u64, layout.total);
        let (mut found, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let Read::Whole(frame, len) = Frame::read(&seed, &bytes[at..]) else {
                panic!("no frame at {at}");
            };
            assert_eq!(frame.lsn, 10 + found.len() as u64);
            found.push((at, frame.kind, frame.index.0));
            at += stride(len);
        }
        assert_eq!(layout.next_lsn, 10 + found.len() as u64);
        assert_eq!(
            layout.entries.iter().map(|f| f.index.0).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        found
    }

    #[test]
    fn frames_whose_bodies_are_lent_begin_with_a_page() {
        // The memory of the first batch is where it happens to be.
        let found = frames(true);
        let later: Vec<_> = found.iter().filter(|f| f.2 > 1).collect();
        assert_eq!(later.len(), 2);
        for (at, _, index) in later {
            assert_eq!(direct_rest(AT + *at as u64), 0, "entry {index}");
        }
        assert!(found.iter().any(|f| f.1 == Kind::Mark));
        assert_eq!(
            frames(false).len(),
            3,
            "nothing is between the frames of what is copied anyway"
        );
    }

    #[test]
    fn the_rest_of_a_page_that_holds_no_head_takes_the_next_page_as_well() {
        let seed = Seed::new(1, b"salt");
        for (rest, expected) in [
            (0, 0),
            (8, DIRECT_BYTES + 8),
            (56, GAP_BYTES_MAX - 8),
            (64, 64),
            (4088, 4088),
        ] {
            let place = Place {
                seed: &seed,
                sealer: None,
                at: 3 * DIRECT_BYTES as u64 - rest,
                lsn: 2,
                synced: 1,
                large: true,
            };
            let mut layout = Layout::default();
            layout.fill_page(&place).unwrap();
            assert_eq!(layout.total, expected as u64, "{rest} bytes are left");
            assert!(layout.parts().concat().len() == expected);
        }
    }
}
