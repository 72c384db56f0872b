//! Finding frames in the journal's files, and putting single flipped bits right. Decides nothing about what counts.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::files::{self, FRAMES_AT, Headers};
use super::frame::{BODY_AT, Frame, Kind, Read, Seed, stride};
use crate::disk::Disk;
use crate::record;

/// Commands longer than this are not put right: the longer the text, the likelier that one bit mends other damage too.
const COMMAND_MEND_BYTES_MAX: usize = 4096 + BODY_AT;

/// How a frame was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// As it was written.
    Whole,
    /// With a bit turned back, and other checksums agree.
    Mended,
    /// With a bit turned back, and nothing else says that it is right.
    Guessed,
    /// The head is right, the body is not.
    Broken,
}

/// A frame in a file.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) frame: Frame,
    /// Head and body.
    pub(crate) bytes: Bytes,
    pub(crate) file: u64,
    pub(crate) offset: u64,
    pub(crate) how: How,
}

impl Found {
    pub(crate) fn body(&self) -> Bytes {
        self.bytes.slice(BODY_AT..)
    }
}

/// Something is not right, provided that frame `behind` was not the last on disk.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) file: u64,
    pub(crate) text: String,
    pub(crate) behind: u64,
    /// Whether anything may be gone.
    pub(crate) lossy: bool,
}

/// What reading the files has found so far.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) found: Vec<Found>,
    pub(crate) notes: Vec<Note>,
    /// Files to which nothing was written under the names they have.
    pub(crate) unused: Vec<u64>,
    /// The frame that the oldest file begins with.
    pub(crate) first_lsn: Option<u64>,
    /// The file before, and its last frame.
    before: Option<(u64, u64)>,
    last_lsn: u64,
}

/// A frame as found: where its body is.
struct Place {
    frame: Frame,
    len: usize,
    at: usize,
    how: How,
}

impl Scan {
    pub(crate) fn file(&mut self, disk: &dyn Disk, dir: &Path, id: u64) -> io::Result<()> {
        let name = files::name(id);
        let mut content = crate::disk::read_file(disk, &dir.join(&name))?;
        let (header, broken) = match files::read_headers(id, &content) {
            Headers::Found(header, broken) => (header, broken),
            Headers::Unused => {
                self.unused.push(id);
                return Ok(());
            }
            Headers::Damaged => {
                self.before = None;
                let rest = usize::try_from(FRAMES_AT).unwrap_or(usize::MAX);
                if content.get(rest..).is_some_and(|c| c.iter().any(|b| *b != 0)) {
                    self.note(
                        id,
                        format!("journal {name}: no header verifies; it cannot be read"),
                        true,
                    );
                }
                return Ok(());
            }
        };
        self.first_lsn.get_or_insert(header.first_lsn);
        let places = self.frames(id, &header, &mut content);
        // Both were on disk before the first frame.
        if broken && !places.is_empty() {
            self.note(
                id,
                format!("journal {name}: one of two headers does not verify"),
                false,
            );
        }
        if let Some((before, last)) = self.before.filter(|b| b.0 + 1 == id && b.1 < header.follows) {
            let text = format!(
                "journal {}: entries {} to {} are missing at its end",
                files::name(before),
                last + 1,
                header.follows
            );
            self.note(before, text, true);
        }
        let last = places.last().map_or(header.follows, |p| p.frame.lsn);
        self.before = Some((id, last));
        let content = Bytes::from(content);
        self.found.extend(places.into_iter().map(|p| Found {
            frame: p.frame,
            bytes: content.slice(p.at..p.at + p.len),
            file: id,
            offset: p.at as u64,
            how: p.how,
        }));
        Ok(())
    }

    /// What is known to be damaged whatever comes behind it.
    fn note(&mut self, file: u64, text: String, lossy: bool) {
        self.notes.push(Note {
            file,
            text,
            behind: 0,
            lossy,
        });
    }

    fn frames(&mut self, id: u64, header: &files::Header, content: &mut [u8]) -> Vec<Place> {
        let seed = header.seed();
        let mut at = usize::try_from(FRAMES_AT).unwrap_or(usize::MAX);
        let mut expected = header.first_lsn;
        let mut places = Vec::new();
        while at + BODY_AT <= content.len() {
            let Some(place) = read_at(&seed, &mut content[at..], at, expected) else {
                let Some(next) = next_frame(&seed, content, at + record::ALIGN) else {
                    break;
                };
                self.notes.push(Note {
                    file: id,
                    text: format!(
                        "journal {}: {} bytes at {at} do not verify",
                        files::name(id),
                        next - at
                    ),
                    behind: self.last_lsn.max(expected.saturating_sub(1)),
                    lossy: true,
                });
                at = next;
                continue;
            };
            expected = place.frame.lsn + 1;
            self.last_lsn = place.frame.lsn;
            at += stride(place.len);
            places.push(place);
        }
        places
    }
}

/// The frame at the start of `bytes`, which lie at `at` of the file; single flipped bits are turned back.
fn read_at(seed: &Seed, bytes: &mut [u8], at: usize, expected: u64) -> Option<Place> {
    let place = |frame, len, how| Some(Place { frame, len, at, how });
    match Frame::read(seed, bytes) {
        Read::Whole(frame, len) => return place(frame, len, How::Whole),
        Read::Damaged(frame, len) => return place(frame, len, mend_body(seed, bytes, frame, len)),
        Read::Nothing => {}
    }
    let before = *bytes.first_chunk::<BODY_AT>()?;
    if before.iter().any(|b| *b != 0) && Frame::mend_head(seed, bytes) {
        match Frame::read(seed, bytes) {
            // What is taken for a head with one wrong bit must also be the one that is due.
            Read::Whole(frame, len) if frame.lsn == expected => return place(frame, len, How::Mended),
            Read::Whole(..) | Read::Damaged(..) | Read::Nothing => {
                bytes[..BODY_AT].copy_from_slice(&before);
            }
        }
    }
    None
}

fn mend_body(seed: &Seed, bytes: &mut [u8], frame: Frame, len: usize) -> How {
    let small = len <= COMMAND_MEND_BYTES_MAX;
    if frame.kind != Kind::Messages && !small {
        return How::Broken;
    }
    let Some((at, bit)) = Frame::mend_body(seed, bytes, len) else {
        return How::Broken;
    };
    if frame.kind != Kind::Messages {
        return How::Guessed;
    }
    // Every record has a checksum of its own: if all of them agree, the bit was the right one.
    let (mut count, mut end) = (0u64, 0);
    for (place, view) in record::iterate(&bytes[BODY_AT..len]) {
        count += 1;
        end = place + view.stride();
    }
    if count == u64::from(frame.count) && end == len - BODY_AT {
        return How::Mended;
    }
    bytes[at] ^= 1 << bit;
    How::Broken
}

/// The next place at or behind `at` where a frame of this file verifies, at least its head.
pub(super) fn next_frame(seed: &Seed, content: &[u8], mut at: usize) -> Option<usize> {
    while at + BODY_AT <= content.len() {
        // Nothing but zeros follows in a file that was never full.
        if content[at..].iter().take(4096).all(|b| *b == 0) {
            let skip = content[at..].iter().position(|b| *b != 0)?;
            at += skip / record::ALIGN * record::ALIGN;
        }
        if Frame::read(seed, content.get(at..)?) != Read::Nothing {
            return Some(at);
        }
        at += record::ALIGN;
    }
    None
}
