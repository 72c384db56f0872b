//! One consumer is made or changed at a time: who asks for the next is answered by what the one before has become, so that
//! names, limits and filters hold among requests that come together.

use std::collections::VecDeque;

use natterjack_jetstream::{Command, Outcome};

use super::Owner;
use crate::jetstream::inbox::Call;

/// Requests for consumers.
#[derive(Default)]
pub(super) struct Creations {
    /// One is on its way to disk.
    under_way: bool,
    /// Those that came since.
    waiting: VecDeque<Call>,
}

impl Owner {
    /// Does `request`, which asks for a consumer, once none is on its way.
    pub(in crate::jetstream) fn create_in_turn(&mut self, request: Call) {
        if self.creations.under_way {
            self.creations.waiting.push_back(request);
        } else {
            request(self);
        }
    }

    /// Proposes a consumer; `then` hears what came of it, and the next has its turn.
    pub(in crate::jetstream) fn propose_consumer(
        &mut self,
        command: Command,
        then: impl FnOnce(&mut Self, Outcome) + Send + 'static,
    ) {
        self.creations.under_way = true;
        self.propose(command, move |owner, outcome| {
            owner.creations.under_way = false;
            then(owner, outcome);
            // Who asked learns of the consumer before the round fills the connection with its messages: clients set limits and
            // names between the answer and the first message.
            owner.wire.lane.flush();
            while !owner.creations.under_way
                && let Some(next) = owner.creations.waiting.pop_front()
            {
                next(owner);
            }
        });
    }
}
