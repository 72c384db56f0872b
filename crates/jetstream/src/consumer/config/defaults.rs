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

pub(super) fn fill_defaults(config: &mut ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    let strict = around.pedantic;
    if config.max_deliver == 0 {
        config.max_deliver = -1;
    } else if config.max_deliver < -1 {
        pedantic(strict, "max_deliver must be set to -1")?;
        config.max_deliver = -1;
    }
    if config.deliver_subject.is_empty() {
        if config.max_waiting < 0 {
            pedantic(strict, "max_waiting must not be negative")?;
            config.max_waiting = MAX_WAITING;
        } else if config.max_waiting == 0 {
            config.max_waiting = MAX_WAITING;
        }
    }
    let acked = matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::All);
    if acked && config.ack_wait.0 == 0 {
        config.ack_wait = ACK_WAIT;
    }
    if let Some(first) = config
        .backoff
        .first()
        .copied()
        .filter(|_| config.ack_policy != AckPolicy::FlowControl)
    {
        if strict && config.ack_wait != first && config.ack_wait != ACK_WAIT {
            return Err(errors::pedantic("first backoff value has to equal batch AckWait"));
        }
        config.ack_wait = first;
    }
    let stream_limits = &around.stream.consumer_limits;
    if acked && config.max_ack_pending == 0 {
        let mut default = MAX_ACK_PENDING;
        if stream_limits.max_ack_pending > 0 {
            pedantic(
                strict,
                "max_ack_pending must be set if it's configured in stream limits",
            )?;
            default = stream_limits.max_ack_pending;
        } else if around.limits.max_ack_pending > 0 {
            default = default.min(around.limits.max_ack_pending);
        }
        config.max_ack_pending = default;
    }
    if config.inactive_threshold.0 == 0 && stream_limits.inactive_threshold.0 > 0 {
        pedantic(
            strict,
            "inactive_threshold must be set if it's configured in stream limits",
        )?;
        config.inactive_threshold = stream_limits.inactive_threshold;
    }
    if config.durable_name.is_empty() && config.inactive_threshold.0 == 0 {
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
