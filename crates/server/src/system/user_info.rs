//! `$SYS.REQ.USER.INFO`: a client asks who the server takes it for.

use natterjack_auth::{Permissions, Rule, SubjectRules};
use serde_json::{Map, Value, json};

use super::server_info;
use crate::conn::Conn;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::Service;

/// Where it is asked.
pub(super) const SUBJECT: &[u8] = b"$SYS.REQ.USER.INFO";

/// Answers.
#[derive(Debug)]
pub(super) struct UserInfo;

impl Service for UserInfo {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let (Some(reply), Some(conn)) = (message.reply, message.from) else {
            return true;
        };
        let body = json!({"server": server_info(&lane.server), "data": data(conn)}).to_string();
        lane.route(&Routed {
            subject: reply,
            body: body.as_bytes(),
            ..Routed::default()
        });
        true
    }
}

fn data(conn: &Conn) -> Value {
    let facts = conn.facts.lock();
    let mut data = Map::new();
    data.insert("user".into(), facts.user.clone().unwrap_or_default().into());
    data.insert("account".into(), facts.account.name.to_string().into());
    data.insert("account_name".into(), facts.account.name.to_string().into());
    if let Some(permissions) = &facts.permissions {
        data.insert("permissions".into(), permissions_json(permissions));
    }
    data.into()
}

fn rule(rule: &Rule) -> String {
    let subject = String::from_utf8_lossy(rule.subject.as_bytes());
    match &rule.queue {
        Some(queue) => format!("{subject} {}", String::from_utf8_lossy(queue.as_bytes())),
        None => subject.into_owned(),
    }
}

fn rules_json(rules: &SubjectRules) -> Value {
    let list = |rules: &[Rule]| rules.iter().map(rule).collect::<Vec<_>>();
    let mut out = Map::new();
    if let Some(allow) = rules.allow.as_deref().filter(|a| !a.is_empty()) {
        out.insert("allow".into(), list(allow).into());
    }
    if !rules.deny.is_empty() {
        out.insert("deny".into(), list(&rules.deny).into());
    }
    out.into()
}

fn permissions_json(permissions: &Permissions) -> Value {
    let mut out = Map::new();
    for (name, rules) in [
        ("publish", &permissions.publish),
        ("subscribe", &permissions.subscribe),
    ] {
        if *rules != SubjectRules::default() {
            out.insert(name.into(), rules_json(rules));
        }
    }
    if let Some(answers) = permissions.responses {
        out.insert(
            "responses".into(),
            json!({"max": answers.max, "ttl": answers.expires_ns}),
        );
    }
    out.into()
}
