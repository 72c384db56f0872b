//! What checks of a stream's configuration look at: the account's other streams and its limits, as they are at one time.

use std::collections::HashMap;
use std::sync::Arc;

use natterjack_jetstream::Environment;
use natterjack_jetstream::stream::{Context, Streams};
use natterjack_jsapi::stream::StreamConfig;
use natterjack_subject::collides;

/// The account at one time: configurations of its streams, and what it may use.
#[derive(Debug)]
pub(super) struct Configs {
    pub(super) streams: HashMap<String, Arc<StreamConfig>>,
    pub(super) environment: Arc<Environment>,
}

impl Configs {
    /// The configuration of a stream.
    pub(super) fn get(&self, name: &str) -> Option<&StreamConfig> {
        self.streams.get(name).map(AsRef::as_ref)
    }

    /// What checks of configurations look at.
    pub(super) fn context(&self, pedantic: bool) -> Context<'_> {
        Context {
            environment: &self.environment,
            streams: self,
            pedantic,
        }
    }
}

impl Streams for Configs {
    fn config(&self, name: &str) -> Option<&StreamConfig> {
        self.get(name)
    }

    fn overlaps(&self, subjects: &[String], except: &str) -> bool {
        let others = self.streams.values().filter(|c| c.name != except);
        others.flat_map(|c| &c.subjects).any(|own| {
            subjects
                .iter()
                .any(|wanted| collides(own.as_bytes(), wanted.as_bytes()))
        })
    }

    fn all(&self) -> Vec<&StreamConfig> {
        self.streams.values().map(AsRef::as_ref).collect()
    }
}
