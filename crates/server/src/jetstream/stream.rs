//! A stream as everybody else sees it: where to put what concerns it, and what it looked like last.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use natterjack_jetstream::meta::Assignment;
use natterjack_jsapi::GoTime;
use natterjack_jsapi::consumer::ConsumerInfo;
use natterjack_jsapi::stream::{StreamConfig, StreamState};
use natterjack_store::GroupId;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot};

use super::inbox::{Call, Inbox, Item, Room};
use super::owner::Owner;
use crate::account::Watcher;
use crate::clock;
use crate::mailbox::Mailbox;
use crate::router::sub::Sub;

/// Bytes that may wait for a stream before producers do.
const INBOX_BYTES: usize = 16 * 1024 * 1024;

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Name.
    pub(crate) name: String,
    /// Its group in the store.
    pub(crate) group: GroupId,
    /// When it was made.
    pub(crate) created: GoTime,
    /// What stands before its name in ack and flow control subjects of the second form.
    pub(super) long_form: String,
    /// Configuration, in the stored form.
    pub(crate) config: RwLock<Arc<StreamConfig>>,
    /// Names of its consumers, and whether each takes acknowledgements.
    pub(crate) consumers: RwLock<HashMap<Box<[u8]>, bool>>,
    pub(super) inbox: Mailbox<Inbox>,
    pub(super) room: Room,
    pub(super) subs: Mutex<Vec<Arc<Sub>>>,
    /// What it held after its last round.
    pub(crate) state: Mutex<StreamState>,
    /// Publishers were told of messages that `state` does not have yet.
    pub(super) has_told: AtomicBool,
    /// Messages taken so far.
    pub(crate) published: AtomicU64,
    /// Told when there are more messages.
    pub(super) followers: Notify,
    /// Keys of the origins it follows.
    pub(super) following: Mutex<HashSet<String>>,
    /// For a mirror: whether it has nearly all of its origin.
    pub(super) is_close: AtomicBool,
}

impl Stream {
    pub(super) fn new(config: StreamConfig, assignment: &Assignment, long_form: String, room: Room) -> Self {
        Self {
            name: config.name.clone(),
            group: assignment.group,
            created: assignment.created,
            long_form,
            config: RwLock::new(Arc::new(config)),
            consumers: RwLock::default(),
            inbox: Mailbox::new(INBOX_BYTES),
            room,
            subs: Mutex::default(),
            state: Mutex::default(),
            has_told: AtomicBool::new(false),
            published: AtomicU64::new(0),
            followers: Notify::new(),
            following: Mutex::default(),
            is_close: AtomicBool::new(false),
        }
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> Arc<StreamConfig> {
        Arc::clone(&self.config.read())
    }

    /// Has its owner do something, in order with everything else.
    pub(super) fn call(&self, call: impl FnOnce(&mut Owner) + Send + 'static) {
        let call: Call = Box::new(call);
        self.inbox.push(0, |inbox| inbox.items.push(Item::Call(call)));
    }

    /// The same with something that reads only.
    pub(super) fn read(&self, read: impl FnOnce(&mut Owner) + Send + 'static) {
        self.call(move |owner| owner.read(read));
    }

    /// Has its owner do something, and waits for what comes of it; `None` when the stream has ended.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Owner) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.call(move |owner| {
            let _gone = sender.send(call(owner));
        });
        receiver.await.ok()
    }

    /// Waits until `state` has everything that publishers were told of.
    pub(crate) async fn shown(&self) {
        if self.has_told.load(Ordering::Acquire) {
            self.ask(|owner| owner.show()).await;
        }
    }

    /// All about its consumers, as their owner sees them.
    pub(crate) async fn consumer_infos(&self) -> Vec<ConsumerInfo> {
        let infos = self.ask(|owner| {
            let ids: Vec<u32> = owner.group.consumers().ids().collect();
            let now = clock::now();
            ids.iter()
                .filter_map(|id| owner.group.consumer_info(*id, now))
                .collect()
        });
        infos.await.unwrap_or_default()
    }
}

/// Tells a stream that listeners on a deliver subject may have changed.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) stream: Arc<Stream>,
    pub(super) consumer: u32,
}

impl Watcher for Listeners {
    fn on_change(&self) {
        let item = Item::Interest(self.consumer);
        self.stream.inbox.push(0, |inbox| inbox.items.push(item));
    }
}
