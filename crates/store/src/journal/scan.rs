//! Finding frames in the journal's files, and putting single flipped bits right. Decides nothing about what counts.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::files::{self, FRAMES_AT, Headers, Salt};
use super::frame::{BODY_AT, Frame, Kind, Read, Seed, stride};
use crate::disk::{Disk, DiskFile};
use crate::record;
use crate::seal::{Sealer, Vault};

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
    /// Head and body as they are on disk; empty once it is known that they are there to stay.
    pub(crate) bytes: Bytes,
    /// The body, decrypted; empty if it cannot be, and with `source`.
    pub(crate) body: Bytes,
    /// Where it can be read again, if it is as it was written.
    pub(crate) source: Option<Arc<Source>>,
    /// Bytes of head and body.
    pub(crate) len: usize,
    pub(crate) file: u64,
    /// The entry that its file begins with.
    pub(crate) file_first: u64,
    pub(crate) offset: u64,
    pub(crate) how: How,
}

/// A file of the journal, open, to read entries again.
#[derive(Debug)]
pub(crate) struct Source {
    file: Arc<dyn DiskFile>,
    codec: Codec,
}

impl Source {
    /// The body of frame `lsn`, which takes `len` bytes at `at`, decrypted; `None` unless it is there as it was written.
    pub(crate) fn body(&self, lsn: u64, at: u64, len: usize) -> Option<Bytes> {
        let bytes = crate::disk::read_exact(self.file.as_ref(), at, len as u64)?;
        let frame = match Frame::read(&self.codec.seed, &bytes) {
            Read::Whole(frame, found) if frame.lsn == lsn && found == len => frame,
            Read::Whole(..) | Read::Damaged(..) | Read::Nothing => return None,
        };
        match open_body(&self.codec, frame, &bytes, How::Whole) {
            (Some(body), How::Whole) => Some(body),
            (None, How::Whole) => Some(Bytes::from(bytes).slice(BODY_AT..)),
            (_, How::Mended | How::Guessed | How::Broken) => None,
        }
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
pub(crate) struct Scan<'a> {
    vault: Option<&'a Vault>,
    pub(crate) found: Vec<Found>,
    pub(crate) notes: Vec<Note>,
    /// Files to which nothing was written under the names they have.
    pub(crate) unused: Vec<u64>,
    /// Files that are encrypted.
    pub(crate) sealed: Vec<u64>,
    /// The frame that the oldest file begins with.
    pub(crate) first_lsn: Option<u64>,
    /// The file before, and its last frame.
    before: Option<(u64, u64)>,
    last_lsn: u64,
    /// How many of those found are known to stay.
    settled: usize,
}

/// A frame as found: where its body is.
struct Place {
    frame: Frame,
    len: usize,
    at: usize,
    how: How,
    /// What the body says, if it is encrypted.
    opened: Option<Bytes>,
}

/// Checksums and key of a file.
#[derive(Debug)]
struct Codec {
    seed: Seed,
    sealer: Option<Sealer>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(vault: Option<&'a Vault>) -> Self {
        Self {
            vault,
            ..Self::default()
        }
    }

    fn codec(&mut self, id: u64, header: &files::Header) -> io::Result<Codec> {
        let sealer = match (header.salt, self.vault) {
            (Salt::Plain(_), _) => None,
            (Salt::Sealed(key), Some(vault)) => vault.open(&key, &files::purpose(id)),
            (Salt::Sealed(_), None) => None,
        };
        if sealer.is_none() && matches!(header.salt, Salt::Sealed(_)) {
            return Err(files::sealed_with_another_key(id));
        }
        self.sealed.extend(sealer.is_some().then_some(id));
        Ok(Codec {
            seed: header.seed(),
            sealer,
        })
    }

    pub(crate) fn file(&mut self, disk: &dyn Disk, dir: &Path, id: u64) -> io::Result<()> {
        let name = files::name(id);
        let file = disk.open_existing(&dir.join(&name))?;
        let mut content = crate::disk::read_open(file.as_ref())?;
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
        let codec = self.codec(id, &header)?;
        let places = self.frames(id, &header, &codec, &mut content);
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
        let source = Arc::new(Source { file, codec });
        self.found.extend(places.into_iter().map(|p| {
            let is_whole = p.how == How::Whole;
            let body = p.opened.filter(|_| !is_whole);
            Found {
                frame: p.frame,
                bytes: content.slice(p.at..p.at + p.len),
                body: body.unwrap_or_else(|| content.slice(p.at + BODY_AT..p.at + p.len)),
                source: is_whole.then(|| Arc::clone(&source)),
                len: p.len,
                file: id,
                file_first: header.first_lsn,
                offset: p.at as u64,
                how: p.how,
            }
        }));
        self.settle();
        Ok(())
    }

    /// Lets go of the bytes of frames that are on disk for sure, as later ones say, and copies the others, so that the file
    /// they lie in is not held for them: no more than one file is in memory.
    fn settle(&mut self) {
        let synced = self.found.iter().map(|f| f.frame.synced).max().unwrap_or(0);
        for found in &mut self.found[self.settled..] {
            if found.source.is_none() {
                found.body = Bytes::copy_from_slice(&found.body);
            } else {
                found.body = Bytes::new();
            }
            found.bytes = if found.frame.lsn <= synced {
                Bytes::new()
            } else {
                Bytes::copy_from_slice(&found.bytes)
            };
        }
        let open = self.found[self.settled..]
            .iter()
            .position(|f| !f.bytes.is_empty());
        self.settled = open.map_or(self.found.len(), |n| self.settled + n);
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

    fn frames(&mut self, id: u64, header: &files::Header, codec: &Codec, content: &mut [u8]) -> Vec<Place> {
        let seed = &codec.seed;
        let mut at = usize::try_from(FRAMES_AT).unwrap_or(usize::MAX);
        let mut expected = header.first_lsn;
        let mut places = Vec::new();
        while at + BODY_AT <= content.len() {
            let Some(place) = read_at(codec, &mut content[at..], at, expected) else {
                let Some(next) = next_frame(seed, content, at + record::ALIGN) else {
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
fn read_at(codec: &Codec, bytes: &mut [u8], at: usize, expected: u64) -> Option<Place> {
    let seed = &codec.seed;
    let place = |bytes: &[u8], frame, len, how| {
        let (opened, how) = open_body(codec, frame, &bytes[..len], how);
        Some(Place {
            frame,
            len,
            at,
            how,
            opened,
        })
    };
    match Frame::read(seed, bytes) {
        Read::Whole(frame, len) => return place(bytes, frame, len, How::Whole),
        Read::Damaged(frame, len) => {
            let how = mend_body(codec, bytes, frame, len);
            return place(bytes, frame, len, how);
        }
        Read::Nothing => {}
    }
    let before = *bytes.first_chunk::<BODY_AT>()?;
    if before.iter().any(|b| *b != 0) && Frame::mend_head(seed, bytes) {
        match Frame::read(seed, bytes) {
            // What is taken for a head with one wrong bit must also be the one that is due.
            Read::Whole(frame, len) if frame.lsn == expected => {
                return place(bytes, frame, len, How::Mended);
            }
            Read::Whole(..) | Read::Damaged(..) | Read::Nothing => {
                bytes[..BODY_AT].copy_from_slice(&before);
            }
        }
    }
    None
}

/// Decrypts the body of a frame, where there is one. A text that opens is what was written, whatever a checksum says.
fn open_body(codec: &Codec, frame: Frame, bytes: &[u8], how: How) -> (Option<Bytes>, How) {
    let body = bytes.get(BODY_AT..).unwrap_or_default();
    let empty = frame.kind == Kind::Mark || frame.is_erased;
    let Some(sealer) = codec.sealer.as_ref().filter(|_| !empty) else {
        return (None, how);
    };
    match sealer.open(&frame.place(), body) {
        Some(text) if how == How::Guessed => (Some(text.into()), How::Mended),
        Some(text) => (Some(text.into()), how),
        None => (Some(Bytes::new()), How::Broken),
    }
}

fn mend_body(codec: &Codec, bytes: &mut [u8], frame: Frame, len: usize) -> How {
    let small = len <= COMMAND_MEND_BYTES_MAX;
    let sealed = codec.sealer.is_some();
    if frame.kind != Kind::Messages && !small && !sealed {
        return How::Broken;
    }
    let Some((at, bit)) = Frame::mend_body(&codec.seed, bytes, len) else {
        return How::Broken;
    };
    if sealed && frame.kind != Kind::Mark {
        // Whether it was the right bit shows when the body is decrypted.
        return How::Guessed;
    }
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
