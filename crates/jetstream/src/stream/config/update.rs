//! What an update may change of a stream's configuration, and what sealing brings with it.

use natterjack_jsapi::go_time::Nanos;
use natterjack_jsapi::stream::{Discard, Retention, StreamConfig, StreamRequest};
use natterjack_jsapi::{ApiError, errors};

use super::{Context, check, invalid, store_level};

/// Checks an update request for the stream called `name` in its subject, configured as `old`, and returns the new
/// configuration in its stored form. What it means for existing consumers is not looked at here.
///
/// # Errors
/// The first refusal, in the peer's order: the configuration itself is checked before the name in the subject is.
pub fn check_update(
    name: &str,
    old: Option<&StreamConfig>,
    request: &StreamRequest,
    context: &Context<'_>,
) -> Result<StreamConfig, ApiError> {
    let config = check(&request.config, context)?;
    if config.name != name {
        return Err(errors::STREAM_MISMATCH);
    }
    let old = old.ok_or(errors::STREAM_NOT_FOUND)?;
    // What was made of the request is checked once more, as by the peer: one correction may go against another rule.
    let mut config = check(&config, context)?;
    if config.num_replicas > 1 && !context.environment.clustered {
        return Err(errors::STREAM_REPLICAS_NOT_SUPPORTED);
    }
    fixed(old, &config)?;
    one_way(old, &config)?;
    if config.sealed {
        config.max_age = Nanos(0);
        config.discard = Discard::New;
        config.deny_delete = true;
        config.deny_purge = true;
        config.allow_rollup_hdrs = false;
    }
    if context.streams.overlaps(&config.subjects, name) {
        return Err(errors::STREAM_SUBJECT_OVERLAP);
    }
    store_level(&mut config);
    Ok(config)
}

/// What stays as it was.
fn fixed(old: &StreamConfig, new: &StreamConfig) -> Result<(), ApiError> {
    if new.storage != old.storage {
        return Err(invalid("stream configuration update can not change storage type"));
    }
    let work_queue = old.retention == Retention::WorkQueue || new.retention == Retention::WorkQueue;
    if new.retention != old.retention && work_queue {
        return Err(invalid(
            "stream configuration update can not change retention policy to/from workqueue",
        ));
    }
    Ok(())
}

/// What may be switched on or taken away, but not back.
fn one_way(old: &StreamConfig, new: &StreamConfig) -> Result<(), ApiError> {
    if old.sealed && !new.sealed {
        return Err(invalid(
            "stream configuration update can not unseal a sealed stream",
        ));
    }
    if old.deny_delete && !new.deny_delete {
        return Err(invalid(
            "stream configuration update can not cancel deny message deletes",
        ));
    }
    if old.deny_purge && !new.deny_purge {
        return Err(invalid("stream configuration update can not cancel deny purge"));
    }
    if new.mirror.is_some() && new.mirror != old.mirror {
        return Err(errors::STREAM_MIRROR_NOT_UPDATABLE);
    }
    if old.allow_msg_ttl && !new.allow_msg_ttl {
        return Err(invalid("message TTL status can not be disabled"));
    }
    if old.allow_msg_counter != new.allow_msg_counter {
        return Err(invalid(
            "stream configuration update can not change message counter setting",
        ));
    }
    if old.allow_msg_schedules && !new.allow_msg_schedules {
        return Err(invalid("message schedules can not be disabled"));
    }
    if old.persist_mode != new.persist_mode {
        return Err(invalid("stream configuration update can not change persist mode"));
    }
    Ok(())
}
