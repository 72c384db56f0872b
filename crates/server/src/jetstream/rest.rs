//! Streams of an account whose JetStream a reload turns off: they rest, which is to keep what they have and do nothing, until it
//! is on again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_jetstream::Now;
use natterjack_jetstream::source::Next;
use natterjack_jsapi::stream::Storage;

use super::account::JsAccount;
use super::owner::Owner;
use super::services;
use super::stream::Stream;
use super::upstream;
use crate::clock;

/// Between looks of those who copy for a stream that rests, nanoseconds.
const LOOK_NS: u64 = 1_000_000_000;

impl JsAccount {
    /// Takes a stream in and lets it listen, or rest where JetStream is not on.
    pub(super) fn add(&self, stream: Arc<Stream>) {
        let mut streams = self.streams.write();
        streams.insert(stream.name.clone(), Arc::clone(&stream));
        self.set_going(&stream, self.is_enabled());
    }

    /// Turns JetStream on or off for the account. What is kept in memory goes with it, as the peer's does.
    pub(super) fn switch(self: &Arc<Self>, on: bool) {
        let streams = self.streams.write();
        if self.enabled.swap(on, Ordering::AcqRel) == on {
            return;
        }
        for stream in streams.values() {
            self.set_going(stream, on);
        }
        let forgotten = streams
            .values()
            .filter(|s| !on && s.config().storage == Storage::Memory);
        for stream in forgotten.cloned() {
            let account = Arc::clone(self);
            tokio::spawn(async move {
                let name = &stream.name;
                if let Err(error) = account.delete(&stream).await {
                    tracing::error!("Stream {name:?} could not be removed: {error}");
                }
            });
        }
    }

    /// Lets a stream listen and copy from its origins, or do nothing but keep what it has.
    fn set_going(&self, stream: &Arc<Stream>, going: bool) {
        stream.call(move |owner| owner.rests = !going);
        if going {
            services::listen(stream, &self.account);
            upstream::follow(stream, self);
        } else {
            services::silence(stream, &self.account);
        }
    }
}

impl Owner {
    /// When the group next has something to do by itself.
    pub(super) fn deadline_ns(&mut self, now: Now) -> Option<u64> {
        self.group.next_deadline_ns(now).filter(|_| !self.rests)
    }

    /// What it wants of an origin next.
    pub(super) fn ask_upstream(&self, key: &str) -> Next {
        if self.rests {
            return Next::Wait(LOOK_NS);
        }
        self.group.ask_upstream(key, clock::now())
    }
}
