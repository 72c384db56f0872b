//! Where a new consumer starts.

use std::collections::VecDeque;

use natterjack_jsapi::GoTime;
use natterjack_jsapi::consumer::{ConsumerConfig, DeliverPolicy};
use natterjack_jsapi::stream::StreamConfig;
use natterjack_store::{MsgStore, Seq};

use super::machine::filter_set;
use super::state::State;

/// Where `last_per_subject` starts: a list of sequences, then everything behind `resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LastList {
    /// Sequences still to deliver, ascending.
    pub(crate) seqs: VecDeque<u64>,
    /// Where the list ends.
    pub(crate) resume: u64,
}

/// Where a new consumer of `stream` starts.
pub(crate) fn starting_point(
    config: &ConsumerConfig,
    stream: &StreamConfig,
    store: &mut dyn MsgStore,
) -> (State, LastList) {
    let state = store.state();
    let set = filter_set(config);
    let first = state.first_seq.0.max(1);
    let behind = state.last_seq.0 + 1;
    let empty = state.last_seq == Seq::ZERO;
    let mut list = LastList::default();
    let next = match config.deliver_policy {
        DeliverPolicy::All => first,
        DeliverPolicy::New => behind,
        DeliverPolicy::Last => store.last_matching(&set, state.last_seq).map_or(first, |s| s.0),
        DeliverPolicy::ByStartSequence => config.opt_start_seq.max(if empty { 0 } else { first }),
        DeliverPolicy::ByStartTime => {
            let time = config.opt_start_time.unwrap_or(GoTime::ZERO);
            store.seq_at_time(time.0).0.max(first)
        }
        // Every message is the last of its subject: the peer begins with the first of the stream.
        DeliverPolicy::LastPerSubject if stream.max_msgs_per_subject == 1 => first,
        DeliverPolicy::LastPerSubject => {
            let lasts = store
                .multi_last(&set, state.last_seq, usize::MAX)
                .unwrap_or_default();
            list = LastList {
                seqs: lasts.iter().map(|s| s.0).collect(),
                resume: behind,
            };
            // With none of its subjects there, the peer looks at the last message once more.
            list.seqs
                .front()
                .copied()
                .unwrap_or_else(|| state.last_seq.0.max(first))
        }
    };
    (State::starting_at(next.max(1)), list)
}
