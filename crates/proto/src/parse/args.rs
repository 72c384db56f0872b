//! Splits the arguments of a control line in one pass. Never allocates.

use crate::limits::{ARGS_MAX, SIZE_DIGITS_MAX};

/// What a pass over a control line's arguments found.
pub(super) enum Line<'a> {
    /// The whole line: its arguments, the raw argument text, its length as the limit counts it, and the offset behind
    /// the line feed.
    Whole {
        args: Args<'a>,
        text: &'a [u8],
        counted: usize,
        end: usize,
    },
    /// No line feed yet; so many argument bytes so far.
    Partial { len: usize },
}

/// Up to [`ARGS_MAX`] arguments; `count` goes on counting beyond.
pub(super) struct Args<'a> {
    slots: [&'a [u8]; ARGS_MAX],
    pub(super) count: usize,
}

impl<'a> Args<'a> {
    /// The first arguments, as many as there are slots for.
    pub(super) fn as_slice(&self) -> &[&'a [u8]] {
        &self.slots[..self.count.min(ARGS_MAX)]
    }

    fn push(&mut self, arg: &'a [u8]) {
        if let Some(slot) = self.slots.get_mut(self.count) {
            *slot = arg;
        }
        self.count += 1;
    }
}

/// Splits the line that starts at `start` (behind the verb's separator). Separators are space, tab and CR.
#[inline]
pub(super) fn split(input: &[u8], start: usize) -> Line<'_> {
    let mut args = Args {
        slots: [&[]; ARGS_MAX],
        count: 0,
    };
    let begin = skip_blanks(input, start);
    let mut at = begin;
    let mut token = begin;
    let mut inner_cr = false;
    while let Some(&byte) = input.get(at) {
        if byte > b' ' {
            at += 1;
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\r' => {
                if token < at {
                    args.push(&input[token..at]);
                }
                inner_cr |= byte == b'\r' && input.get(at + 1).is_some_and(|&b| b != b'\n');
                token = at + 1;
            }
            b'\n' => {
                if token < at {
                    args.push(&input[token..at]);
                }
                if inner_cr {
                    return resplit(input, begin, at);
                }
                let stop = if at > begin && input[at - 1] == b'\r' {
                    at - 1
                } else {
                    at
                };
                return Line::Whole {
                    args,
                    text: &input[begin..stop],
                    counted: stop - begin,
                    end: at + 1,
                };
            }
            _ => {}
        }
        at += 1;
    }
    Line::Partial {
        len: at.saturating_sub(begin),
    }
}

/// A line with a CR in its middle: the peer then drops the last byte before the line feed, whatever it is.
#[cold]
fn resplit(input: &[u8], begin: usize, newline: usize) -> Line<'_> {
    let text = &input[begin..newline.saturating_sub(1).max(begin)];
    let mut args = Args {
        slots: [&[]; ARGS_MAX],
        count: 0,
    };
    for arg in text
        .split(|b| matches!(b, b' ' | b'\t' | b'\r'))
        .filter(|a| !a.is_empty())
    {
        args.push(arg);
    }
    let counted = newline - begin - usize::from(input[newline - 1] == b'\r');
    Line::Whole {
        args,
        text,
        counted,
        end: newline + 1,
    }
}

/// The offset of the first byte at or behind `at` that is no space or tab.
pub(super) fn skip_blanks(input: &[u8], mut at: usize) -> usize {
    while matches!(input.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

/// A size as the peer reads it: one to nine decimal digits.
pub(super) fn size(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > SIZE_DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0usize, |n, &d| {
        d.is_ascii_digit().then(|| n * 10 + usize::from(d - b'0'))
    })
}

/// The raw line behind a verb whose arguments are not split (JSON and texts).
pub(super) enum Raw<'a> {
    /// Text without line end, its length as the limit counts it, and the offset behind the line feed.
    Whole {
        text: &'a [u8],
        counted: usize,
        end: usize,
    },
    /// No line feed yet; so many bytes so far.
    Partial { len: usize },
}

/// Finds the raw line that starts at `start`.
pub(super) fn raw(input: &[u8], start: usize) -> Raw<'_> {
    let begin = skip_blanks(input, start);
    let rest = input.get(begin..).unwrap_or_default();
    let Some(newline) = memchr::memchr(b'\n', rest) else {
        return Raw::Partial { len: rest.len() };
    };
    let line = &rest[..newline];
    let dropped = usize::from(memchr::memchr(b'\r', line).is_some());
    let counted = newline - usize::from(line.last() == Some(&b'\r'));
    Raw::Whole {
        text: &line[..newline - dropped],
        counted,
        end: begin + newline + 1,
    }
}
