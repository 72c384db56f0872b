//! What comes out of the group, as those outside hear it.

use std::collections::{BTreeSet, VecDeque};

use natterjack_jsapi::ack::AckSubject;

use super::seen::Seen;
use crate::effect::{Delivery, Effects, Handed};

/// What came out of the group.
#[derive(Debug)]
pub(super) enum Out {
    Delivered(usize, Seen),
    Exceeded(String, u64),
    Answered(usize, u64),
}

/// Hears what the group sends.
#[derive(Debug, Default)]
pub(super) struct Ears {
    pub(super) out: VecDeque<Out>,
    pub(super) deaf: BTreeSet<usize>,
    /// Publishes that were refused.
    refused: usize,
    seed: u64,
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The number behind the first dot.
fn index(subject: &[u8]) -> usize {
    text(subject)
        .split('.')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(usize::MAX)
}

impl Effects for Ears {
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Handed {
        let at = index(delivery.to);
        if self.deaf.contains(&at) {
            return Handed::NoInterest;
        }
        let ack = AckSubject::parse(delivery.reply).unwrap();
        assert_eq!(ack.stream_seq, delivery.message.seq().0);
        let seen = Seen {
            subject: text(delivery.message.subject()),
            sseq: ack.stream_seq,
            cseq: ack.consumer_seq,
            count: ack.delivered,
            pending: ack.pending,
            reply: text(delivery.reply),
        };
        self.out.push_back(Out::Delivered(at, seen));
        Handed::Taken {
            bytes: delivery.message.body().len(),
        }
    }

    fn send(&mut self, to: &[u8], _reply: Option<&[u8]>, _headers: &[u8], payload: &[u8]) -> Handed {
        let to = text(to);
        let mut parts = to.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("ok"), Some(at), Some(sseq)) => {
                self.out
                    .push_back(Out::Answered(at.parse().unwrap(), sseq.parse().unwrap()));
            }
            (Some("pub"), ..) => self.refused += usize::from(text(payload).contains("error")),
            _ => {}
        }
        Handed::Taken { bytes: 0 }
    }

    fn has_interest(&self, subject: &[u8], _group: Option<&[u8]>) -> bool {
        !self.deaf.contains(&index(subject))
    }

    fn wants_advisory(&self, subject: &[u8]) -> bool {
        text(subject).contains("MAX_DELIVERIES")
    }

    fn advisory(&mut self, subject: &[u8], json: &[u8]) {
        let json = text(json);
        let seq = json.split("\"stream_seq\":").nth(1).unwrap();
        let digits: String = seq.chars().take_while(char::is_ascii_digit).collect();
        let name = text(subject).rsplit('.').next().unwrap().to_owned();
        self.out.push_back(Out::Exceeded(name, digits.parse().unwrap()));
    }

    fn random(&mut self) -> u64 {
        self.seed += 1;
        self.seed
    }
}
