//! What the owner of a stream does for its store: upkeep, checkpoints, waiting until it has caught up.

use std::collections::VecDeque;
use std::time::Duration;

use natterjack_jetstream::Now;
use tokio::time::timeout;

use super::{BEHIND, Owner};
use crate::clock;
use crate::jetstream::inbox::{Inbox, Item};

/// Between looks at what the store needs.
const UPKEEP: Duration = Duration::from_millis(250);

impl Owner {
    /// Gives the store a moment to copy what it has, and installs what it copied.
    pub(super) async fn catch_up(&mut self) {
        self.upkeep(clock::now());
        // Nothing that arrives ends this wait.
        let _passed = timeout(BEHIND, std::future::pending::<()>()).await;
    }

    pub(super) fn upkeep(&mut self, now: Now) {
        let upkeep = self.group.store().upkeep(now.wall_ns);
        let wait = if upkeep.busy { UPKEEP / 25 } else { UPKEEP };
        self.upkeep_at = now
            .mono_ns
            .saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        self.wants_checkpoint |= upkeep.wants_checkpoint;
    }

    /// Lets everything on its way arrive, then makes a checkpoint. What comes in meanwhile waits in `backlog`.
    pub(super) async fn checkpoint(&mut self, backlog: &mut VecDeque<Inbox>) {
        self.wants_checkpoint = false;
        loop {
            self.pump_all(clock::now());
            if self.group.is_settled() {
                break;
            }
            self.stream.inbox.arrived().await;
            let mut inbox = Inbox::default();
            self.stream.inbox.take(&mut inbox);
            let items = std::mem::take(&mut inbox.items);
            for item in items {
                match item {
                    Item::Committed(result) => self.committed(&result, clock::now()),
                    other => inbox.items.push(other),
                }
            }
            if !inbox.items.is_empty() {
                backlog.push_back(inbox);
            }
        }
        self.wire.lane.flush();
        let (state, applied) = (self.group.checkpoint(), self.group.applied());
        self.group.store().checkpoint(applied, state.into());
    }

    /// Makes a last checkpoint before the server stops, so that the next start is short.
    pub(in crate::jetstream) fn stop(&mut self) {
        self.group.stop(&mut self.wire);
        // One that is done and not looked at yet would be in the way.
        let _busy = self.group.store().upkeep(clock::now().wall_ns);
        if self.group.is_settled() {
            let (state, applied) = (self.group.checkpoint(), self.group.applied());
            self.group.store().checkpoint(applied, state.into());
        }
        self.wire.lane.flush();
    }
}
