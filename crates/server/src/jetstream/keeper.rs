//! Looks after the store now and then: has the list of streams written down, and says in the log what is damaged, what
//! failed, and when writing stops and resumes. Mends nothing.

use std::sync::{Arc, Weak};
use std::time::Duration;

use natterjack_store::Health;
use tokio::time::{MissedTickBehavior, interval};

use super::JetStream;

/// Between looks.
const LOOK: Duration = Duration::from_secs(1);

/// What was said already.
#[derive(Debug, Default)]
struct Said {
    damage: usize,
    stopped: Option<Health>,
}

/// Runs for as long as JetStream does.
pub(super) async fn keep(jetstream: Weak<JetStream>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = Said::default();
    loop {
        ticks.tick().await;
        let Some(jetstream) = jetstream.upgrade() else {
            return;
        };
        jetstream.meta.save_if_due();
        said.say(&jetstream);
    }
}

impl Said {
    fn say(&mut self, jetstream: &Arc<JetStream>) {
        let store = &jetstream.store;
        for text in store.damage(self.damage) {
            self.damage += 1;
            tracing::error!("JetStream found damage: {text}");
        }
        for text in store.take_troubles() {
            tracing::warn!("JetStream tries again: {text}");
        }
        for text in store.take_remarks() {
            tracing::info!("JetStream: {text}");
        }
        let stopped = Some(store.health()).filter(|h| matches!(h, Health::Full | Health::Poisoned(_)));
        if stopped == self.stopped {
            return;
        }
        match &stopped {
            Some(Health::Poisoned(why)) => tracing::error!("JetStream accepts no more writes: {why}"),
            Some(_) => {
                tracing::error!("JetStream storage is full: messages are refused until there is space")
            }
            None => tracing::info!("JetStream accepts messages again"),
        }
        self.stopped = stopped;
    }
}
