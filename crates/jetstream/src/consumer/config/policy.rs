//! Checks of where a consumer starts, its priority groups, and acknowledgement by flow control.

use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy};
use natterjack_jsapi::{ApiError, errors};

use super::defaults::FLOW_ACK_HEARTBEAT;
use super::{Surroundings, filters, when};

/// Longest name of a priority group, bytes.
const GROUP_BYTES_MAX: usize = 16;
pub(super) fn check_start(config: &ConsumerConfig) -> Result<(), ApiError> {
    let (seq, time) = (config.opt_start_seq > 0, config.opt_start_time.is_some());
    let fail = |policy: &str, what: &str| {
        Err(errors::consumer_invalid_policy(format!(
            "consumer delivery policy is {policy}, but optional {what}"
        )))
    };
    let also = |policy: &str| match (seq, time) {
        (true, _) => fail(policy, "start sequence is also set"),
        (_, true) => fail(policy, "start time is also set"),
        _ => Ok(()),
    };
    match config.deliver_policy {
        DeliverPolicy::All => also("deliver all"),
        DeliverPolicy::Last => also("deliver last"),
        DeliverPolicy::New => also("deliver new"),
        DeliverPolicy::LastPerSubject => {
            also("deliver last per subject")?;
            if filters(config).is_empty() {
                return fail("deliver last per subject", "filter subject is not set");
            }
            Ok(())
        }
        DeliverPolicy::ByStartSequence => {
            if !seq {
                return fail("deliver by start sequence", "start sequence is not set");
            }
            if time {
                return fail("deliver by start sequence", "start time is also set");
            }
            Ok(())
        }
        DeliverPolicy::ByStartTime => {
            if !time {
                return fail("deliver by start time", "start time is not set");
            }
            if seq {
                // The peer says it twice.
                return fail("deliver by start time", "start start sequence is also set");
            }
            Ok(())
        }
    }
}

pub(super) fn check_groups(config: &ConsumerConfig) -> Result<(), ApiError> {
    if config.priority_policy == PriorityPolicy::None {
        when(
            !config.priority_groups.is_empty(),
            errors::CONSUMER_PRIORITY_GROUP_WITH_POLICY_NONE,
        )?;
        return when(
            config.priority_timeout.0 > 0,
            errors::CONSUMER_PINNED_TTL_WITHOUT_PRIORITY_POLICY_NONE,
        );
    }
    when(
        !config.deliver_subject.is_empty(),
        errors::CONSUMER_PUSH_WITH_PRIORITY_GROUP,
    )?;
    when(
        config.priority_groups.is_empty(),
        errors::CONSUMER_PRIORITY_POLICY_WITHOUT_GROUP,
    )?;
    for group in &config.priority_groups {
        when(group.is_empty(), errors::CONSUMER_EMPTY_GROUP_NAME)?;
        check_group_name(group)?;
    }
    Ok(())
}

/// Whether a priority group may be called so.
///
/// # Errors
/// 10162 when it is too long or has other characters.
pub fn check_group_name(group: &str) -> Result<(), ApiError> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'=' | b'-');
    let fits = group.len() <= GROUP_BYTES_MAX && group.bytes().all(valid);
    when(!fits, errors::CONSUMER_INVALID_GROUP_NAME)
}

pub(super) fn check_flow_ack(config: &mut ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    if config.ack_policy != AckPolicy::FlowControl {
        return Ok(());
    }
    when(
        config.deliver_subject.is_empty(),
        errors::CONSUMER_ACK_FC_REQUIRES_PUSH,
    )?;
    when(!config.flow_control, errors::CONSUMER_ACK_FC_REQUIRES_FC)?;
    when(
        config.max_ack_pending <= 0,
        errors::CONSUMER_ACK_FC_REQUIRES_MAX_ACK_PENDING,
    )?;
    when(
        config.ack_wait.0 != 0 || !config.backoff.is_empty(),
        errors::CONSUMER_ACK_FC_REQUIRES_NO_ACK_WAIT,
    )?;
    when(
        config.max_deliver > 0,
        errors::CONSUMER_ACK_FC_REQUIRES_NO_MAX_DELIVER,
    )?;
    if config.idle_heartbeat != FLOW_ACK_HEARTBEAT {
        if around.pedantic {
            return Err(errors::stream_invalid_config(
                "flow control ack policy heartbeat needs to be 1s",
            ));
        }
        config.idle_heartbeat = FLOW_ACK_HEARTBEAT;
    }
    Ok(())
}
