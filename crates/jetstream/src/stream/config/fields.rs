//! Checks of a stream's plain fields: names, limits, windows, and which features go together. Corrects what the peer
//! corrects.

use natterjack_jsapi::go_time::Nanos;
use natterjack_jsapi::stream::{Discard, PersistMode, Retention, Storage, StreamConfig};
use natterjack_jsapi::{ApiError, errors};

use super::{Context, invalid, is_asset_name};
use crate::limits;

/// Name, description and metadata.
pub(super) fn names(config: &StreamConfig) -> Result<(), ApiError> {
    if !is_asset_name(&config.name) {
        return Err(invalid(
            r"stream name is required and can not contain '.', '*', '>', '\', '/'",
        ));
    }
    let longest = natterjack_jsapi::subjects::NAME_BYTES_MAX;
    if config.name.len() > longest {
        return Err(invalid(format_args!(
            "stream name is too long, maximum allowed is {longest}"
        )));
    }
    let longest = limits::DESCRIPTION_BYTES_MAX;
    if config.description.len() > longest {
        return Err(invalid(format_args!(
            "stream description is too long, maximum allowed is {longest}"
        )));
    }
    let metadata: usize = config.metadata.iter().map(|(k, v)| k.len() + v.len()).sum();
    let largest = limits::METADATA_BYTES_MAX;
    if metadata > largest {
        return Err(invalid(format_args!(
            "stream metadata exceeds maximum size of {largest} bytes"
        )));
    }
    Ok(())
}

/// A limit of which everything but a positive number means "none".
fn unlimited(value: i64, name: &str, context: &Context<'_>) -> Result<i64, ApiError> {
    if value < -1 {
        context.correct(&format!("{name} must be set to -1"))?;
    }
    Ok(if value <= 0 { -1 } else { value })
}

/// Replicas and the limits on number and size.
pub(super) fn limits(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    if config.num_replicas == 0 {
        config.num_replicas = 1;
    }
    let most = limits::REPLICAS_MAX;
    if config.num_replicas > most {
        return Err(invalid(format_args!("maximum replicas is {most}")));
    }
    if config.num_replicas < 0 {
        return Err(errors::REPLICAS_COUNT_CANNOT_BE_NEGATIVE);
    }
    config.max_msgs = unlimited(config.max_msgs, "max_msgs", context)?;
    config.max_msgs_per_subject = unlimited(config.max_msgs_per_subject, "max_msgs_per_subject", context)?;
    config.max_bytes = unlimited(config.max_bytes, "max_bytes", context)?;
    let size = unlimited(i64::from(config.max_msg_size), "max_msg_size", context)?;
    config.max_msg_size = i32::try_from(size).unwrap_or(i32::MAX);
    config.max_consumers = unlimited(config.max_consumers, "max_consumers", context)?;
    Ok(())
}

/// Greatest age and duplicate window.
pub(super) fn windows(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    let age = config.max_age.0;
    if age < 0 {
        return Err(invalid("max age can not be negative"));
    }
    if age != 0 && age < limits::WINDOW_NS_MIN {
        return Err(invalid("max age needs to be >= 100ms"));
    }
    let server = context.environment.limits.duplicate_window_ns;
    if config.duplicate_window.0 == 0 && config.mirror.is_none() && config.sources.is_empty() {
        config.duplicate_window = Nanos(default_window(age, server, context)?);
    }
    let window = config.duplicate_window.0;
    if window < 0 {
        return Err(invalid("duplicates window can not be negative"));
    }
    if age != 0 && window > age {
        return Err(invalid("duplicates window can not be larger then max age"));
    }
    if server > 0 && window > server {
        let server = Nanos(server);
        return Err(invalid(format_args!(
            "duplicates window can not be larger then server limit of {server}"
        )));
    }
    if window > 0 && window < limits::WINDOW_NS_MIN {
        return Err(invalid("duplicates window needs to be >= 100ms"));
    }
    Ok(())
}

fn default_window(age: i64, server: i64, context: &Context<'_>) -> Result<i64, ApiError> {
    let mut window = limits::DUPLICATE_WINDOW_NS;
    if server > 0 && window > server {
        context.correct("duplicate window limits are higher than current limits")?;
        window = server;
    }
    if age != 0 && age < window {
        context.correct("duplicate window cannot be bigger than max age")?;
        window = age;
    }
    Ok(window)
}

/// Which features exclude or need each other.
pub(super) fn features(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    if config.deny_purge && config.allow_rollup_hdrs {
        return Err(invalid("roll-ups require the purge permission"));
    }
    if config.allow_msg_counter {
        counter(config)?;
    }
    discard_per_subject(config)?;
    markers(config, context)?;
    schedules(config, context)?;
    if config.persist_mode == PersistMode::Async {
        asynchronous(config)?;
    }
    Ok(())
}

fn counter(config: &StreamConfig) -> Result<(), ApiError> {
    if config.discard == Discard::New {
        return Err(invalid("counter stream cannot use discard new"));
    }
    if config.allow_msg_ttl {
        return Err(invalid("counter stream cannot use message TTLs"));
    }
    if config.allow_msg_schedules {
        return Err(invalid("counter stream cannot use message schedules"));
    }
    if config.retention != Retention::Limits {
        return Err(invalid("counter stream can only use limits retention"));
    }
    Ok(())
}

fn discard_per_subject(config: &StreamConfig) -> Result<(), ApiError> {
    if !config.discard_new_per_subject {
        return Ok(());
    }
    if config.discard != Discard::New {
        return Err(invalid(
            "discard new per subject requires discard new policy to be set",
        ));
    }
    if config.max_msgs_per_subject <= 0 {
        return Err(invalid(
            "discard new per subject requires max msgs per subject > 0",
        ));
    }
    Ok(())
}

/// Rollup headers are allowed because something needs them; purging must then be possible.
fn allow_rollup(config: &mut StreamConfig) {
    config.allow_rollup_hdrs = true;
    config.deny_purge = false;
}

fn markers(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    let ttl = config.subject_delete_marker_ttl.0;
    if ttl < 0 {
        return Err(invalid("subject delete marker TTL must not be negative"));
    }
    if ttl == 0 {
        return Ok(());
    }
    if ttl < limits::TTL_NS_MIN {
        return Err(invalid("subject delete marker TTL must be at least 1 second"));
    }
    if !config.allow_msg_ttl {
        if context.pedantic {
            return Err(invalid(
                "subject delete marker cannot be set if message TTLs are disabled",
            ));
        }
        config.allow_msg_ttl = true;
    }
    if !config.allow_rollup_hdrs {
        if context.pedantic {
            return Err(invalid(
                "subject delete marker cannot be set if roll-ups are disabled",
            ));
        }
        allow_rollup(config);
    }
    Ok(())
}

fn schedules(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    if !config.allow_msg_schedules {
        return Ok(());
    }
    if config.discard == Discard::New {
        return Err(invalid("message scheduling cannot use discard new"));
    }
    if !config.allow_rollup_hdrs {
        if context.pedantic {
            return Err(invalid(
                "message scheduling cannot be set if roll-ups are disabled",
            ));
        }
        allow_rollup(config);
    }
    Ok(())
}

fn asynchronous(config: &StreamConfig) -> Result<(), ApiError> {
    if config.storage != Storage::File {
        return Err(invalid("async persist mode is only supported on file storage"));
    }
    if config.num_replicas > 1 {
        return Err(invalid(
            "async persist mode is not supported on replicated streams",
        ));
    }
    if config.allow_atomic {
        return Err(invalid(
            "async persist mode is not supported with atomic batch publish",
        ));
    }
    Ok(())
}
