//! What changed in a consumer's state since it was last written down, as compact operations. The leader writes them, a
//! restart or a follower reads them; reading any bytes never fails in any other way than stopping.

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A message was delivered: stream sequence, consumer sequence, how often so far.
    Deliver { sseq: u64, cseq: u64, count: u64 },
    /// The next message to look at.
    Next { sseq: u64 },
    /// A message was acknowledged or given up.
    Ack { sseq: u64 },
    /// Everything up to a message was acknowledged.
    AckAll { sseq: u64, cseq: u64 },
    /// A message was delivered as often as allowed: nothing waits for it any more.
    Exceeded { sseq: u64, count: u64 },
    /// A message that waited for its acknowledgement is gone from the stream.
    Gone { sseq: u64 },
    /// The state starts over at a sequence.
    Reset { next: u64 },
    /// Nothing before a sequence is in the stream any more.
    Purged { first: u64 },
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    out.push(n.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (mut n, mut shift) = (0u64, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(n);
        }
        shift += 7;
    }
}

impl Change {
    /// Appends the change.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let (op, fields): (u8, [u64; 3]) = match self {
            Self::Deliver { sseq, cseq, count } => (1, [sseq, cseq, count]),
            Self::Next { sseq } => (2, [sseq, 0, 0]),
            Self::Ack { sseq } => (3, [sseq, 0, 0]),
            Self::AckAll { sseq, cseq } => (4, [sseq, cseq, 0]),
            Self::Exceeded { sseq, count } => (5, [sseq, count, 0]),
            Self::Gone { sseq } => (6, [sseq, 0, 0]),
            Self::Reset { next } => (7, [next, 0, 0]),
            Self::Purged { first } => (8, [first, 0, 0]),
        };
        out.push(op);
        for field in &fields[..fields_of(op)] {
            put(out, *field);
        }
    }
}

const fn fields_of(op: u8) -> usize {
    match op {
        1 => 3,
        4 | 5 => 2,
        _ => 1,
    }
}

/// The changes in `bytes`.
pub(crate) fn iterate(mut bytes: &[u8]) -> impl Iterator<Item = Change> {
    std::iter::from_fn(move || {
        let (op, rest) = bytes.split_first()?;
        bytes = rest;
        let mut fields = [0; 3];
        for field in &mut fields[..fields_of(*op)] {
            *field = take(&mut bytes)?;
        }
        let [a, b, c] = fields;
        Some(match op {
            1 => Change::Deliver {
                sseq: a,
                cseq: b,
                count: c,
            },
            2 => Change::Next { sseq: a },
            3 => Change::Ack { sseq: a },
            4 => Change::AckAll { sseq: a, cseq: b },
            5 => Change::Exceeded { sseq: a, count: b },
            6 => Change::Gone { sseq: a },
            7 => Change::Reset { next: a },
            8 => Change::Purged { first: a },
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = Change> {
        let n = || any::<u64>();
        prop_oneof![
            (n(), n(), n()).prop_map(|(sseq, cseq, count)| Change::Deliver { sseq, cseq, count }),
            n().prop_map(|sseq| Change::Next { sseq }),
            n().prop_map(|sseq| Change::Ack { sseq }),
            (n(), n()).prop_map(|(sseq, cseq)| Change::AckAll { sseq, cseq }),
            (n(), n()).prop_map(|(sseq, count)| Change::Exceeded { sseq, count }),
            n().prop_map(|sseq| Change::Gone { sseq }),
            n().prop_map(|next| Change::Reset { next }),
            n().prop_map(|first| Change::Purged { first }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(changes in proptest::collection::vec(change(), 0..20)) {
            let mut bytes = Vec::new();
            for change in &changes {
                change.encode(&mut bytes);
            }
            prop_assert_eq!(iterate(&bytes).collect::<Vec<_>>(), changes);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(iterate(&bytes).count() <= bytes.len());
        }
    }
}
