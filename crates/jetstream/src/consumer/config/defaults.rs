//! What a consumer's configuration is filled up with, and what is corrected silently unless the request is pedantic.

use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, PriorityPolicy};
use natterjack_jsapi::{ApiError, Nanos, errors};

use super::{Surroundings, pedantic};

/// Wait for an acknowledgement unless told otherwise.
const ACK_WAIT: Nanos = Nanos::from_secs(30);
/// Unacknowledged messages unless told otherwise.
const MAX_ACK_PENDING: i64 = 1000;
/// Waiting pulls unless told otherwise.
const MAX_WAITING: i64 = 512;
/// Life of an ephemeral consumer without client unless told otherwise.
const INACTIVE_THRESHOLD: Nanos = Nanos::from_secs(5);
/// How long a pin lasts unless told otherwise.
const PIN_TIMEOUT: Nanos = Nanos::from_secs(120);

/// Heartbeat of consumers that acknowledge by flow control.
pub(super) const FLOW_ACK_HEARTBEAT: Nanos = Nanos::from_secs(1);

pub(super) fn fill_defaults(config: &mut ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    let strict = around.pedantic;
    if config.max_deliver == 0 {
        config.max_deliver = -1;
    } else if config.max_deliver < -1 {
        pedantic(strict, "max_deliver must be set to -1")?;
        config.max_deliver = -1;
    }
    if config.max_waiting < 0 {
        pedantic(strict, "max_waiting must not be negative")?;
        config.max_waiting = 0;
    }
    if config.deliver_subject.is_empty() && config.max_waiting == 0 {
        config.max_waiting = MAX_WAITING;
    }
    if config.ack_policy == AckPolicy::FlowControl {
        fill_flow_control(config, strict);
    }
    not_negative(config, strict)?;
    let acked = matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::All);
    if acked && config.ack_wait.0 == 0 {
        config.ack_wait = ACK_WAIT;
    }
    if let Some(first) = config.backoff.first().copied() {
        if strict && config.ack_wait != first {
            return Err(errors::pedantic("first backoff value has to equal batch AckWait"));
        }
        config.ack_wait = first;
    }
    let stream_limits = &around.stream.consumer_limits;
    if config.max_ack_pending == 0 && stream_limits.max_ack_pending > 0 {
        pedantic(
            strict,
            "max_ack_pending must be set if it's configured in stream limits",
        )?;
        config.max_ack_pending = stream_limits.max_ack_pending;
    }
    let counted = acked || config.ack_policy == AckPolicy::FlowControl;
    if counted && config.max_ack_pending == 0 {
        config.max_ack_pending = match around.limits.max_ack_pending {
            most if most > 0 => most.min(MAX_ACK_PENDING),
            _ => MAX_ACK_PENDING,
        };
    }
    if config.inactive_threshold.0 == 0 && stream_limits.inactive_threshold.0 > 0 {
        pedantic(
            strict,
            "inactive_threshold must be set if it's configured in stream limits",
        )?;
        config.inactive_threshold = stream_limits.inactive_threshold;
    }
    if !around.durable && config.inactive_threshold.0 == 0 {
        config.inactive_threshold = INACTIVE_THRESHOLD;
    }
    if config.deliver_subject.is_empty() && config.max_batch == 0 && around.limits.max_request_batch > 0 {
        pedantic(
            strict,
            "max_request_batch must be set if it's JetStream limits are set",
        )?;
        config.max_batch = around.limits.max_request_batch;
    }
    if config.priority_policy == PriorityPolicy::PinnedClient && config.priority_timeout.0 == 0 {
        config.priority_timeout = PIN_TIMEOUT;
    }
    Ok(())
}

/// What acknowledging by flow control needs.
fn fill_flow_control(config: &mut ConsumerConfig, strict: bool) {
    if strict || config.deliver_subject.is_empty() {
        return;
    }
    config.flow_control = true;
    config.idle_heartbeat = FLOW_ACK_HEARTBEAT;
}

/// Numbers below zero are taken for none.
fn not_negative(config: &mut ConsumerConfig, strict: bool) -> Result<(), ApiError> {
    for (n, what) in [
        (&mut config.max_batch, "max_batch"),
        (&mut config.max_expires.0, "max_expires"),
        (&mut config.max_bytes, "max_bytes"),
        (&mut config.idle_heartbeat.0, "idle_heartbeat"),
        (&mut config.inactive_threshold.0, "inactive_threshold"),
        (&mut config.priority_timeout.0, "priority_timeout"),
    ] {
        if *n < 0 {
            if strict {
                return Err(errors::pedantic(format!("{what} must not be negative")));
            }
            *n = 0;
        }
    }
    Ok(())
}
