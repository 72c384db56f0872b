//! Sends streams as archives: chunks, and the window of what is not acknowledged. What an archive holds is not decided here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use natterjack_jetstream::archive::Packer;
use natterjack_jetstream::{Effects as _, pack_messages};
use natterjack_store::{Seq, Snapshot};
use tokio::sync::Notify;
use tokio::task::JoinError;
use tokio::time::timeout;

use super::account::JsAccount;
use super::wire::Wire;
use crate::account::{Account, Watcher};
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};

/// Between acknowledgements of chunks at most.
const ACK_WITHIN: Duration = Duration::from_secs(5);
/// For somebody to listen to the chunks at most: who asks may subscribe only then.
const INTEREST_WITHIN: Duration = Duration::from_secs(2);

/// What a snapshot was asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) deliver: String,
    pub(super) chunk: usize,
    pub(super) window: usize,
}

/// Bytes on their way to who asked.
#[derive(Debug, Default)]
struct Window {
    flying: AtomicUsize,
    /// A chunk was acknowledged, or who listens to the chunks may have changed.
    changed: Notify,
}

impl Watcher for Window {
    fn on_change(&self) {
        self.changed.notify_one();
    }
}

impl Service for Window {
    fn on_message(&self, message: &Routed<'_>, _: &mut Lane) -> bool {
        // …ACK.<stream>.<id>.<size>.<index>
        let size = natterjack_subject::tokens(message.subject).nth(5);
        let size = size.and_then(|s| std::str::from_utf8(s).ok()?.parse::<usize>().ok());
        let size = size.unwrap_or(0);
        let less = |n: usize| Some(n.saturating_sub(size));
        let _before = self
            .flying
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.changed.notify_one();
        true
    }
}

/// What is left to be packed of a stream whose head is packed already.
pub(super) struct Packing {
    pub(super) packer: Packer,
    pub(super) snapshot: Snapshot,
}

impl Packing {
    /// Packs some messages from `from` on, away from what else goes on: reading may wait for the disk. Returns where to go on,
    /// if there is more.
    async fn pack(self, from: Seq) -> Result<(Self, Option<Seq>), JoinError> {
        let packed = tokio::task::spawn_blocking(move || {
            let Self { mut packer, snapshot } = self;
            let next = pack_messages(&snapshot, &mut packer, from);
            (Self { packer, snapshot }, next)
        });
        packed.await
    }
}

/// Sends a stream as it was when it was pinned.
pub(super) async fn send(name: &str, account: &JsAccount, wanted: &Wanted, packing: Packing) {
    let server = &account.jetstream.server;
    let mut wire = Wire::new(server, &account.account);
    let id = natterjack_subject::names::nuid(&mut rand::random);
    let prefix = format!("$JS.SNAPSHOT.ACK.{name}.{id}");
    let window = Arc::new(Window::default());
    let sub = Sub::service(
        format!("{prefix}.>").as_bytes(),
        Arc::clone(&window) as Arc<dyn Service>,
    );
    account.account.subscribe(&sub);
    let watching = rand::random();
    let watcher = Arc::clone(&window) as Arc<dyn Watcher>;
    account
        .account
        .watch(wanted.deliver.as_bytes(), watching, watcher);
    somebody(&account.account, &window, wanted).await;
    let mut out = Outgoing {
        wire: &mut wire,
        window: &window,
        wanted,
        prefix,
        index: 0,
        ready: Vec::new(),
    };
    match out.all(packing).await {
        Ok(()) => out.end(),
        Err(line) => {
            let block = format!("NATS/1.0 {line}\r\n\r\n");
            wire.send(wanted.deliver.as_bytes(), None, block.as_bytes(), &[]);
        }
    }
    wire.lane.flush();
    account.account.unwatch(wanted.deliver.as_bytes(), watching);
    account.account.unsubscribe_all(&[sub]);
}

/// Waits until somebody listens to the chunks, or for so long that nobody will.
async fn somebody(account: &Account, window: &Window, wanted: &Wanted) {
    let heard = async {
        while !account.has_interest(wanted.deliver.as_bytes(), None) {
            window.changed.notified().await;
        }
    };
    let _nobody = timeout(INTEREST_WITHIN, heard).await;
}

struct Outgoing<'a> {
    wire: &'a mut Wire,
    window: &'a Window,
    wanted: &'a Wanted,
    prefix: String,
    index: u64,
    ready: Vec<u8>,
}

impl Outgoing<'_> {
    fn is_heard(&self) -> bool {
        self.wire.has_interest(self.wanted.deliver.as_bytes(), None)
    }

    /// Sends everything in chunks; what does not fill one is left.
    async fn all(&mut self, mut packing: Packing) -> Result<(), &'static str> {
        let mut from = Some(packing.snapshot.state().first_seq);
        while let Some(at) = from {
            let packed = packing.pack(at).await;
            (packing, from) = packed.map_err(|_| "500 Server Is Shutting Down")?;
            self.ready.extend(packing.packer.take());
            self.full_chunks().await?;
        }
        self.ready.extend(packing.packer.finish());
        self.full_chunks().await
    }

    async fn full_chunks(&mut self) -> Result<(), &'static str> {
        let size = self.wanted.chunk;
        let ready = std::mem::take(&mut self.ready);
        let mut chunks = ready.chunks_exact(size);
        for chunk in &mut chunks {
            while self.is_heard() && self.window.flying.load(Ordering::Relaxed) + size > self.wanted.window {
                if timeout(ACK_WITHIN, self.window.changed.notified()).await.is_err() {
                    return Err("408 No Flow Response");
                }
            }
            if !self.is_heard() {
                return Err("408 No Interest");
            }
            self.window.flying.fetch_add(size, Ordering::Relaxed);
            self.index += 1;
            let reply = format!("{}.{size}.{}", self.prefix, self.index);
            let to = self.wanted.deliver.as_bytes();
            self.wire.send(to, Some(reply.as_bytes()), &[], chunk);
            self.wire.lane.flush();
        }
        self.ready = chunks.remainder().to_vec();
        Ok(())
    }

    fn end(&mut self) {
        let to = self.wanted.deliver.as_bytes();
        if !self.ready.is_empty() {
            self.wire.send(to, None, &[], &self.ready);
        }
        // What fits into one chunk ends without a status, as the peer has it: the empty message alone is the end.
        let status: &[u8] = if self.index == 0 {
            b""
        } else {
            b"NATS/1.0 204\r\n\r\n"
        };
        self.wire.send(to, None, status, &[]);
    }
}
