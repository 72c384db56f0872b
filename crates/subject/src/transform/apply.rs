//! Carries a transform out on one subject.

use smallvec::SmallVec;

use super::{Part, Transform};
use crate::matches::matches;

/// FNV-1a, 32 bit: what the peer partitions by.
#[must_use]
pub(super) fn fnv1a<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    pieces.into_iter().flatten().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The subject at hand and its tokens.
struct Seen<'a> {
    subject: &'a [u8],
    tokens: &'a [&'a [u8]],
}

impl Transform {
    /// The subject that `subject` becomes; `None` when the source does not match it.
    pub fn apply(&self, subject: &[u8], random: &mut dyn FnMut() -> u64) -> Option<Vec<u8>> {
        if !matches(subject, &self.source) {
            return None;
        }
        let tokens: SmallVec<[&[u8]; 16]> = crate::token::tokens(subject).collect();
        let seen = Seen {
            subject,
            tokens: &tokens,
        };
        let mut out = Vec::with_capacity(subject.len() + self.destination.len());
        for (n, part) in self.parts.iter().enumerate() {
            if n > 0 {
                out.push(b'.');
            }
            self.push_part(part, &seen, random, &mut out);
        }
        Some(out)
    }

    fn wildcard<'a>(&self, n: usize, tokens: &[&'a [u8]]) -> &'a [u8] {
        let place = n.checked_sub(1).and_then(|n| self.wildcards.get(n));
        tokens
            .get(place.copied().unwrap_or(0))
            .copied()
            .unwrap_or_default()
    }

    fn push_part(&self, part: &Part, seen: &Seen<'_>, random: &mut dyn FnMut() -> u64, out: &mut Vec<u8>) {
        let tokens = seen.tokens;
        match part {
            Part::Literal(text) => out.extend_from_slice(text),
            Part::Wildcard(n) => out.extend_from_slice(self.wildcard(*n, tokens)),
            Part::Partition(buckets, indices) => {
                let hash = if indices.is_empty() {
                    fnv1a([seen.subject])
                } else {
                    fnv1a(indices.iter().map(|n| self.wildcard(*n, tokens)))
                };
                let bucket = if *buckets == 0 { 0 } else { hash % buckets };
                out.extend_from_slice(bucket.to_string().as_bytes());
            }
            Part::Random(buckets) => {
                let draw = if *buckets == 0 {
                    0
                } else {
                    random() % u64::from(*buckets)
                };
                out.extend_from_slice(draw.to_string().as_bytes());
            }
            Part::Split(n, separator) => push_split(self.wildcard(*n, tokens), separator, out),
            Part::SplitFromLeft(n, at) => {
                let token = self.wildcard(*n, tokens);
                push_cut(token, *at, out);
            }
            Part::SplitFromRight(n, at) => {
                let token = self.wildcard(*n, tokens);
                push_cut(token, token.len().saturating_sub(*at), out);
            }
            Part::SliceFromLeft(n, size) => push_slices(self.wildcard(*n, tokens), *size, false, out),
            Part::SliceFromRight(n, size) => push_slices(self.wildcard(*n, tokens), *size, true, out),
            Part::Left(n, len) => {
                let token = self.wildcard(*n, tokens);
                let keep = if *len > 0 && *len < token.len() {
                    *len
                } else {
                    token.len()
                };
                out.extend_from_slice(&token[..keep]);
            }
            Part::Right(n, len) => {
                let token = self.wildcard(*n, tokens);
                let keep = if *len > 0 && *len < token.len() {
                    *len
                } else {
                    token.len()
                };
                out.extend_from_slice(&token[token.len() - keep..]);
            }
            Part::Rest => {
                for (n, token) in tokens.iter().skip(self.full.unwrap_or(tokens.len())).enumerate() {
                    if n > 0 {
                        out.push(b'.');
                    }
                    out.extend_from_slice(token);
                }
            }
        }
    }
}

/// The pieces of `token` between separators as tokens; empty pieces are left out.
fn push_split(token: &[u8], separator: &[u8], out: &mut Vec<u8>) {
    let Ok((token, separator)) =
        std::str::from_utf8(token).and_then(|t| Ok((t, std::str::from_utf8(separator)?)))
    else {
        out.extend_from_slice(token);
        return;
    };
    let mut first = true;
    for piece in token.split(separator).filter(|p| !p.is_empty()) {
        if !first {
            out.push(b'.');
        }
        first = false;
        out.extend_from_slice(piece.as_bytes());
    }
}

/// `token` with a dot at `at`, or unchanged when that would leave a side empty.
fn push_cut(token: &[u8], at: usize, out: &mut Vec<u8>) {
    if at == 0 || at >= token.len() {
        out.extend_from_slice(token);
        return;
    }
    out.extend_from_slice(&token[..at]);
    out.push(b'.');
    out.extend_from_slice(&token[at..]);
}

/// `token` in tokens of `size` bytes; the short one comes last, or first when cut from the right.
fn push_slices(token: &[u8], size: usize, from_right: bool, out: &mut Vec<u8>) {
    if size == 0 || size >= token.len() {
        out.extend_from_slice(token);
        return;
    }
    let short = if from_right { token.len() % size } else { 0 };
    let (head, rest) = token.split_at(short);
    out.extend_from_slice(head);
    for (n, slice) in rest.chunks(size).enumerate() {
        if n > 0 || !head.is_empty() {
            out.push(b'.');
        }
        out.extend_from_slice(slice);
    }
}
