//! Entries of a stream's log that are no messages: what changes the stream or its consumers, as bytes. Only encodes and
//! decodes; what a command does is decided before it is written and carried out where it is applied.

use natterjack_store::Seq;

/// First byte of every command: the version of this encoding.
const VERSION: u8 = 1;

/// A run of sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqRange {
    /// The first.
    pub first: Seq,
    /// How many, at least one.
    pub count: u64,
}

/// A change of the stream or its consumers. Consumers are named by a number given when they are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A new configuration of the stream, as JSON.
    Config {
        /// The whole configuration in its stored form.
        json: Vec<u8>,
    },
    /// A purge.
    Purge {
        /// Only these subjects, empty for all.
        filter: Vec<u8>,
        /// Only before this sequence, zero for no bound.
        up_to: Seq,
        /// Leave so many.
        keep: u64,
    },
    /// One message is deleted.
    Delete {
        /// Which.
        seq: Seq,
        /// Overwrite its bytes.
        erase: bool,
    },
    /// Messages whose time is over, ascending.
    Expire {
        /// Which.
        ranges: Vec<SeqRange>,
    },
    /// Sequences up to and including this one are given up: the origin of a mirror does not have them.
    Skip {
        /// The last of them.
        last: Seq,
        /// Time to show as the last message's, nanoseconds.
        ts_ns: i64,
    },
    /// A consumer is made.
    ConsumerCreate {
        /// Its number.
        id: u32,
        /// Its name.
        name: String,
        /// Its configuration in the stored form, JSON.
        config: Vec<u8>,
        /// When, nanoseconds.
        created_ns: i64,
        /// The state it starts with, in the consumer's own encoding.
        state: Vec<u8>,
    },
    /// A consumer's configuration changes.
    ConsumerUpdate {
        /// Its number.
        id: u32,
        /// Its configuration in the stored form, JSON.
        config: Vec<u8>,
        /// What changes of its state, in the consumer's own encoding.
        state: Vec<u8>,
    },
    /// A consumer goes.
    ConsumerDelete {
        /// Its number.
        id: u32,
    },
    /// A consumer starts over.
    ConsumerReset {
        /// Its number.
        id: u32,
        /// The state it starts with, in the consumer's own encoding.
        state: Vec<u8>,
    },
    /// A consumer pauses or goes on.
    ConsumerPause {
        /// Its number.
        id: u32,
        /// Until then, nanoseconds; `None` goes on.
        until_ns: Option<i64>,
    },
    /// What a round did to consumers, and the messages that retention lets go because of it.
    Consumers {
        /// Who wrote it: the leader that did does not apply it to its consumers again.
        epoch: u64,
        /// Consumer numbers with what changed, in the consumer's own encoding.
        deltas: Vec<(u32, Vec<u8>)>,
        /// Messages that go, ascending.
        remove: Vec<SeqRange>,
    },
}

/// Why bytes are no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early or a number in them is out of bounds.
    #[error("command is cut short or malformed")]
    Malformed,
    /// Written by a later version.
    #[error("command of an unknown version or kind")]
    Unknown,
}

/// Writes numbers and byte strings, for commands and checkpoints.
#[derive(Debug, Default)]
pub struct Writer(
    /// What was written.
    pub Vec<u8>,
);

impl Writer {
    /// Appends one byte.
    pub fn byte(&mut self, b: u8) {
        self.0.push(b);
    }

    /// Appends a number, seven bits a byte, the lowest first.
    pub fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(u8::try_from(n & 0x7f).unwrap_or(0) | 0x80);
            n >>= 7;
        }
        self.0.push(u8::try_from(n).unwrap_or(0));
    }

    /// Appends a signed number, small ones in few bytes whatever their sign.
    pub fn signed(&mut self, n: i64) {
        self.number(((n << 1) ^ (n >> 63)).cast_unsigned());
    }

    /// Appends a byte string with its length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Appends runs of sequences, each by its distance from the one before.
    pub fn ranges(&mut self, ranges: &[SeqRange]) {
        self.number(ranges.len() as u64);
        let mut at = 0u64;
        for range in ranges {
            self.number(range.first.0.wrapping_sub(at));
            self.number(range.count);
            at = range.first.0.wrapping_add(range.count);
        }
    }
}

/// Reads what a [`Writer`] wrote; any bytes are answered.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(
    /// What is left.
    pub &'a [u8],
);

impl<'a> Reader<'a> {
    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] at the end.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if it does not end or does not fit.
    pub fn number(&mut self) -> Result<u64, DecodeError> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            let part = u64::from(b & 0x7f);
            if shift == 63 && part > 1 {
                return Err(DecodeError::Malformed);
            }
            n |= part << shift;
            if b & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(DecodeError::Malformed)
    }

    /// A signed number.
    ///
    /// # Errors
    /// As [`Self::number`].
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let n = self.number()?;
        Ok((n >> 1).cast_signed() ^ -((n & 1).cast_signed()))
    }

    /// A number that fits a consumer's.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if it does not.
    pub fn id(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| DecodeError::Malformed)
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if it is longer than what is left.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.number()?).map_err(|_| DecodeError::Malformed)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A text.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if it is no UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Malformed)
    }

    /// How many elements follow, each of at least one byte.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if that cannot be.
    pub fn count(&mut self) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.number()?).map_err(|_| DecodeError::Malformed)?;
        if count > self.0.len() {
            Err(DecodeError::Malformed)
        } else {
            Ok(count)
        }
    }

    /// Runs of sequences.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if they are not ascending or leave the number range.
    pub fn ranges(&mut self) -> Result<Vec<SeqRange>, DecodeError> {
        let count = self.count()?;
        let mut ranges = Vec::with_capacity(count);
        let mut at = 0u64;
        for _ in 0..count {
            let first = at.checked_add(self.number()?).ok_or(DecodeError::Malformed)?;
            let count = self.number()?;
            at = first
                .checked_add(count)
                .filter(|_| count > 0)
                .ok_or(DecodeError::Malformed)?;
            ranges.push(SeqRange {
                first: Seq(first),
                count,
            });
        }
        Ok(ranges)
    }
}

mod kind {
    pub(super) const CONFIG: u8 = 1;
    pub(super) const PURGE: u8 = 2;
    pub(super) const DELETE: u8 = 3;
    pub(super) const EXPIRE: u8 = 4;
    pub(super) const SKIP: u8 = 5;
    pub(super) const CONSUMER_CREATE: u8 = 16;
    pub(super) const CONSUMER_UPDATE: u8 = 17;
    pub(super) const CONSUMER_DELETE: u8 = 18;
    pub(super) const CONSUMER_RESET: u8 = 19;
    pub(super) const CONSUMER_PAUSE: u8 = 20;
    pub(super) const CONSUMERS: u8 = 21;
}

impl Command {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(vec![VERSION]);
        match self {
            Self::Config { json } => {
                out.byte(kind::CONFIG);
                out.bytes(json);
            }
            Self::Purge { filter, up_to, keep } => {
                out.byte(kind::PURGE);
                out.bytes(filter);
                out.number(up_to.0);
                out.number(*keep);
            }
            Self::Delete { seq, erase } => {
                out.byte(kind::DELETE);
                out.number(seq.0);
                out.byte(u8::from(*erase));
            }
            Self::Expire { ranges } => {
                out.byte(kind::EXPIRE);
                out.ranges(ranges);
            }
            Self::Skip { last, ts_ns } => {
                out.byte(kind::SKIP);
                out.number(last.0);
                out.signed(*ts_ns);
            }
            consumer => consumer.encode_consumer(&mut out),
        }
        out.0
    }

    fn encode_consumer(&self, out: &mut Writer) {
        match self {
            Self::ConsumerCreate {
                id,
                name,
                config,
                created_ns,
                state,
            } => {
                out.byte(kind::CONSUMER_CREATE);
                out.number(u64::from(*id));
                out.bytes(name.as_bytes());
                out.bytes(config);
                out.signed(*created_ns);
                out.bytes(state);
            }
            Self::ConsumerUpdate { id, config, state } => {
                out.byte(kind::CONSUMER_UPDATE);
                out.number(u64::from(*id));
                out.bytes(config);
                out.bytes(state);
            }
            Self::ConsumerDelete { id } => {
                out.byte(kind::CONSUMER_DELETE);
                out.number(u64::from(*id));
            }
            Self::ConsumerReset { id, state } => {
                out.byte(kind::CONSUMER_RESET);
                out.number(u64::from(*id));
                out.bytes(state);
            }
            Self::ConsumerPause { id, until_ns } => {
                out.byte(kind::CONSUMER_PAUSE);
                out.number(u64::from(*id));
                out.byte(u8::from(until_ns.is_some()));
                out.signed(until_ns.unwrap_or(0));
            }
            Self::Consumers {
                epoch,
                deltas,
                remove,
            } => {
                out.byte(kind::CONSUMERS);
                out.number(*epoch);
                out.number(deltas.len() as u64);
                for (id, delta) in deltas {
                    out.number(u64::from(*id));
                    out.bytes(delta);
                }
                out.ranges(remove);
            }
            Self::Config { .. }
            | Self::Purge { .. }
            | Self::Delete { .. }
            | Self::Expire { .. }
            | Self::Skip { .. } => {}
        }
    }

    /// The command that `bytes` are.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader(bytes);
        if from.byte()? != VERSION {
            return Err(DecodeError::Unknown);
        }
        let command = match from.byte()? {
            kind::CONFIG => Self::Config {
                json: from.bytes()?.to_vec(),
            },
            kind::PURGE => Self::Purge {
                filter: from.bytes()?.to_vec(),
                up_to: Seq(from.number()?),
                keep: from.number()?,
            },
            kind::DELETE => Self::Delete {
                seq: Seq(from.number()?),
                erase: from.byte()? != 0,
            },
            kind::EXPIRE => Self::Expire {
                ranges: from.ranges()?,
            },
            kind::SKIP => Self::Skip {
                last: Seq(from.number()?),
                ts_ns: from.signed()?,
            },
            consumer => Self::decode_consumer(consumer, &mut from)?,
        };
        if from.0.is_empty() {
            Ok(command)
        } else {
            Err(DecodeError::Malformed)
        }
    }

    fn decode_consumer(kind: u8, from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            kind::CONSUMER_CREATE => Self::ConsumerCreate {
                id: from.id()?,
                name: from.text()?.to_owned(),
                config: from.bytes()?.to_vec(),
                created_ns: from.signed()?,
                state: from.bytes()?.to_vec(),
            },
            kind::CONSUMER_UPDATE => Self::ConsumerUpdate {
                id: from.id()?,
                config: from.bytes()?.to_vec(),
                state: from.bytes()?.to_vec(),
            },
            kind::CONSUMER_DELETE => Self::ConsumerDelete { id: from.id()? },
            kind::CONSUMER_RESET => Self::ConsumerReset {
                id: from.id()?,
                state: from.bytes()?.to_vec(),
            },
            kind::CONSUMER_PAUSE => {
                let id = from.id()?;
                let paused = from.byte()? != 0;
                let until = from.signed()?;
                Self::ConsumerPause {
                    id,
                    until_ns: paused.then_some(until),
                }
            }
            kind::CONSUMERS => {
                let epoch = from.number()?;
                let count = from.count()?;
                let mut deltas = Vec::with_capacity(count);
                for _ in 0..count {
                    deltas.push((from.id()?, from.bytes()?.to_vec()));
                }
                Self::Consumers {
                    epoch,
                    deltas,
                    remove: from.ranges()?,
                }
            }
            _ => return Err(DecodeError::Unknown),
        })
    }
}

/// Joins ascending sequences into runs.
#[must_use]
pub fn runs(seqs: impl IntoIterator<Item = Seq>) -> Vec<SeqRange> {
    let mut ranges: Vec<SeqRange> = Vec::new();
    for seq in seqs {
        match ranges.last_mut() {
            Some(last) if last.first.0 + last.count == seq.0 => last.count += 1,
            _ => ranges.push(SeqRange { first: seq, count: 1 }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests;
