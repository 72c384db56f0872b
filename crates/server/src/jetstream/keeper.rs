//! Looks after the store now and then: has the list of streams written down, and says in the log what is damaged, what
//! failed, and when writing stops and resumes. Mends nothing.

use std::sync::{Arc, Weak};
use std::time::Duration;

use natterjack_jsapi::advisory;
use natterjack_store::Health;
use natterjack_subject::names::nuid;
use tokio::time::{MissedTickBehavior, interval};

use super::JetStream;
use crate::{clock, system};

/// Between looks.
const LOOK: Duration = Duration::from_secs(1);

/// Where the system account hears that there is no space left.
const OUT_OF_STORAGE: &str = "$JS.EVENT.ADVISORY.SERVER.OUT_OF_STORAGE";

/// That there is no space left, as the peer tells it (events.go `JSServerOutOfSpaceAdvisory`).
fn out_of_space(name: &str, id: &str, domain: &String) -> Vec<u8> {
    let event_id = nuid(&mut rand::random);
    advisory::event("server_out_of_space", &event_id, clock::wall(), |o| {
        o.text("server", name);
        o.text("server_id", id);
        o.text("cluster", "");
        o.omit("domain", domain);
    })
}

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
                tracing::error!("JetStream storage is full: messages are refused until there is space");
                let server = &jetstream.server;
                system::advise(server, OUT_OF_STORAGE, || {
                    out_of_space(&server.name, &server.id, &server.options.jetstream.domain)
                });
            }
            None => tracing::info!("JetStream accepts messages again"),
        }
        self.stopped = stopped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advisory_has_the_peers_fields() {
        let json = String::from_utf8(out_of_space("n", "ID", &String::new())).unwrap();
        assert!(
            json.starts_with(r#"{"type":"io.nats.jetstream.advisory.v1.server_out_of_space","id":""#),
            "{json}"
        );
        assert!(
            json.ends_with(r#","server":"n","server_id":"ID","cluster":""}"#),
            "{json}"
        );
        let json = String::from_utf8(out_of_space("n", "ID", &"hub".to_owned())).unwrap();
        assert!(json.ends_with(r#","cluster":"","domain":"hub"}"#), "{json}");
    }
}
