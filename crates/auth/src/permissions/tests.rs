//! Rules against a model that enumerates subjects over a small alphabet.

use natterjack_subject::matches;
use proptest::prelude::*;

use super::*;

fn rules(allow: Option<&[&str]>, deny: &[&str]) -> SubjectRules {
    let parse = |list: &[&str]| list.iter().map(|t| Rule::parse(t).unwrap()).collect::<Vec<_>>();
    SubjectRules {
        allow: allow.map(parse),
        deny: parse(deny),
    }
}

#[test]
fn publishing() {
    let permissions = Permissions {
        publish: rules(Some(&["a.*", "b"]), &["a.x"]),
        ..Permissions::default()
    };
    assert!(permissions.can_publish(b"a.b") && permissions.can_publish(b"b"));
    assert!(
        !permissions.can_publish(b"a.x")
            && !permissions.can_publish(b"c")
            && !permissions.can_publish(b"a.b.c")
    );
    assert!(Permissions::default().can_publish(b"anything"));
}

#[test]
fn subscribing() {
    let permissions = Permissions {
        subscribe: rules(Some(&["a.>", "q v1.*"]), &["a.secret"]),
        ..Permissions::default()
    };
    use SubscribeVerdict::{Allowed, Denied, Filtered};
    for (subject, queue, expected) in [
        ("a.b", None, Allowed),
        ("a.*", None, Filtered),
        ("a.>", None, Filtered),
        (">", None, Denied),
        ("a.secret", None, Denied),
        ("a.secret", Some("q"), Denied),
        ("q", None, Denied),
        ("q", Some("v1.x"), Allowed),
        ("q", Some("v2.x"), Denied),
        ("a.b", Some("any"), Allowed),
    ] {
        assert_eq!(
            permissions.can_subscribe(subject.as_bytes(), queue.map(str::as_bytes)),
            expected,
            "{subject} {queue:?}"
        );
    }
    assert!(permissions.can_deliver(b"a.b", None) && !permissions.can_deliver(b"a.secret", None));
}

#[test]
fn a_queue_denial_concerns_its_queue_only() {
    let permissions = Permissions {
        subscribe: rules(None, &["a q"]),
        ..Permissions::default()
    };
    assert_eq!(
        permissions.can_subscribe(b"a", Some(b"q")),
        SubscribeVerdict::Denied
    );
    assert_eq!(
        permissions.can_subscribe(b"a", Some(b"p")),
        SubscribeVerdict::Allowed
    );
    assert_eq!(permissions.can_subscribe(b"a", None), SubscribeVerdict::Allowed);
    assert!(!permissions.can_deliver(b"a", Some(b"q")) && permissions.can_deliver(b"a", None));
}

fn filter() -> impl Strategy<Value = String> {
    (
        proptest::collection::vec(prop_oneof!["[ab]", Just("*".to_owned())], 1..3),
        any::<bool>(),
    )
        .prop_map(|(mut tokens, full)| {
            if full {
                tokens.push(">".into());
            }
            tokens.join(".")
        })
}

/// Every literal subject of up to three tokens over the alphabet.
fn universe() -> Vec<String> {
    let letters = ["a", "b", "c"];
    let mut all: Vec<String> = letters.iter().map(|l| (*l).to_owned()).collect();
    for _ in 0..2 {
        let longer: Vec<String> = all
            .iter()
            .flat_map(|s| letters.map(|l| format!("{s}.{l}")))
            .collect();
        all.extend(longer);
    }
    all.sort();
    all.dedup();
    all
}

proptest! {
    #[test]
    fn a_subscription_never_hears_what_is_denied(
        allow in proptest::option::of(proptest::collection::vec(filter(), 1..3)),
        deny in proptest::collection::vec(filter(), 0..3),
        subject in filter(),
    ) {
        let parse = |list: &[String]| list.iter().map(|t| Rule::parse(t).unwrap()).collect::<Vec<_>>();
        let permissions = Permissions {
            subscribe: SubjectRules { allow: allow.as_deref().map(parse), deny: parse(&deny) },
            publish: SubjectRules { allow: allow.as_deref().map(parse), deny: parse(&deny) },
            responses: None,
        };
        let verdict = permissions.can_subscribe(subject.as_bytes(), None);
        for literal in universe() {
            let bytes = literal.as_bytes();
            let in_allow = allow.as_ref().is_none_or(|l| l.iter().any(|f| matches(bytes, f.as_bytes())));
            let in_deny = deny.iter().any(|f| matches(bytes, f.as_bytes()));
            prop_assert_eq!(permissions.can_publish(bytes), in_allow && !in_deny);
            if !matches(bytes, subject.as_bytes()) {
                continue;
            }
            match verdict {
                SubscribeVerdict::Allowed => prop_assert!(in_allow && !in_deny, "{}", literal),
                SubscribeVerdict::Filtered => {
                    prop_assert!(in_allow, "{}", literal);
                    prop_assert_eq!(permissions.can_deliver(bytes, None), !in_deny);
                }
                SubscribeVerdict::Denied => {}
            }
        }
    }
}
