//! Checks of the subjects a stream keeps, and of what it renames and republishes.

use std::collections::HashSet;

use natterjack_jsapi::json::quoted;
use natterjack_jsapi::stream::{StreamConfig, SubjectTransform};
use natterjack_jsapi::{ApiError, errors};
use natterjack_subject::transform::{Transform, TransformError};
use natterjack_subject::{collides, is_subset, is_valid_subject};

use super::{Context, invalid};

/// Subject spaces of the API that a stream with acknowledgements may not keep: its own acks would come back to it.
const API_SPACES: [&[u8]; 3] = [b"$JS.>", b"$JSC.>", b"$NRG.>"];

/// Fills in the default subject and checks the list.
pub(super) fn check(config: &mut StreamConfig) -> Result<(), ApiError> {
    if config.subjects.is_empty() {
        if config.mirror.is_none() && config.sources.is_empty() {
            config.subjects.push(config.name.clone());
        }
        return Ok(());
    }
    let mut known = HashSet::new();
    for (n, subject) in config.subjects.iter().enumerate() {
        if !is_valid_subject(subject.as_bytes()) {
            return Err(invalid("invalid subject"));
        }
        if !known.insert(subject) {
            return Err(invalid("duplicate subjects detected"));
        }
        reserved(config, subject)?;
        if let Some(other) = config.subjects[n + 1..]
            .iter()
            .find(|o| collides(o.as_bytes(), subject.as_bytes()))
        {
            return Err(invalid(format_args!(
                "subject {} overlaps with {}",
                quoted(subject),
                quoted(other)
            )));
        }
    }
    Ok(())
}

/// Keeping everything, or what belongs to the server itself.
fn reserved(config: &StreamConfig, subject: &str) -> Result<(), ApiError> {
    let subject = subject.as_bytes();
    if subject == b">" {
        if !config.no_ack {
            return Err(invalid("capturing all subjects requires no-ack to be true"));
        }
        if config.num_replicas != 1 {
            return Err(invalid("capturing all subjects requires replicas of 1"));
        }
    }
    if config.no_ack {
        return Ok(());
    }
    if API_SPACES.iter().any(|space| collides(subject, space)) && !is_subset(subject, b"$JS.EVENT.>") {
        return Err(invalid(
            "subjects that overlap with jetstream api require no-ack to be true",
        ));
    }
    if collides(subject, b"$SYS.>") && !is_subset(subject, b"$SYS.ACCOUNT.>") {
        return Err(invalid(
            "subjects that overlap with system api require no-ack to be true",
        ));
    }
    Ok(())
}

/// Whether the destination of a transform fits its source. An empty destination only filters.
pub(super) fn check_mapping(transform: &SubjectTransform) -> Result<(), TransformError> {
    if transform.dest.is_empty() {
        return Ok(());
    }
    let blank = |c: char| c.is_ascii_whitespace();
    if transform
        .dest
        .split('.')
        .any(|token| token.contains(blank) && !token.starts_with("{{"))
    {
        return Err(TransformError::Destination);
    }
    Transform::new(&transform.src, &transform.dest).map(drop)
}

/// The stream's own transform and its republishing.
pub(super) fn transforms(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    if let Some(transform) = &config.subject_transform {
        if !transform.src.is_empty() && !is_valid_subject(transform.src.as_bytes()) {
            return Err(errors::stream_transform_invalid_source(format_args!(
                "invalid subject {}",
                transform.src
            )));
        }
        check_mapping(transform).map_err(errors::stream_transform_invalid_destination)?;
    }
    republish(config, context)
}

fn republish(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    let Some(republish) = &mut config.republish else {
        return Ok(());
    };
    if republish.src.is_empty() {
        context.correct("republish source can not be empty")?;
        republish.src = ">".to_owned();
    }
    // Everything to everything would be a circle, unless the stream's own transform gives all it keeps new names: then
    // those are what is published.
    if republish.src == ">"
        && republish.dest == ">"
        && let Some(transform) = &config.subject_transform
        && config.subjects.len() == 1
        && config.subjects[0] == transform.src
    {
        context.correct("implicit republish based on subject transform")?;
        republish.src.clone_from(&transform.dest);
        republish.dest.clone_from(&transform.dest);
    }
    if config
        .subjects
        .iter()
        .any(|s| collides(republish.dest.as_bytes(), s.as_bytes()))
    {
        return Err(invalid(
            "stream configuration for republish destination forms a cycle",
        ));
    }
    // An empty destination is taken and means none, as in the peer.
    if !republish.dest.is_empty() && Transform::new(&republish.src, &republish.dest).is_err() {
        return Err(invalid(format_args!(
            "stream configuration for republish with transform from '{}' to '{}' not valid",
            republish.src, republish.dest
        )));
    }
    Ok(())
}
