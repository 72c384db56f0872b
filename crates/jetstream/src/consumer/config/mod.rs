//! Whether a consumer may be configured so: defaults, checks and corrections, in the order and words of the peer, asked by
//! running it.

mod defaults;
mod policy;

use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};
use natterjack_jsapi::json::quoted;
use natterjack_jsapi::stream::{Retention, StreamConfig};
use natterjack_jsapi::subjects::{NAME_BYTES_MAX, NameProblem, check_name};
use natterjack_jsapi::{ApiError, Nanos, errors, versioning};
use natterjack_subject::{collides, is_literal, is_subset, is_valid_subject};

use crate::limits::{DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX};
use defaults::fill_defaults;
pub use policy::check_group_name;
use policy::{check_flow_ack, check_groups, check_start};

/// Shortest heartbeat.
const HEARTBEAT_MIN: Nanos = Nanos::from_millis(100);
/// What the server and the account allow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Unacknowledged messages; 0 and negative are unlimited.
    pub max_ack_pending: i64,
    /// Largest pull batch; 0 is unlimited.
    pub max_request_batch: i64,
    /// Consumers of a stream; 0 and negative are unlimited.
    pub max_consumers: i64,
}

/// What checks look at beside the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The stream.
    pub stream: &'a StreamConfig,
    /// Limits.
    pub limits: &'a Limits,
    /// Refuse instead of correcting.
    pub pedantic: bool,
    /// Whether the consumer stays without a client. An update does not change it, whatever names it gives.
    pub durable: bool,
}

fn pedantic(on: bool, text: &str) -> Result<(), ApiError> {
    if on { Err(errors::pedantic(text)) } else { Ok(()) }
}

fn when(refuse: bool, error: ApiError) -> Result<(), ApiError> {
    if refuse { Err(error) } else { Ok(()) }
}

/// Fills in defaults, then checks.
///
/// # Errors
/// The peer's.
pub fn check(config: &mut ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    // As asked for: corrections below do not lower it.
    let level = versioning::consumer_level(config);
    // Streams have no more than one copy here.
    when(
        config.num_replicas > 1 && around.stream.num_replicas <= 1,
        errors::STREAM_REPLICAS_NOT_SUPPORTED,
    )?;
    fill_defaults(config, around)?;
    check_names(config)?;
    check_waits(config)?;
    check_flow_ack(config, around)?;
    check_backoff(config)?;
    if config.deliver_subject.is_empty() {
        check_pull(config, around)?
    } else {
        check_push(config, around)?
    }
    check_limits(config, around)?;
    check_direct(config)?;
    check_filters(config)?;
    check_start(config)?;
    check_sampling(config)?;
    when(
        config.flow_control && config.idle_heartbeat.0 == 0,
        errors::CONSUMER_WITH_FLOW_CONTROL_NEEDS_HEARTBEATS,
    )?;
    check_metadata(config)?;
    check_groups(config)?;
    check_retention(config, around)?;
    check_name_lengths(config)?;
    versioning::set_stored(&mut config.metadata, level);
    Ok(())
}

/// The name that stays and the name, and what errors call them.
fn names(config: &ConsumerConfig) -> [(&str, &'static str); 2] {
    [(&config.name, "name"), (&config.durable_name, "durable name")]
}

fn check_names(config: &ConsumerConfig) -> Result<(), ApiError> {
    for (name, what) in names(config) {
        if check_name(name) == Err(NameProblem::Character) {
            return Err(errors::stream_invalid_config(format_args!(
                "consumer {what} can not contain '.', '*', '>', '\\', '/'"
            )));
        }
    }
    Ok(())
}

/// The last thing that is looked at.
fn check_name_lengths(config: &ConsumerConfig) -> Result<(), ApiError> {
    let long = names(config).iter().any(|(name, _)| name.len() > NAME_BYTES_MAX);
    when(long, errors::consumer_name_too_long(NAME_BYTES_MAX))
}

fn check_waits(config: &ConsumerConfig) -> Result<(), ApiError> {
    when(config.num_replicas < 0, errors::REPLICAS_COUNT_CANNOT_BE_NEGATIVE)?;
    when(
        config.backoff.iter().any(|b| b.0 < 0),
        errors::CONSUMER_BACK_OFF_NEGATIVE,
    )?;
    when(config.ack_wait.0 < 0, errors::CONSUMER_ACK_WAIT_NEGATIVE)
}

fn check_backoff(config: &ConsumerConfig) -> Result<(), ApiError> {
    let backoffs = i64::try_from(config.backoff.len()).unwrap_or(i64::MAX);
    when(
        config.max_deliver >= 0 && backoffs > config.max_deliver,
        errors::CONSUMER_MAX_DELIVER_BACKOFF,
    )?;
    when(
        config.description.len() > DESCRIPTION_BYTES_MAX,
        errors::consumer_description_too_long(DESCRIPTION_BYTES_MAX),
    )
}

fn check_metadata(config: &ConsumerConfig) -> Result<(), ApiError> {
    let bytes: usize = config.metadata.iter().map(|(k, v)| k.len() + v.len()).sum();
    when(
        bytes > METADATA_BYTES_MAX,
        errors::consumer_metadata_length("128KB"),
    )
}

fn check_direct(config: &ConsumerConfig) -> Result<(), ApiError> {
    when(
        config.direct && config.deliver_subject.is_empty(),
        errors::CONSUMER_DIRECT_REQUIRES_PUSH,
    )?;
    when(
        config.direct && !config.durable_name.is_empty(),
        errors::CONSUMER_DIRECT_REQUIRES_EPHEMERAL,
    )
}

fn check_push(config: &ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    let deliver = config.deliver_subject.as_bytes();
    when(
        !is_valid_subject(deliver),
        errors::CONSUMER_INVALID_DELIVER_SUBJECT,
    )?;
    when(!is_literal(deliver), errors::CONSUMER_DELIVER_TO_WILDCARDS)?;
    let cycle = around
        .stream
        .subjects
        .iter()
        .any(|s| collides(s.as_bytes(), deliver));
    when(cycle, errors::CONSUMER_DELIVER_CYCLE)?;
    when(config.max_waiting != 0, errors::CONSUMER_PUSH_MAX_WAITING)?;
    when(
        config.max_ack_pending > 0 && config.ack_policy == AckPolicy::None,
        errors::CONSUMER_MAX_PENDING_ACK_POLICY_REQUIRED,
    )?;
    when(
        config.idle_heartbeat.0 > 0 && config.idle_heartbeat < HEARTBEAT_MIN,
        errors::CONSUMER_SMALL_HEARTBEAT,
    )
}

fn check_pull(config: &ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    when(
        around.stream.retention == Retention::WorkQueue && config.ack_policy == AckPolicy::None,
        errors::CONSUMER_PULL_REQUIRES_ACK,
    )?;
    when(config.rate_limit_bps > 0, errors::CONSUMER_PULL_WITH_RATE_LIMIT)?;
    when(config.idle_heartbeat.0 > 0, errors::CONSUMER_HB_REQUIRES_PUSH)?;
    when(config.flow_control, errors::CONSUMER_FC_REQUIRES_PUSH)?;
    when(config.max_batch < 0, errors::CONSUMER_MAX_REQUEST_BATCH_NEGATIVE)?;
    when(
        config.max_expires.0 != 0 && config.max_expires < Nanos::from_millis(1),
        errors::CONSUMER_MAX_REQUEST_EXPIRES_TOO_SMALL,
    )
}

fn check_limits(config: &ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    let limits = around.limits;
    if limits.max_request_batch > 0 && config.max_batch > limits.max_request_batch {
        return Err(errors::consumer_max_request_batch_exceeded(
            limits.max_request_batch,
        ));
    }
    let stream = &around.stream.consumer_limits;
    for limit in [stream.max_ack_pending, limits.max_ack_pending] {
        if limit > 0 && config.max_ack_pending > limit {
            return Err(errors::consumer_max_pending_ack_excess(limit));
        }
    }
    if stream.inactive_threshold.0 > 0 && config.inactive_threshold > stream.inactive_threshold {
        return Err(errors::consumer_inactive_threshold_excess(
            stream.inactive_threshold,
        ));
    }
    when(
        config.num_replicas > around.stream.num_replicas,
        errors::CONSUMER_REPLICAS_EXCEEDS_STREAM,
    )
}

/// The filters of a configuration, however they are given.
#[must_use]
pub fn filters(config: &ConsumerConfig) -> Vec<&str> {
    if config.filter_subject.is_empty() {
        config.filter_subjects.iter().map(String::as_str).collect()
    } else {
        vec![&config.filter_subject]
    }
}

fn check_filters(config: &ConsumerConfig) -> Result<(), ApiError> {
    when(
        !config.filter_subject.is_empty() && !config.filter_subjects.is_empty(),
        errors::CONSUMER_DUPLICATE_FILTER_SUBJECTS,
    )?;
    when(
        config.filter_subjects.iter().any(String::is_empty) && !config.filter_subjects.is_empty(),
        errors::CONSUMER_EMPTY_FILTER,
    )?;
    let list = filters(config);
    for (n, filter) in list.iter().enumerate() {
        if !is_valid_subject(filter.as_bytes()) {
            return Err(errors::stream_invalid_config("invalid subject"));
        }
        // Filters that cross without one holding the other are let through, as by the peer.
        let overlaps = |o: &&str| {
            is_subset(filter.as_bytes(), o.as_bytes()) || is_subset(o.as_bytes(), filter.as_bytes())
        };
        when(
            list[..n].iter().any(overlaps),
            errors::CONSUMER_OVERLAPPING_SUBJECT_FILTERS,
        )?;
    }
    Ok(())
}

/// Percent of acknowledgements to sample; 0 is none.
///
/// # Errors
/// The text behind `failed to parse consumer sampling configuration: `.
pub fn sample_percent(text: &str) -> Result<u8, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let digits = text.trim_end_matches('%');
    match digits.parse::<i64>() {
        // The peer puts the error of the conversion here, and there is none.
        Ok(n) if n < 0 => Err("<nil>".into()),
        Ok(n) => Ok(u8::try_from(n.min(100)).unwrap_or(100)),
        Err(_) => Err(format!(
            "strconv.Atoi: parsing {}: invalid syntax",
            quoted(digits)
        )),
    }
}

fn check_sampling(config: &ConsumerConfig) -> Result<(), ApiError> {
    sample_percent(&config.sample_freq)
        .map(|_| ())
        .map_err(errors::consumer_invalid_sampling)
}

fn check_retention(config: &ConsumerConfig, around: &Surroundings<'_>) -> Result<(), ApiError> {
    let replicas = config.num_replicas;
    if around.stream.retention != Retention::Limits && replicas > 0 && replicas != around.stream.num_replicas
    {
        return Err(errors::CONSUMER_REPLICAS_SHOULD_MATCH_STREAM);
    }
    Ok(())
}

/// Checks whether a consumer may get another configuration; `heard` says that somebody listens on its deliver subject.
///
/// # Errors
/// The peer's, as [`errors::consumer_create`].
pub fn check_update(old: &ConsumerConfig, new: &ConsumerConfig, heard: bool) -> Result<(), ApiError> {
    let fixed: [(bool, &str); 13] = [
        (
            old.deliver_policy != new.deliver_policy,
            "deliver policy can not be updated",
        ),
        (
            old.opt_start_seq != new.opt_start_seq,
            "start sequence can not be updated",
        ),
        (
            old.opt_start_time != new.opt_start_time,
            "start time can not be updated",
        ),
        (
            old.mem_storage != new.mem_storage,
            "storage type can not be updated",
        ),
        (old.ack_policy != new.ack_policy, "ack policy can not be updated"),
        (
            old.replay_policy != new.replay_policy,
            "replay policy can not be updated",
        ),
        (
            old.idle_heartbeat != new.idle_heartbeat,
            "heart beats can not be updated",
        ),
        (
            old.flow_control != new.flow_control,
            "flow control can not be updated",
        ),
        (
            old.deliver_subject.is_empty() && !new.deliver_subject.is_empty(),
            "can not update pull consumer to push based",
        ),
        (
            !old.deliver_subject.is_empty() && new.deliver_subject.is_empty(),
            "can not update push consumer to pull based",
        ),
        (
            old.max_waiting != new.max_waiting,
            "max waiting can not be updated",
        ),
        (old.direct != new.direct, "direct can not be updated"),
        (old.sourcing != new.sourcing, "sourcing can not be updated"),
    ];
    if let Some((_, text)) = fixed.iter().find(|(differs, _)| *differs) {
        return Err(errors::consumer_create(text));
    }
    if old.deliver_subject != new.deliver_subject && heard {
        return Err(errors::CONSUMER_NAME_EXIST);
    }
    Ok(())
}
