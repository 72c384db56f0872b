//! Commands of a stream's log, beside messages: what changes state and is not a message. A compact binary form of its own
//! version; reading any bytes gives a command or nothing.

use bytes::Bytes;
use natterjack_jsapi::consumer::ConsumerConfig;
use natterjack_jsapi::stream::StreamConfig;
use natterjack_jsapi::{GoTime, json};

use crate::consumer::{Created, put, put_bytes, take, take_bytes};

/// Version of the form.
const VERSION: u8 = 1;

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Another configuration.
    Config(Box<StreamConfig>),
    /// Remove messages.
    Purge {
        /// Only these subjects; empty is all.
        filter: String,
        /// Only before this sequence; 0 is no limit.
        up_to: u64,
        /// Leave so many.
        keep: u64,
    },
    /// Remove one message.
    Delete {
        /// Its sequence.
        seq: u64,
        /// Overwrite its bytes.
        erase: bool,
    },
    /// Remove messages whose time has come.
    Expire {
        /// Runs of sequences, both ends included.
        ranges: Vec<(u64, u64)>,
    },
    /// A new consumer.
    ConsumerCreate(Box<Created>),
    /// Another configuration of a consumer.
    ConsumerUpdate {
        /// The consumer.
        id: u32,
        /// The configuration.
        config: Box<ConsumerConfig>,
    },
    /// A consumer goes.
    ConsumerDelete {
        /// The consumer.
        id: u32,
    },
    /// A consumer pauses until then, or goes on.
    ConsumerPause {
        /// The consumer.
        id: u32,
        /// Until when.
        until: Option<GoTime>,
    },
    /// Sequences are given up: the next message gets the one behind `last`.
    Skip {
        /// The last of them.
        last: u64,
        /// Time stamp of what follows, nanoseconds.
        ts_ns: i64,
    },
    /// What consumers did, and messages that leave because of it.
    Consumers {
        /// Changes by consumer.
        changes: Vec<(u32, Vec<u8>)>,
        /// Runs of sequences to remove, both ends included.
        remove: Vec<(u64, u64)>,
    },
}

fn put_ranges(out: &mut Vec<u8>, ranges: &[(u64, u64)]) {
    put(out, ranges.len() as u64);
    for (first, last) in ranges {
        put(out, *first);
        put(out, *last);
    }
}

fn take_ranges(bytes: &mut &[u8]) -> Option<Vec<(u64, u64)>> {
    let count = usize::try_from(take(bytes)?).ok()?;
    // Each takes 16 bytes: a count that cannot be true is not believed.
    if count > bytes.len() / 16 {
        return None;
    }
    (0..count).map(|_| Some((take(bytes)?, take(bytes)?))).collect()
}

fn take_id(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(take(bytes)?).ok()
}

impl Command {
    /// The command as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        match self {
            Self::Config(config) => {
                out.push(1);
                put_bytes(&mut out, &json::to_vec(&**config));
            }
            Self::Purge { filter, up_to, keep } => {
                out.push(2);
                put_bytes(&mut out, filter.as_bytes());
                put(&mut out, *up_to);
                put(&mut out, *keep);
            }
            Self::Delete { seq, erase } => {
                out.push(3);
                put(&mut out, *seq);
                put(&mut out, u64::from(*erase));
            }
            Self::Expire { ranges } => {
                out.push(4);
                put_ranges(&mut out, ranges);
            }
            Self::ConsumerCreate(created) => {
                out.push(5);
                put(&mut out, u64::from(created.id));
                put_bytes(&mut out, created.name.as_bytes());
                put_bytes(&mut out, &json::to_vec(&created.config));
                put(&mut out, created.created.0.cast_unsigned());
                put_bytes(&mut out, &created.state);
            }
            Self::ConsumerUpdate { id, config } => {
                out.push(6);
                put(&mut out, u64::from(*id));
                put_bytes(&mut out, &json::to_vec(&**config));
            }
            Self::ConsumerDelete { id } => {
                out.push(7);
                put(&mut out, u64::from(*id));
            }
            Self::ConsumerPause { id, until } => {
                out.push(8);
                put(&mut out, u64::from(*id));
                put(&mut out, until.unwrap_or(GoTime::ZERO).0.cast_unsigned());
            }
            Self::Consumers { changes, remove } => {
                out.push(9);
                put_ranges(&mut out, remove);
                put(&mut out, changes.len() as u64);
                for (id, bytes) in changes {
                    put(&mut out, u64::from(*id));
                    put_bytes(&mut out, bytes);
                }
            }
            Self::Skip { last, ts_ns } => {
                out.push(10);
                put(&mut out, *last);
                put(&mut out, ts_ns.cast_unsigned());
            }
        }
        Bytes::from(out)
    }

    /// The command in `bytes`, if they are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<2>()?;
        if head[0] != VERSION {
            return None;
        }
        let bytes = &mut rest;
        Some(match head[1] {
            1 => Self::Config(Box::new(json::from_slice(take_bytes(bytes)?).ok()?)),
            2 => Self::Purge {
                filter: String::from_utf8(take_bytes(bytes)?.to_vec()).ok()?,
                up_to: take(bytes)?,
                keep: take(bytes)?,
            },
            3 => Self::Delete {
                seq: take(bytes)?,
                erase: take(bytes)? != 0,
            },
            4 => Self::Expire {
                ranges: take_ranges(bytes)?,
            },
            5 => Self::ConsumerCreate(Box::new(Created {
                id: take_id(bytes)?,
                name: String::from_utf8(take_bytes(bytes)?.to_vec()).ok()?,
                config: json::from_slice(take_bytes(bytes)?).ok()?,
                created: GoTime(take(bytes)?.cast_signed()),
                state: take_bytes(bytes)?.to_vec(),
            })),
            6 => Self::ConsumerUpdate {
                id: take_id(bytes)?,
                config: Box::new(json::from_slice(take_bytes(bytes)?).ok()?),
            },
            7 => Self::ConsumerDelete { id: take_id(bytes)? },
            8 => Self::ConsumerPause {
                id: take_id(bytes)?,
                until: Some(GoTime(take(bytes)?.cast_signed())).filter(|t| !t.is_zero()),
            },
            9 => {
                let remove = take_ranges(bytes)?;
                let count = take(bytes)?;
                let mut changes = Vec::new();
                for _ in 0..count {
                    changes.push((take_id(bytes)?, take_bytes(bytes)?.to_vec()));
                }
                Self::Consumers { changes, remove }
            }
            10 => Self::Skip {
                last: take(bytes)?,
                ts_ns: take(bytes)?.cast_signed(),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut config = ConsumerConfig {
            name: "c".into(),
            ..ConsumerConfig::default()
        };
        config.metadata.insert("a".into(), "<b>".into());
        let created = Created {
            id: 7,
            name: "c".into(),
            config: config.clone(),
            created: GoTime(5),
            state: vec![1, 2],
        };
        for command in [
            Command::Config(Box::new(StreamConfig {
                name: "S".into(),
                ..StreamConfig::default()
            })),
            Command::Purge {
                filter: "a.*".into(),
                up_to: 5,
                keep: 1,
            },
            Command::Delete { seq: 9, erase: true },
            Command::Expire {
                ranges: vec![(1, 5), (7, 7)],
            },
            Command::ConsumerCreate(Box::new(created)),
            Command::ConsumerUpdate {
                id: 1,
                config: Box::new(config),
            },
            Command::ConsumerDelete { id: 3 },
            Command::ConsumerPause {
                id: 3,
                until: Some(GoTime(9)),
            },
            Command::ConsumerPause { id: 3, until: None },
            Command::Skip { last: 7, ts_ns: -1 },
            Command::Consumers {
                changes: vec![(1, vec![1, 2, 3])],
                remove: vec![(4, 4)],
            },
        ] {
            assert_eq!(Command::decode(&command.encode()), Some(command));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(op in 0u8..12, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut text = vec![VERSION, op];
            text.extend(bytes);
            let _kept = Command::decode(&text);
        }
    }
}
