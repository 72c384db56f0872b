//! Checks of where a stream copies from: its mirror or its sources, how they are reached, and that nothing goes in circles.

use std::collections::{HashSet, VecDeque};

use natterjack_jsapi::stream::{StreamConfig, StreamSource, SubjectTransform};
use natterjack_jsapi::{ApiError, errors};
use natterjack_subject::{collides, is_literal, is_subset, is_valid_publish, is_valid_subject};

use super::subjects::check_mapping;
use super::{Context, invalid, is_asset_name};

/// What external origins and known local ones bring to the checks that come after all of them.
#[derive(Default)]
struct Seen {
    subjects: Vec<String>,
    deliver_prefixes: Vec<String>,
    api_prefixes: Vec<String>,
}

impl Seen {
    fn external(&mut self, source: &StreamSource) {
        if let Some(external) = &source.external {
            if !external.deliver.is_empty() {
                self.deliver_prefixes.push(external.deliver.clone());
            }
            if !external.api.is_empty() {
                self.api_prefixes.push(external.api.clone());
            }
        }
    }
}

/// Mirror, sources, prefixes, cycles.
pub(super) fn check(config: &mut StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    let mut seen = Seen::default();
    if let Some(mirror) = config.mirror.clone() {
        exclusions(config)?;
        mirror_itself(config, &mirror)?;
        if mirror.external.is_none() {
            mirror_origin(config, &mirror, context, &mut seen)?;
        }
        seen.external(&mirror);
    }
    if !config.sources.is_empty() && config.allow_msg_schedules {
        return Err(errors::SOURCE_WITH_MSG_SCHEDULES);
    }
    sources(config, context, &mut seen)?;
    prefixes(&seen)?;
    cycles(config, context)
}

/// What a mirror may not have.
fn exclusions(config: &StreamConfig) -> Result<(), ApiError> {
    let checks = [
        (config.first_seq > 0, errors::MIRROR_WITH_FIRST_SEQ),
        (!config.subjects.is_empty(), errors::MIRROR_WITH_SUBJECTS),
        (!config.sources.is_empty(), errors::MIRROR_WITH_SOURCES),
        (config.allow_msg_counter, errors::MIRROR_WITH_COUNTERS),
        (config.allow_atomic, errors::MIRROR_WITH_ATOMIC_PUBLISH),
        (config.allow_batched, errors::MIRROR_WITH_BATCH_PUBLISH),
        (config.allow_msg_schedules, errors::MIRROR_WITH_MSG_SCHEDULES),
    ];
    checks
        .into_iter()
        .find(|(refused, _)| *refused)
        .map_or(Ok(()), |(_, error)| Err(error))
}

/// Whether the durable consumer an origin was given names one, and nothing contradicts it.
fn consumer_fits(source: &StreamSource) -> bool {
    source.consumer.as_ref().is_none_or(|consumer| {
        let deliver = consumer.deliver_subject.as_bytes();
        is_asset_name(&consumer.name)
            && is_literal(deliver)
            && is_valid_subject(deliver)
            && source.opt_start_seq == 0
            && source.opt_start_time.is_none()
            && source.filter_subject.is_empty()
    })
}

fn bad_source(transform: &SubjectTransform) -> Option<String> {
    let invalid = !transform.src.is_empty() && !is_valid_subject(transform.src.as_bytes());
    invalid.then(|| format!("invalid subject {}", transform.src))
}

fn mirror_itself(config: &StreamConfig, mirror: &StreamSource) -> Result<(), ApiError> {
    if !consumer_fits(mirror) {
        return Err(errors::MIRROR_DURABLE_CONSUMER_CFG_INVALID);
    }
    if !mirror.filter_subject.is_empty() && !mirror.subject_transforms.is_empty() {
        return Err(errors::MIRROR_MULTIPLE_FILTERS_NOT_ALLOWED);
    }
    if config.subject_delete_marker_ttl.0 > 0 {
        return Err(invalid("subject delete markers forbidden on mirrors"));
    }
    for (n, transform) in mirror.subject_transforms.iter().enumerate() {
        if let Some(text) = bad_source(transform) {
            return Err(errors::mirror_invalid_subject_filter(text));
        }
        check_mapping(transform).map_err(errors::mirror_invalid_transform_destination)?;
        let overlaps = |(m, other): (usize, &SubjectTransform)| {
            m != n && collides(transform.src.as_bytes(), other.src.as_bytes())
        };
        if mirror.subject_transforms.iter().enumerate().any(overlaps) {
            return Err(errors::MIRROR_OVERLAPPING_SUBJECT_FILTERS);
        }
    }
    Ok(())
}

/// A mirror of a stream of this account: what is known of that stream must fit.
fn mirror_origin(
    config: &mut StreamConfig,
    mirror: &StreamSource,
    context: &Context<'_>,
    seen: &mut Seen,
) -> Result<(), ApiError> {
    if !is_asset_name(&mirror.name) {
        return Err(errors::MIRROR_INVALID_STREAM_NAME);
    }
    let Some(origin) = context.streams.config(&mirror.name) else {
        return Ok(());
    };
    seen.subjects.extend_from_slice(&origin.subjects);
    if is_smaller(config, origin) {
        return Err(errors::MIRROR_MAX_MESSAGE_SIZE_TOO_BIG);
    }
    if config.mirror_direct != origin.allow_direct {
        context.correct("origin stream has direct get set, mirror has it disabled")?;
        config.mirror_direct = origin.allow_direct;
    }
    Ok(())
}

/// Whether the origin may hold messages that are too large here.
fn is_smaller(config: &StreamConfig, origin: &StreamConfig) -> bool {
    config.max_msg_size > 0 && origin.max_msg_size > 0 && config.max_msg_size < origin.max_msg_size
}

fn sources(config: &StreamConfig, context: &Context<'_>, seen: &mut Seen) -> Result<(), ApiError> {
    let mut names = HashSet::new();
    let mut consumers = HashSet::new();
    for source in &config.sources {
        if !is_asset_name(&source.name) {
            return Err(errors::SOURCE_INVALID_STREAM_NAME);
        }
        if !names.insert(crate::source::index_name(source)) {
            return Err(errors::SOURCE_DUPLICATE_DETECTED);
        }
        source_filters(source)?;
        if !consumer_fits(source) {
            return Err(errors::SOURCE_DURABLE_CONSUMER_CFG_INVALID);
        }
        if source.consumer.is_some() && !consumers.insert(crate::source::consumer_name(source)) {
            return Err(errors::SOURCE_DURABLE_CONSUMER_DUPLICATE_DETECTED);
        }
        if source.external.is_none()
            && let Some(origin) = context.streams.config(&source.name)
        {
            seen.subjects.extend_from_slice(&origin.subjects);
            if is_smaller(config, origin) {
                return Err(errors::SOURCE_MAX_MESSAGE_SIZE_TOO_BIG);
            }
        }
        seen.external(source);
    }
    Ok(())
}

fn source_filters(source: &StreamSource) -> Result<(), ApiError> {
    let transforms = &source.subject_transforms;
    if !source.filter_subject.is_empty() && !transforms.is_empty() {
        return Err(errors::SOURCE_MULTIPLE_FILTERS_NOT_ALLOWED);
    }
    for transform in transforms {
        if let Some(text) = bad_source(transform) {
            return Err(errors::source_invalid_subject_filter(text));
        }
        check_mapping(transform).map_err(errors::source_invalid_transform_destination)?;
    }
    for (n, transform) in transforms.iter().enumerate() {
        let covered = |(m, other): (usize, &SubjectTransform)| {
            m != n && is_subset(transform.src.as_bytes(), other.src.as_bytes())
        };
        if transforms.iter().enumerate().any(covered) {
            return Err(errors::SOURCE_OVERLAPPING_SUBJECT_FILTERS);
        }
    }
    Ok(())
}

/// Deliveries and API calls under a prefix must not come back to the streams or the API of this account.
fn prefixes(seen: &Seen) -> Result<(), ApiError> {
    for prefix in &seen.deliver_prefixes {
        if !is_valid_publish(prefix.as_bytes()) {
            return Err(errors::stream_invalid_external_delivery_subj(prefix));
        }
        for subject in &seen.subjects {
            if collides(subject.as_bytes(), format!("{prefix}.{subject}").as_bytes()) {
                return Err(errors::stream_external_del_prefix_overlaps(prefix, subject));
            }
        }
    }
    for prefix in &seen.api_prefixes {
        if !is_valid_publish(prefix.as_bytes()) {
            return Err(invalid(format_args!(
                "stream external api prefix {prefix:?} must be a valid subject without wildcards"
            )));
        }
        if collides(prefix.as_bytes(), b"$JS.API") {
            return Err(errors::stream_external_api_overlap(prefix, "$JS.API"));
        }
    }
    Ok(())
}

/// Whether an origin is a stream of this account: it is not said to be elsewhere, or is reached by this server's own domain.
fn is_local(source: &StreamSource, context: &Context<'_>) -> bool {
    let domain = &context.environment.domain;
    source
        .external
        .as_ref()
        .is_none_or(|external| crate::source::is_own_api(&external.api, domain))
}

/// Follows local sources and mirrors back to where they come from; coming back here is refused.
fn cycles(config: &StreamConfig, context: &Context<'_>) -> Result<(), ApiError> {
    let mut visited: HashSet<&str> = HashSet::new();
    let mut waiting = VecDeque::from([config]);
    while let Some(at) = waiting.pop_front() {
        visited.insert(&at.name);
        for source in at.sources.iter().filter(|s| is_local(s, context)) {
            if visited.contains(source.name.as_str()) {
                if keeps(at, &source.filter_subject) {
                    return Err(invalid("detected cycle"));
                }
            } else if let Some(origin) = context.streams.config(&source.name) {
                waiting.push_back(origin);
            }
        }
        if let Some(mirror) = at.mirror.as_ref().filter(|m| is_local(m, context)) {
            if visited.contains(mirror.name.as_str()) {
                return Err(invalid("detected cycle"));
            }
            waiting.extend(context.streams.config(&mirror.name));
        }
    }
    Ok(())
}

/// Whether messages of `filter` could stand in the stream by its own subjects.
fn keeps(config: &StreamConfig, filter: &str) -> bool {
    filter.is_empty()
        || config
            .subjects
            .iter()
            .any(|s| collides(s.as_bytes(), filter.as_bytes()))
}
