//! The IoT walk-through of the examples, once with each ack policy and each replay policy. Has no logic of its own.

#[allow(
    dead_code,
    reason = "the example's own entry and list of walks are not used here"
)]
#[path = "../examples/iot.rs"]
mod iot;
mod support;

use natterjack_jsapi::consumer::{AckPolicy, ReplayPolicy};

async fn walks(ack: AckPolicy, replay: ReplayPolicy) {
    let server = support::Server::start();
    let mut said = Vec::new();
    if let Err(stop) = iot::walk(&server.url(), ack, replay, &mut said).await {
        panic!("{stop}\n{}", String::from_utf8_lossy(&said));
    }
    if ack == AckPolicy::None {
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("resumes with [7, 8, 9, 10]"), "{said}");
    }
}

#[tokio::test]
async fn ack_none_replay_instant() {
    walks(AckPolicy::None, ReplayPolicy::Instant).await;
}

#[tokio::test]
async fn ack_none_replay_original() {
    walks(AckPolicy::None, ReplayPolicy::Original).await;
}

#[tokio::test]
async fn ack_all_replay_instant() {
    walks(AckPolicy::All, ReplayPolicy::Instant).await;
}

#[tokio::test]
async fn ack_all_replay_original() {
    walks(AckPolicy::All, ReplayPolicy::Original).await;
}

#[tokio::test]
async fn ack_explicit_replay_instant() {
    walks(AckPolicy::Explicit, ReplayPolicy::Instant).await;
}

#[tokio::test]
async fn ack_explicit_replay_original() {
    walks(AckPolicy::Explicit, ReplayPolicy::Original).await;
}
