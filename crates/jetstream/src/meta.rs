//! Which streams there are: the machine of the meta group. Says what exists, never what is in it.

use std::collections::BTreeMap;

use bytes::Bytes;
use natterjack_jsapi::request::Template;
use natterjack_jsapi::stream::StreamConfig;
use natterjack_jsapi::{GoTime, json};
use natterjack_store::GroupId;

use crate::consumer::{put, put_bytes, take, take_bytes};

/// Version of the form.
const VERSION: u8 = 1;
/// Version of a list that has templates.
const VERSION_TEMPLATES: u8 = 2;
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
    /// The template that made it; empty for none.
    pub template: String,
}

/// What makes a stream of its own for every subject that is published to.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateOf {
    /// Account it belongs to.
    pub account: String,
    /// The template.
    pub template: Template,
}

/// A change of what exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A stream is made.
    Create(Box<Assignment>),
    /// The stream of a group goes.
    Delete(GroupId),
    /// A template is made.
    CreateTemplate(Box<TemplateOf>),
    /// The template of this account and name goes; its streams are deleted one by one.
    DeleteTemplate(String, String),
}

fn put_assignment(out: &mut Vec<u8>, assignment: &Assignment) {
    put_bytes(out, assignment.account.as_bytes());
    put(out, u64::from(assignment.group.0));
    put(out, assignment.created.0.cast_unsigned());
    put_bytes(out, &json::to_vec(&assignment.config));
}

fn take_assignment(bytes: &mut &[u8]) -> Option<Assignment> {
    Some(Assignment {
        account: take_text(bytes)?,
        group: take_group(bytes)?,
        created: GoTime(take(bytes)?.cast_signed()),
        config: json::from_slice(take_bytes(bytes)?).ok()?,
        template: String::new(),
    })
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_bytes(bytes)?.to_vec()).ok()
}

fn put_template(out: &mut Vec<u8>, of: &TemplateOf) {
    put_bytes(out, of.account.as_bytes());
    put_bytes(out, &json::to_vec(&of.template));
}

fn take_template(bytes: &mut &[u8]) -> Option<TemplateOf> {
    Some(TemplateOf {
        account: take_text(bytes)?,
        template: json::from_slice(take_bytes(bytes)?).ok()?,
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
                let made = !assignment.template.is_empty();
                out.push(if made { 5 } else { 1 });
                put_assignment(&mut out, assignment);
                if made {
                    put_bytes(&mut out, assignment.template.as_bytes());
                }
            }
            Self::Delete(group) => {
                out.push(2);
                put(&mut out, u64::from(group.0));
            }
            Self::CreateTemplate(of) => {
                out.push(3);
                put_template(&mut out, of);
            }
            Self::DeleteTemplate(account, name) => {
                out.push(4);
                put_bytes(&mut out, account.as_bytes());
                put_bytes(&mut out, name.as_bytes());
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
            [VERSION, 3] => Some(Self::CreateTemplate(Box::new(take_template(&mut rest)?))),
            [VERSION, 4] => Some(Self::DeleteTemplate(take_text(&mut rest)?, take_text(&mut rest)?)),
            [VERSION, 5] => {
                let mut assignment = take_assignment(&mut rest)?;
                assignment.template = take_text(&mut rest)?;
                Some(Self::Create(Box::new(assignment)))
            }
            _ => None,
        }
    }
}

/// All streams of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    streams: BTreeMap<u32, Assignment>,
    /// Templates by account and name.
    templates: BTreeMap<(String, String), TemplateOf>,
    next: u32,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            streams: BTreeMap::new(),
            templates: BTreeMap::new(),
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

    /// Templates, by account and name.
    pub fn templates(&self) -> impl Iterator<Item = &TemplateOf> {
        self.templates.values()
    }

    /// A template by account and name.
    #[must_use]
    pub fn template(&self, account: &str, name: &str) -> Option<&Template> {
        let key = (account.to_owned(), name.to_owned());
        self.templates.get(&key).map(|of| &of.template)
    }

    /// Names of the streams that a template made and that are still there, in the order they were made.
    #[must_use]
    pub fn made_by(&self, account: &str, name: &str) -> Vec<String> {
        let made = self
            .streams()
            .filter(|a| a.account == account && a.template == name);
        made.map(|a| a.config.name.clone()).collect()
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
            Change::CreateTemplate(of) => {
                let key = (of.account.clone(), of.template.name.clone());
                self.templates.insert(key, *of);
            }
            Change::DeleteTemplate(account, name) => {
                self.templates.remove(&(account, name));
            }
        }
    }

    /// Everything, for a checkpoint.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION_TEMPLATES];
        put(&mut out, u64::from(self.next));
        put(&mut out, self.streams.len() as u64);
        for assignment in self.streams.values() {
            put_assignment(&mut out, assignment);
            put_bytes(&mut out, assignment.template.as_bytes());
        }
        put(&mut out, self.templates.len() as u64);
        for of in self.templates.values() {
            put_template(&mut out, of);
        }
        out
    }

    /// Reads what [`Self::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, mut rest) = bytes.split_first()?;
        if !(VERSION..=VERSION_TEMPLATES).contains(&version) {
            return None;
        }
        let has_templates = version == VERSION_TEMPLATES;
        let mut meta = Self {
            next: take_group(&mut rest)?.0,
            ..Self::default()
        };
        for _ in 0..take(&mut rest)? {
            let mut assignment = take_assignment(&mut rest)?;
            if has_templates {
                assignment.template = take_text(&mut rest)?;
            }
            meta.streams.insert(assignment.group.0, assignment);
        }
        if has_templates {
            for _ in 0..take(&mut rest)? {
                let of = take_template(&mut rest)?;
                meta.apply(Change::CreateTemplate(Box::new(of)));
            }
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
            template: String::new(),
        }
    }

    #[test]
    fn templates_know_what_they_made() {
        let mut meta = Meta::default();
        let of = TemplateOf {
            account: "$G".into(),
            template: Template {
                name: "t".into(),
                max_streams: 4,
                ..Template::default()
            },
        };
        let made = Assignment {
            template: "t".into(),
            ..assignment(2)
        };
        let changes = [
            Change::CreateTemplate(Box::new(of)),
            Change::Create(Box::new(made)),
            Change::Create(Box::new(assignment(3))),
        ];
        for change in changes {
            assert_eq!(Change::decode(&change.encode()), Some(change.clone()));
            meta.apply(change);
        }
        assert_eq!(meta.made_by("$G", "t"), ["S2"]);
        assert_eq!(meta.template("$G", "t").map(|t| t.max_streams), Some(4));
        assert_eq!(Meta::decode(&meta.encode()), Some(meta.clone()));
        let gone = Change::DeleteTemplate("$G".into(), "t".into());
        meta.apply(Change::decode(&gone.encode()).unwrap());
        assert_eq!(meta.templates().count(), 0);
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
