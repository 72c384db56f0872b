//! The table against a list that is searched by brute force.

use proptest::prelude::*;

use super::*;
use crate::matches::matches;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sub {
    id: u32,
    subject: String,
    queue: Option<String>,
}

impl Subscriber for Sub {
    type Id = u32;

    fn id(&self) -> u32 {
        self.id
    }

    fn subject(&self) -> &[u8] {
        self.subject.as_bytes()
    }

    fn queue(&self) -> Option<&[u8]> {
        self.queue.as_deref().map(str::as_bytes)
    }
}

pub(super) fn sub(id: u32, subject: &str, queue: Option<&str>) -> Sub {
    Sub {
        id,
        subject: subject.into(),
        queue: queue.map(Into::into),
    }
}

fn ids(found: &MatchSet<Sub>) -> (Vec<u32>, Vec<(String, Vec<u32>)>) {
    let mut plain: Vec<u32> = found.plain.iter().map(|s| s.id).collect();
    plain.sort_unstable();
    let mut queues: Vec<(String, Vec<u32>)> = found
        .queues
        .iter()
        .map(|q| {
            let mut members: Vec<u32> = q.members.iter().map(|s| s.id).collect();
            members.sort_unstable();
            (String::from_utf8_lossy(&q.name).into_owned(), members)
        })
        .collect();
    queues.sort();
    (plain, queues)
}

fn brute(subs: &[Sub], subject: &str) -> (Vec<u32>, Vec<(String, Vec<u32>)>) {
    let mut set = MatchSet::default();
    for s in subs
        .iter()
        .filter(|s| matches(subject.as_bytes(), s.subject.as_bytes()))
    {
        match &s.queue {
            None => set.plain.push(s.clone()),
            Some(q) => match set
                .queues
                .iter_mut()
                .find(|m: &&mut QueueMatch<Sub>| *m.name == *q.as_bytes())
            {
                Some(m) => m.members.push(s.clone()),
                None => set.queues.push(QueueMatch {
                    name: q.as_bytes().into(),
                    members: vec![s.clone()],
                }),
            },
        }
    }
    ids(&set)
}

#[test]
fn wildcards_and_groups() {
    let mut list = Sublist::new();
    for s in [
        sub(1, "a.b", None),
        sub(2, "a.*", None),
        sub(3, "a.>", Some("q")),
        sub(4, ">", None),
        sub(5, "a.b", Some("q")),
        sub(6, "*.b.c", None),
    ] {
        list.insert(s).unwrap();
    }
    assert_eq!(
        ids(&list.matches(b"a.b")),
        (vec![1, 2, 4], vec![("q".into(), vec![3, 5])])
    );
    assert_eq!(
        ids(&list.matches(b"a.b.c")),
        (vec![4, 6], vec![("q".into(), vec![3])])
    );
    assert_eq!(ids(&list.matches(b"x")), (vec![4], vec![]));
    assert!(
        list.matches(b"a..b").is_empty() && list.matches(b"").is_empty() && list.matches(b"a.").is_empty()
    );
    assert!(list.insert(sub(7, "a..b", None)).is_err());
    assert!(list.has_interest(b"z") && list.remove(&sub(4, ">", None)) && !list.has_interest(b"z"));
    assert_eq!(list.len(), 5);
}

#[test]
fn changes_show_at_once_and_move_the_generation() {
    let mut list = Sublist::new();
    let before = list.generation();
    list.insert(sub(1, "a.*", None)).unwrap();
    assert_ne!(before, list.generation());
    assert_eq!(list.matches(b"a.x").plain.len(), 1);
    list.insert(sub(2, "a.x", None)).unwrap();
    assert_eq!(list.matches(b"a.x").plain.len(), 2);
    assert!(list.remove(&sub(1, "a.*", None)));
    assert_eq!(list.matches(b"a.x").plain.len(), 1);
    let stats = list.stats();
    assert_eq!(
        (stats.num_subscriptions, stats.num_inserts, stats.num_removes),
        (1, 2, 1)
    );
}

#[test]
fn a_very_long_subject_is_no_danger() {
    let mut list = Sublist::new();
    let wild = vec!["*"; 20_000].join(".");
    list.insert(sub(1, &wild, None)).unwrap();
    let literal = vec!["a"; 20_000].join(".");
    assert_eq!(list.matches(literal.as_bytes()).plain.len(), 1);
    assert!(list.remove(&sub(1, &wild, None)) && list.is_empty());
}

#[test]
fn the_cache_is_bounded() {
    let mut list = Sublist::new();
    list.insert(sub(1, ">", None)).unwrap();
    for n in 0..5_000 {
        assert_eq!(list.matches(format!("s.{n}").as_bytes()).plain.len(), 1);
    }
    assert!(list.stats().num_cache <= cache::ENTRIES_MAX);
}

fn filter() -> impl Strategy<Value = String> {
    (
        proptest::collection::vec(prop_oneof!["[ab]", Just("*".to_owned())], 1..5),
        any::<bool>(),
    )
        .prop_map(|(mut tokens, full)| {
            if full {
                tokens.push(">".into());
            }
            tokens.join(".")
        })
}

#[derive(Debug, Clone)]
enum Step {
    Insert(String, Option<String>),
    Remove(prop::sample::Index),
    RemoveMany(u8),
    Ask(String),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (filter(), proptest::option::of("[pq]")).prop_map(|(f, q)| Step::Insert(f, q)),
        2 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => any::<u8>().prop_map(Step::RemoveMany),
        6 => proptest::collection::vec("[abc]", 1..6).prop_map(|t| Step::Ask(t.join("."))),
    ]
}

proptest! {
    #[test]
    fn agrees_with_brute_force(steps in proptest::collection::vec(step(), 1..80), cache in any::<bool>()) {
        let mut list = Sublist::with_cache(cache);
        let mut model: Vec<Sub> = Vec::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Insert(subject, queue) => {
                    next += 1;
                    let s = Sub { id: next, subject, queue };
                    list.insert(s.clone()).unwrap();
                    model.push(s);
                }
                Step::Remove(which) if !model.is_empty() => {
                    let s = model.swap_remove(which.index(model.len()));
                    prop_assert!(list.remove(&s));
                    prop_assert!(!list.remove(&s));
                }
                Step::Remove(_) => {}
                Step::RemoveMany(n) => {
                    let keep = model.len().saturating_sub(usize::from(n) % 8);
                    let gone = model.split_off(keep);
                    prop_assert_eq!(list.remove_batch(&gone), gone.len());
                }
                Step::Ask(subject) => {
                    let expected = brute(&model, &subject);
                    prop_assert_eq!(ids(&list.matches(subject.as_bytes())), expected.clone());
                    let mut out = MatchSet::default();
                    list.match_into(subject.as_bytes(), &mut out);
                    prop_assert_eq!(ids(&out), expected.clone());
                    prop_assert_eq!(list.has_interest(subject.as_bytes()), expected != (vec![], vec![]));
                }
            }
            prop_assert_eq!(list.len(), model.len());
        }
        let mut seen = 0;
        list.all(&mut |_| seen += 1);
        prop_assert_eq!(seen, model.len());
    }
}
