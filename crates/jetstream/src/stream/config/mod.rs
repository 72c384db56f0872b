//! Is this configuration one a stream may have? Defaults, checks and refusals of STREAM.CREATE and STREAM.UPDATE in the
//! peer's order and words (stream.go `checkStreamCfg`, `configUpdateCheck`). Decides only; keeps and changes nothing.

mod fields;
mod origins;
mod subjects;
mod update;

use natterjack_jsapi::ApiError;
use natterjack_jsapi::errors;
use natterjack_jsapi::stream::{Placement, StreamConfig, StreamRequest};
use natterjack_jsapi::subjects::{NameProblem, check_name};
use natterjack_jsapi::versioning;

use crate::environment::Environment;

pub use update::check_update;

/// The other streams of the account, as far as a configuration refers to them.
pub trait Streams: Sync {
    /// The configuration of the stream called `name`.
    fn config(&self, name: &str) -> Option<&StreamConfig>;
    /// Whether a stream other than `except` keeps a subject that one of `subjects` could name.
    fn overlaps(&self, subjects: &[String], except: &str) -> bool;
    /// All of them.
    fn all(&self) -> Vec<&StreamConfig>;
}

/// No other streams.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Streams for Alone {
    fn config(&self, _name: &str) -> Option<&StreamConfig> {
        None
    }

    fn overlaps(&self, _subjects: &[String], _except: &str) -> bool {
        false
    }

    fn all(&self) -> Vec<&StreamConfig> {
        Vec::new()
    }
}

/// What a check looks at beside the configuration itself.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Server and account.
    pub environment: &'a Environment,
    /// The account's streams.
    pub streams: &'a dyn Streams,
    /// Refuse what would be corrected silently.
    pub pedantic: bool,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("pedantic", &self.pedantic)
            .finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// Corrects silently, or refuses with `text` when pedantic.
    fn correct(&self, text: &str) -> Result<(), ApiError> {
        if self.pedantic {
            Err(errors::pedantic(text))
        } else {
            Ok(())
        }
    }
}

/// E10052 with a text.
pub(crate) fn invalid(text: impl std::fmt::Display) -> ApiError {
    errors::stream_invalid_config(text)
}

/// Checks `config` as both create and update do and returns it with defaults filled in.
///
/// # Errors
/// The first refusal, in the peer's order.
pub fn check(config: &StreamConfig, context: &Context<'_>) -> Result<StreamConfig, ApiError> {
    let mut config = config.clone();
    fields::names(&config)?;
    fields::limits(&mut config, context)?;
    fields::windows(&mut config, context)?;
    fields::features(&mut config, context)?;
    origins::check(&mut config, context)?;
    subjects::check(&mut config)?;
    bytes_limits(&config, context.environment)?;
    subjects::transforms(&mut config, context)?;
    if config
        .placement
        .as_ref()
        .is_some_and(|p| *p == Placement::default())
    {
        config.placement = None;
    }
    if config.placement.as_ref().is_some_and(|p| !p.preferred.is_empty()) {
        return Err(invalid("preferred server not permitted in placement"));
    }
    Ok(config)
}

/// The account's rules on `max_bytes`, where it has any for streams of so many copies.
fn bytes_limits(config: &StreamConfig, environment: &Environment) -> Result<(), ApiError> {
    let Ok(limits) = environment.allowances.limits(config.num_replicas) else {
        return Ok(());
    };
    let limit = match config.storage {
        natterjack_jsapi::stream::Storage::File => limits.storage_max_stream_bytes,
        natterjack_jsapi::stream::Storage::Memory => limits.memory_max_stream_bytes,
    };
    if limits.max_bytes_required && config.max_bytes <= 0 {
        return Err(errors::STREAM_MAX_BYTES_REQUIRED);
    }
    if limit > 0 && config.max_bytes > limit {
        return Err(errors::STREAM_MAX_STREAM_BYTES_EXCEEDED);
    }
    Ok(())
}

/// What a create request comes to.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made once for each request")]
pub enum Create {
    /// A stream of this name exists and is configured the same.
    Existing,
    /// A stream is made with this configuration, in its stored form.
    New(StreamConfig),
}

/// Checks a create request for the stream called `name` in its subject (jetstream_api.go `jsStreamCreateRequest`).
/// Whether there is room for it is not looked at here, only whether the account may have one stream more.
///
/// # Errors
/// The first refusal, in the peer's order.
pub fn check_create(name: &str, request: &StreamRequest, context: &Context<'_>) -> Result<Create, ApiError> {
    let wanted = &request.config;
    check_named(name, wanted)?;
    if wanted.sealed {
        return Err(invalid("stream configuration for create can not be sealed"));
    }
    if wanted.mirror_direct && wanted.mirror.is_none() {
        return Err(invalid("stream has no mirror but does have mirror direct"));
    }
    context
        .environment
        .allowances
        .check_count(wanted, context.streams)?;
    let mut config = check(wanted, context)?;
    if config.num_replicas > 1 && !context.environment.clustered {
        return Err(errors::STREAM_REPLICAS_NOT_SUPPORTED);
    }
    store_level(&mut config);
    if let Some(existing) = context.streams.config(name) {
        return if same(existing, &config) {
            Ok(Create::Existing)
        } else {
            Err(errors::STREAM_NAME_EXIST)
        };
    }
    if context.streams.overlaps(&config.subjects, name) {
        return Err(errors::STREAM_SUBJECT_OVERLAP);
    }
    Ok(Create::New(config))
}

fn check_named(name: &str, wanted: &StreamConfig) -> Result<(), ApiError> {
    if wanted.name != name {
        return Err(errors::STREAM_MISMATCH);
    }
    if name.contains(['\\', '/']) {
        return Err(errors::STREAM_NAME_CONTAINS_PATH_SEPARATORS);
    }
    Ok(())
}

/// Checks the configuration of a stream that is to be restored as `name`. What is wrong with it by itself is told first,
/// then that the account may have no more or `has_room` says there is none, then what is there already. It may be sealed.
///
/// # Errors
/// The first refusal, in the peer's order.
pub fn check_restore(
    name: &str,
    wanted: &StreamConfig,
    context: &Context<'_>,
    has_room: impl FnOnce(&StreamConfig) -> Result<(), ApiError>,
) -> Result<StreamConfig, ApiError> {
    check_named(name, wanted)?;
    let mut wanted = wanted.clone();
    let sealed = std::mem::take(&mut wanted.sealed);
    let mut config = check(&wanted, context)?;
    let allowances = &context.environment.allowances;
    allowances.check_count(&config, context.streams)?;
    has_room(&config)?;
    if context.streams.config(name).is_some() {
        return Err(errors::STREAM_NAME_EXIST_RESTORE_FAILED);
    }
    if config.num_replicas > 1 && !context.environment.clustered {
        return Err(errors::STREAM_REPLICAS_NOT_SUPPORTED);
    }
    if context.streams.overlaps(&config.subjects, name) {
        return Err(errors::STREAM_SUBJECT_OVERLAP);
    }
    store_level(&mut config);
    config.sealed = sealed;
    Ok(config)
}

/// Notes the API level the configuration needs: the stored form.
pub fn store_level(config: &mut StreamConfig) {
    let level = versioning::stream_level(config);
    versioning::set_stored(&mut config.metadata, level);
}

/// The configuration as it is shown: with the answering server's version beside the level it needs.
#[must_use]
pub fn shown(config: &StreamConfig) -> StreamConfig {
    let mut shown = config.clone();
    versioning::set_shown(&mut shown.metadata);
    shown
}

/// Whether two configurations are the same but for the keys that versioning adds.
#[must_use]
pub fn same(a: &StreamConfig, b: &StreamConfig) -> bool {
    let bare = |config: &StreamConfig| {
        let mut bare = config.clone();
        versioning::strip(&mut bare.metadata);
        bare
    };
    bare(a) == bare(b)
}

/// Whether `name` may name a stream or consumer.
fn is_asset_name(name: &str) -> bool {
    !matches!(check_name(name), Err(NameProblem::Empty | NameProblem::Character))
}

#[cfg(test)]
mod tests;
