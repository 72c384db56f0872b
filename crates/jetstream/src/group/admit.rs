//! May this consumer be made, changed, or is it there already? The rules of the create request in the peer's order
//! (jetstream_api.go `jsConsumerCreateRequest`, consumer.go `addConsumerWithAssignment`).

use natterjack_jsapi::consumer::{AckPolicy, ConsumerAction, ConsumerConfig, CreateRequest, DeliverPolicy};
use natterjack_jsapi::stream::{Retention, StreamConfig};
use natterjack_jsapi::{ApiError, errors, versioning};
use natterjack_subject::collides;

use super::Group;
use crate::clock::Now;
use crate::command::Command;
use crate::consumer::config::{check, check_update, filters};
use crate::consumer::{Limits, Surroundings};
use crate::effect::Effects;

/// What the subject of a create request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'a> {
    /// `CONSUMER.CREATE.<stream>`: an ephemeral named by the server.
    Unnamed,
    /// `CONSUMER.CREATE.<stream>.<consumer>[.<filter>]`.
    Named {
        /// Its name.
        consumer: &'a str,
        /// Its only filter.
        filter: Option<&'a str>,
    },
    /// `CONSUMER.DURABLE.CREATE.<stream>.<consumer>`.
    Durable {
        /// Its name.
        consumer: &'a str,
    },
}

/// What a create request comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Admitted {
    /// It is there already, just so.
    Existing(u32),
    /// This makes or changes it.
    Proposed(Command),
}

/// Checks the request against its subject, before anything else is looked at.
///
/// # Errors
/// The peer's.
pub fn check_form(stream: &str, form: Form<'_>, request: &mut CreateRequest) -> Result<(), ApiError> {
    let config = &mut request.config;
    if request.stream_name != stream {
        return Err(errors::STREAM_MISMATCH);
    }
    let named = match form {
        Form::Unnamed => "",
        Form::Named { consumer, .. } | Form::Durable { consumer } => consumer,
    };
    let named = if named.is_empty() {
        config.name.as_str()
    } else {
        named
    };
    if named.contains(['\\', '/']) {
        return Err(errors::CONSUMER_NAME_CONTAINS_PATH_SEPARATORS);
    }
    match form {
        Form::Durable { consumer } => {
            if config.durable_name.is_empty() {
                return Err(errors::CONSUMER_DURABLE_NAME_NOT_SET);
            }
            if config.durable_name != consumer {
                return Err(errors::CONSUMER_DURABLE_NAME_NOT_MATCH_SUBJECT);
            }
            consumer.clone_into(&mut config.name);
        }
        Form::Named { consumer, .. } => {
            if !config.durable_name.is_empty() && config.durable_name != consumer {
                return Err(errors::CONSUMER_DURABLE_NAME_NOT_MATCH_SUBJECT);
            }
            consumer.clone_into(&mut config.name);
        }
        Form::Unnamed if !config.durable_name.is_empty() => {
            return Err(errors::CONSUMER_EPHEMERAL_WITH_DURABLE_NAME);
        }
        Form::Unnamed => {}
    }
    if let Form::Named {
        filter: Some(filter), ..
    } = form
    {
        if !config.filter_subjects.is_empty() {
            return Err(errors::CONSUMER_MULTIPLE_FILTERS_NOT_ALLOWED);
        }
        if config.filter_subject != filter {
            return Err(errors::CONSUMER_CREATE_FILTER_SUBJECT_MISMATCH);
        }
    }
    Ok(())
}

fn bare(config: &ConsumerConfig) -> ConsumerConfig {
    let mut bare = config.clone();
    versioning::strip(&mut bare.metadata);
    bare
}

impl Group {
    /// Decides on a request that passed [`check_form`]. `name` is what an unnamed consumer is called, `fx` knows who listens.
    ///
    /// # Errors
    /// The peer's.
    pub fn admit_consumer(
        &mut self,
        request: CreateRequest,
        limits: &Limits,
        name: impl FnOnce() -> String,
        now: Now,
        fx: &dyn Effects,
    ) -> Result<Admitted, ApiError> {
        let CreateRequest {
            mut config,
            action,
            pedantic,
            ..
        } = request;
        let mut two_names = false;
        if !config.durable_name.is_empty() {
            two_names = !config.name.is_empty() && config.name != config.durable_name;
            config.name.clone_from(&config.durable_name);
        }
        let existing = self.consumers.lookup(&config.name);
        let mut durable = !config.durable_name.is_empty();
        if let Some(old) = existing.and_then(|id| self.consumers.config(id)) {
            // Only a pause request changes it later.
            config.pause_until = old.pause_until;
            // One that was durable and goes on without a threshold keeps none.
            durable = !old.durable_name.is_empty() || old.inactive_threshold.0 == 0;
        }
        let around = Surroundings {
            stream: self.stream.config(),
            limits,
            pedantic,
            durable,
        };
        check(&mut config, &around)?;
        let fits_names = || {
            let error = errors::CONSUMER_CREATE_DURABLE_AND_NAME_MISMATCH;
            if two_names { Err(error) } else { Ok(()) }
        };
        if let Some(id) = existing {
            self.check_unique(&config, existing)?;
            fits_names()?;
            return self.admit_existing(id, config, action, fx);
        }
        if action == ConsumerAction::Update {
            return Err(errors::CONSUMER_DOES_NOT_EXIST);
        }
        let own = self.stream.config().max_consumers;
        let most = if own > 0 { own } else { limits.max_consumers };
        let counted = !config.direct && !config.sourcing;
        if counted && usize::try_from(most).is_ok_and(|most| most > 0 && self.consumers.counted() >= most) {
            return Err(errors::MAXIMUM_CONSUMERS_LIMIT);
        }
        self.check_unique(&config, None)?;
        fits_names()?;
        let named = if config.name.is_empty() {
            name()
        } else {
            config.name.clone()
        };
        Ok(Admitted::Proposed(self.prepare_consumer(named, config, now)))
    }

    fn admit_existing(
        &self,
        id: u32,
        config: ConsumerConfig,
        action: ConsumerAction,
        fx: &dyn Effects,
    ) -> Result<Admitted, ApiError> {
        let Some(old) = self.consumers.config(id) else {
            return Err(errors::CONSUMER_DOES_NOT_EXIST);
        };
        // One without a durable name is never the same as one to be created.
        let fresh = action == ConsumerAction::Create && old.durable_name.is_empty();
        let same_metadata = action == ConsumerAction::Create || old.metadata == config.metadata;
        if bare(old) == bare(&config) && !fresh && same_metadata {
            return Ok(Admitted::Existing(id));
        }
        if action == ConsumerAction::Create {
            return Err(errors::CONSUMER_ALREADY_EXISTS);
        }
        // Whoever listens counts, also those to whom the consumer does not deliver: in other queue groups, or by wildcards.
        let heard = fx.has_interest(old.deliver_subject.as_bytes(), None);
        check_update(old, &config, heard)?;
        Ok(Admitted::Proposed(Command::ConsumerUpdate {
            id,
            config: Box::new(config),
        }))
    }

    /// Whether the consumers there are fit into the limits of another configuration of the stream.
    ///
    /// # Errors
    /// The peer's, with the names of those that do not.
    pub fn check_consumers(&self, stream: &StreamConfig) -> Result<(), ApiError> {
        let limits = &stream.consumer_limits;
        let over = |config: &ConsumerConfig| {
            limits.max_ack_pending > 0 && config.max_ack_pending > limits.max_ack_pending
                || limits.inactive_threshold.0 > 0 && config.inactive_threshold > limits.inactive_threshold
        };
        let consumers = self.consumers.ids().filter_map(|id| self.consumers.get(id));
        let names: Vec<&str> = consumers.filter(|c| over(&c.config)).map(|c| c.name()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let names = names.join(", ");
        Err(errors::stream_update(format_args!(
            "change to limits violates consumers: {names}"
        )))
    }

    /// On a work queue each message has one consumer.
    fn check_unique(&self, config: &ConsumerConfig, except: Option<u32>) -> Result<(), ApiError> {
        if self.stream.config().retention != Retention::WorkQueue || config.direct || config.sourcing {
            return Ok(());
        }
        // What an update may not change has errors of its own.
        if except.is_none() {
            if !matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::FlowControl) {
                return Err(errors::CONSUMER_WQ_REQUIRES_EXPLICIT_ACK);
            }
            if config.deliver_policy != DeliverPolicy::All {
                return Err(errors::CONSUMER_WQ_CONSUMER_NOT_DELIVER_ALL);
            }
        }
        let wanted = filters(config);
        for id in self.consumers.ids().filter(|id| Some(*id) != except) {
            let Some(other) = self.consumers.config(id) else {
                continue;
            };
            // Of an update the peer asks only whether filters are shared.
            if wanted.is_empty() && except.is_some() {
                break;
            }
            if wanted.is_empty() {
                return Err(errors::CONSUMER_WQ_MULTIPLE_UNFILTERED);
            }
            let theirs = filters(other);
            let shared = theirs.is_empty()
                || theirs
                    .iter()
                    .any(|t| wanted.iter().any(|w| collides(t.as_bytes(), w.as_bytes())));
            if shared {
                return Err(errors::CONSUMER_WQ_CONSUMER_NOT_UNIQUE);
            }
        }
        Ok(())
    }
}
