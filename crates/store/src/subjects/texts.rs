//! Texts of a table in memory, in pieces that are copied when they change while somebody else has them.

use std::sync::Arc;

/// Bytes of a piece, unless a single text is longer.
pub(super) const TEXTS_BYTES: usize = 64 * 1024;

pub(super) fn place(n: u32) -> usize {
    n as usize
}

pub(super) fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Where a text lies.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TextAt {
    piece: u32,
    at: u32,
}

/// Texts, one behind the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) pieces: Vec<Arc<Vec<u8>>>,
    /// Bytes in use.
    pub(super) bytes: usize,
    /// Bytes that the pieces have room for.
    pub(super) room: usize,
}

/// `piece` to be changed: if somebody else has it, a copy with as much room takes its place.
pub(super) fn own<T: Clone>(piece: &mut Arc<Vec<T>>) -> &mut Vec<T> {
    if Arc::get_mut(piece).is_none() {
        let mut copy = Vec::with_capacity(piece.capacity());
        copy.extend_from_slice(piece);
        *piece = Arc::new(copy);
    }
    Arc::make_mut(piece)
}

/// Adds `items` to a piece that is never to have room for more than `max`, unless they alone are more; gives how much room
/// that took.
pub(super) fn extend<T: Clone>(piece: &mut Vec<T>, items: &[T], max: usize) -> usize {
    let before = piece.capacity();
    let len = piece.len() + items.len();
    if len > before {
        piece.reserve_exact((before * 2).min(max).max(len) - piece.len());
    }
    piece.extend_from_slice(items);
    piece.capacity() - before
}

impl Texts {
    /// Adds one behind the others.
    pub(super) fn push(&mut self, text: &[u8]) -> TextAt {
        let fits = |piece: &Arc<Vec<u8>>| piece.len() + text.len() <= TEXTS_BYTES;
        if !self.pieces.last().is_some_and(fits) {
            self.pieces.push(Arc::default());
        }
        let mut at = 0;
        if let Some(piece) = self.pieces.last_mut() {
            at = piece.len();
            self.room += extend(own(piece), text, TEXTS_BYTES);
        }
        self.bytes += text.len();
        TextAt {
            piece: number(self.pieces.len() - 1),
            at: number(at),
        }
    }

    /// The text of this length that lies there.
    pub(super) fn at(&self, text: TextAt, len: usize) -> &[u8] {
        let at = place(text.at);
        let piece = self.pieces.get(place(text.piece));
        piece
            .and_then(|piece| piece.get(at..at + len))
            .unwrap_or_default()
    }

    /// Replaces bytes.
    pub(super) fn set(&mut self, text: TextAt, bytes: &[u8]) {
        let at = place(text.at);
        let piece = self.pieces.get_mut(place(text.piece)).map(own);
        if let Some(there) = piece.and_then(|piece| piece.get_mut(at..at + bytes.len())) {
            there.copy_from_slice(bytes);
        }
    }
}
