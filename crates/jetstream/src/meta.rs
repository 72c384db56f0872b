//! Which streams there are: the machine of the meta group. Says what exists, never what is in it.

use std::collections::BTreeMap;

use bytes::Bytes;
use natterjack_jsapi::stream::StreamConfig;
use natterjack_jsapi::{GoTime, json};
use natterjack_store::GroupId;

use crate::consumer::{put, put_bytes, take, take_bytes};

/// Version of the form.
const VERSION: u8 = 1;
/// The meta group's own id; streams come behind it.
pub const META_GROUP: GroupId = GroupId(1);

/// A stream that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Account it belongs to.
    pub account: String,
    /// Its group, never used twice.
    pub group: GroupId,
    /// When it was made.
    pub created: GoTime,
    /// The configuration it was made with; later ones are in its own log.
    pub config: StreamConfig,
}

/// A change of what exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A stream is made.
    Create(Box<Assignment>),
    /// The stream of a group goes.
    Delete(GroupId),
}

fn put_assignment(out: &mut Vec<u8>, assignment: &Assignment) {
    put_bytes(out, assignment.account.as_bytes());
    put(out, u64::from(assignment.group.0));
    put(out, assignment.created.0.cast_unsigned());
    put_bytes(out, &json::to_vec(&assignment.config));
}

fn take_assignment(bytes: &mut &[u8]) -> Option<Assignment> {
    Some(Assignment {
        account: String::from_utf8(take_bytes(bytes)?.to_vec()).ok()?,
        group: take_group(bytes)?,
        created: GoTime(take(bytes)?.cast_signed()),
        config: json::from_slice(take_bytes(bytes)?).ok()?,
    })
}

fn take_group(bytes: &mut &[u8]) -> Option<GroupId> {
    u32::try_from(take(bytes)?).ok().map(GroupId)
}

impl Change {
    /// The change as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        match self {
            Self::Create(assignment) => {
                out.push(1);
                put_assignment(&mut out, assignment);
            }
            Self::Delete(group) => {
                out.push(2);
                put(&mut out, u64::from(group.0));
            }
        }
        Bytes::from(out)
    }

    /// The change in `bytes`, if they are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<2>()?;
        match head {
            [VERSION, 1] => Some(Self::Create(Box::new(take_assignment(&mut rest)?))),
            [VERSION, 2] => Some(Self::Delete(take_group(&mut rest)?)),
            _ => None,
        }
    }
}

/// All streams of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    streams: BTreeMap<u32, Assignment>,
    next: u32,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            streams: BTreeMap::new(),
            next: META_GROUP.0 + 1,
        }
    }
}

impl Meta {
    /// Id for the next stream.
    #[must_use]
    pub const fn next_group(&self) -> GroupId {
        GroupId(self.next)
    }

    /// What exists, in the order it was made.
    pub fn streams(&self) -> impl Iterator<Item = &Assignment> {
        self.streams.values()
    }

    /// Applies a committed change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Create(assignment) => {
                self.next = self.next.max(assignment.group.0.saturating_add(1));
                self.streams.insert(assignment.group.0, *assignment);
            }
            Change::Delete(group) => {
                self.streams.remove(&group.0);
            }
        }
    }

    /// Everything, for a checkpoint.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put(&mut out, u64::from(self.next));
        put(&mut out, self.streams.len() as u64);
        for assignment in self.streams.values() {
            put_assignment(&mut out, assignment);
        }
        out
    }

    /// Reads what [`Self::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, mut rest) = bytes.split_first()?;
        if version != VERSION {
            return None;
        }
        let mut meta = Self {
            next: take_group(&mut rest)?.0,
            ..Self::default()
        };
        for _ in 0..take(&mut rest)? {
            let assignment = take_assignment(&mut rest)?;
            meta.streams.insert(assignment.group.0, assignment);
        }
        Some(meta)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assignment(group: u32) -> Assignment {
        Assignment {
            account: "$G".into(),
            group: GroupId(group),
            created: GoTime(7),
            config: StreamConfig {
                name: format!("S{group}"),
                ..StreamConfig::default()
            },
        }
    }

    #[test]
    fn ids_are_never_used_twice() {
        let mut meta = Meta::default();
        for _ in 0..2 {
            let group = meta.next_group();
            let change = Change::Create(Box::new(assignment(group.0)));
            assert_eq!(Change::decode(&change.encode()), Some(change.clone()));
            meta.apply(change);
        }
        meta.apply(Change::decode(&Change::Delete(GroupId(3)).encode()).unwrap());
        assert_eq!(meta.streams().count(), 1);
        assert_eq!(meta.next_group(), GroupId(4));
        assert_eq!(Meta::decode(&meta.encode()), Some(meta));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _kept = (Change::decode(&bytes), Meta::decode(&bytes));
        }
    }
}
