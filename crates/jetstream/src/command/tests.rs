//! Commands read back as they were written, and any bytes are answered.

use proptest::prelude::*;

use super::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..20)
}

fn ranges() -> impl Strategy<Value = Vec<SeqRange>> {
    proptest::collection::vec((0u64..1000, 1u64..1000), 0..10).prop_map(|steps| {
        let mut at = 0;
        let mut ranges = Vec::new();
        for (gap, count) in steps {
            ranges.push(SeqRange {
                first: Seq(at + gap),
                count,
            });
            at += gap + count;
        }
        ranges
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        bytes().prop_map(|json| Command::Config { json }),
        (bytes(), any::<u64>(), any::<u64>()).prop_map(|(filter, up_to, keep)| Command::Purge {
            filter,
            up_to: Seq(up_to),
            keep
        }),
        (any::<u64>(), any::<bool>()).prop_map(|(seq, erase)| Command::Delete { seq: Seq(seq), erase }),
        ranges().prop_map(|ranges| Command::Expire { ranges }),
        (any::<u64>(), any::<i64>()).prop_map(|(last, ts_ns)| Command::Skip {
            last: Seq(last),
            ts_ns
        }),
        (any::<u32>(), "[a-zé]{0,8}", bytes(), any::<i64>(), bytes()).prop_map(
            |(id, name, config, created_ns, state)| Command::ConsumerCreate {
                id,
                name,
                config,
                created_ns,
                state
            }
        ),
        (any::<u32>(), bytes(), bytes()).prop_map(|(id, config, state)| Command::ConsumerUpdate {
            id,
            config,
            state
        }),
        any::<u32>().prop_map(|id| Command::ConsumerDelete { id }),
        (any::<u32>(), bytes()).prop_map(|(id, state)| Command::ConsumerReset { id, state }),
        (any::<u32>(), any::<Option<i64>>())
            .prop_map(|(id, until_ns)| Command::ConsumerPause { id, until_ns }),
        (
            any::<u64>(),
            proptest::collection::vec((any::<u32>(), bytes()), 0..5),
            ranges()
        )
            .prop_map(|(epoch, deltas, remove)| Command::Consumers {
                epoch,
                deltas,
                remove
            }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(command in command()) {
        prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
    }

    #[test]
    fn cut_short_is_malformed(command in command(), cut in any::<prop::sample::Index>()) {
        let bytes = command.encode();
        let at = cut.index(bytes.len());
        prop_assert_eq!(Command::decode(&bytes[..at]), Err(DecodeError::Malformed));
    }

    #[test]
    fn any_bytes_are_answered(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), kind in 0u8..24) {
        drop(Command::decode(&bytes));
        if bytes.len() > 1 {
            (bytes[0], bytes[1]) = (VERSION, kind);
        }
        if let Ok(command) = Command::decode(&bytes) {
            prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    }
}

#[test]
fn runs_join_neighbours() {
    let joined = runs([3, 4, 5, 9, 10, 12].map(Seq));
    let plain: Vec<(u64, u64)> = joined.iter().map(|r| (r.first.0, r.count)).collect();
    assert_eq!(plain, [(3, 3), (9, 2), (12, 1)]);
}

#[test]
fn later_versions_are_told_apart() {
    assert_eq!(Command::decode(&[2, 1, 0]), Err(DecodeError::Unknown));
    assert_eq!(Command::decode(&[1, 99]), Err(DecodeError::Unknown));
}
