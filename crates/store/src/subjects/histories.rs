//! All sequences of each subject, for streams that bound how many messages a subject keeps to more than one: which message
//! is the oldest of a subject is asked there all the time. Subjects are told apart by two hashes of 64 bits with seeds of
//! this process; who removes a message by what is found here looks whether it is of the subject.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::HashMap;

use super::Hasher;
use crate::ids::Seq;

#[derive(Debug)]
struct History {
    oldest: u64,
    /// Ascending; most subjects of most streams have none.
    rest: VecDeque<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Histories {
    second: Hasher,
    of: HashMap<(u64, u64), History, Hasher>,
}

impl Histories {
    fn key(&self, subject: &[u8], hash: u64) -> (u64, u64) {
        (hash, self.second.hash_one(subject))
    }

    pub(super) fn push(&mut self, subject: &[u8], hash: u64, seq: Seq) {
        let key = self.key(subject, hash);
        self.of
            .entry(key)
            .and_modify(|h| h.rest.push_back(seq.0))
            .or_insert_with(|| History {
                oldest: seq.0,
                rest: VecDeque::new(),
            });
    }

    pub(super) fn remove(&mut self, subject: &[u8], hash: u64, seq: Seq) {
        let key = self.key(subject, hash);
        let Some(history) = self.of.get_mut(&key) else {
            return;
        };
        if history.oldest != seq.0 {
            if let Ok(at) = history.rest.binary_search(&seq.0) {
                history.rest.remove(at);
            }
            return;
        }
        match history.rest.pop_front() {
            Some(next) => history.oldest = next,
            None => {
                self.of.remove(&key);
            }
        }
    }

    pub(super) fn oldest(&self, subject: &[u8], hash: u64) -> Option<Seq> {
        self.of.get(&self.key(subject, hash)).map(|h| Seq(h.oldest))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.of.capacity() * (size_of::<((u64, u64), History)>() + 1)
    }
}
