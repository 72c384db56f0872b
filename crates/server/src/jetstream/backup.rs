//! Sends streams as archives and takes them back: chunks, the window of what is not acknowledged, and the file in which an
//! archive is kept until it is whole. What an archive holds is not decided here.

use std::fs::File;
use std::future::pending;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use natterjack_jetstream::archive::{CONSUMERS, Entry, Packer, STATE, Unpacker};
use natterjack_jetstream::{Effects as _, pack_messages};
use natterjack_jsapi::stream::StreamState;
use natterjack_jsapi::{ApiError, errors, json};
use natterjack_store::{Seq, Snapshot};
use tokio::sync::Notify;
use tokio::task::JoinError;
use tokio::time::timeout;

use super::account::JsAccount;
use super::stream::Stream;
use super::wire::Wire;
use crate::account::{Account, Watcher};
use crate::mailbox::{Mailbox, Pile};
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};

/// Between acknowledgements of chunks at most.
const ACK_WITHIN: Duration = Duration::from_secs(5);
/// For somebody to listen to the chunks at most: who asks may subscribe only then.
const INTEREST_WITHIN: Duration = Duration::from_secs(2);
/// Between chunks of a restore at most.
const CHUNK_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of chunks that wait to be written.
const CHUNKS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What names of files begin with in which archives are kept until they are whole.
const STAGED: &str = "restore-";
/// Messages taken back at a time.
const TAKE_MAX: usize = 256;

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

/// Chunks that came.
#[derive(Debug, Default)]
pub(super) struct Chunks(Vec<(Vec<u8>, Vec<u8>)>);

impl Pile for Chunks {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug)]
struct Intake(Arc<Mailbox<Chunks>>);

impl Service for Intake {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let reply = message.reply.unwrap_or_default().to_vec();
        let chunk = (reply, message.payload().to_vec());
        let full = self
            .0
            .push(message.body.len() + 64, |chunks| chunks.0.push(chunk));
        if full && lane.gate.is_none() {
            lane.gate = Some(Arc::clone(&self.0.gate));
        }
        true
    }
}

/// Where the chunks of a restore go, and what waits for them.
pub(super) struct Incoming {
    /// Chunks are published here.
    pub(super) subject: String,
    mailbox: Arc<Mailbox<Chunks>>,
    sub: Arc<Sub>,
    path: PathBuf,
}

/// Begins to listen for the chunks of `name`.
pub(super) fn listen(account: &JsAccount, name: &str) -> Incoming {
    let id = natterjack_subject::names::nuid(&mut rand::random);
    let subject = format!("$JS.SNAPSHOT.RESTORE.{name}.{id}");
    let mailbox = Arc::new(Mailbox::new(CHUNKS_BYTES_MAX));
    let sub = Sub::service(subject.as_bytes(), Arc::new(Intake(Arc::clone(&mailbox))));
    account.account.subscribe(&sub);
    Incoming {
        subject,
        mailbox,
        sub,
        path: account.jetstream.folder.join(format!("{STAGED}{id}")),
    }
}

/// All chunks of a restore.
pub(super) struct Taken {
    /// The file they are in.
    pub(super) path: PathBuf,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Who is to hear what came of it.
    pub(super) reply: Vec<u8>,
}

impl Incoming {
    /// Takes chunks until the empty one.
    pub(super) async fn take(&self, account: &JsAccount) -> Option<Taken> {
        let mut bytes = 0;
        let mut wire = Wire::new(&account.jetstream.server, &account.account);
        let mut chunks = Chunks::default();
        let mut file = File::create(&self.path).ok()?;
        loop {
            timeout(CHUNK_WITHIN, self.mailbox.arrived()).await.ok()?;
            self.mailbox.take(&mut chunks);
            for (reply, chunk) in chunks.0.drain(..) {
                self.mailbox.settle(chunk.len() + 64);
                if chunk.is_empty() {
                    file.sync_data().ok()?;
                    let path = self.path.clone();
                    return Some(Taken { path, bytes, reply });
                }
                bytes += chunk.len() as u64;
                file.write_all(&chunk).ok()?;
                if !reply.is_empty() {
                    wire.send(&reply, None, &[], &[]);
                }
            }
            wire.lane.flush();
        }
    }

    /// Stops listening and removes the file.
    pub(super) fn end(&self, account: &JsAccount) {
        account.account.unsubscribe_all(&[Arc::clone(&self.sub)]);
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// Removes files of restores that a stop cut short from the store's folder.
pub(super) fn remove_strays(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_stray = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(STAGED));
    for entry in entries.filter(|entry| is_stray(&entry.file_name())) {
        // One that stays takes space and nothing else.
        let _left = std::fs::remove_file(entry.path());
    }
}

/// Entries of an archive, some at a time.
fn some_entries(unpacker: &mut Unpacker<BufReader<File>>) -> Result<Vec<Entry>, ApiError> {
    let mut entries = Vec::new();
    while entries.len() < TAKE_MAX {
        match unpacker.next_entry().map_err(errors::stream_restore)? {
            Some(entry) => entries.push(entry),
            None => break,
        }
    }
    Ok(entries)
}

/// Fills a stream that nobody knows yet from the archive in `path`.
pub(super) async fn fill(stream: &Arc<Stream>, path: PathBuf) -> Result<(), ApiError> {
    let file = File::open(path).map_err(errors::stream_restore)?;
    let mut unpacker = Unpacker::new(BufReader::new(file));
    let mut state = StreamState::default();
    let mut consumers = Vec::new();
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let entries = some_entries(&mut unpacker);
            (unpacker, entries)
        });
        let (back, entries) = read.await.map_err(errors::stream_restore)?;
        unpacker = back;
        let mut messages = Vec::new();
        let entries = entries?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            if entry.seq > 0 {
                messages.push(entry);
            } else if name == STATE {
                state = json::from_slice(&entry.payload).map_err(errors::stream_restore)?;
            } else if let Some(name) = name.strip_prefix(CONSUMERS) {
                consumers.push((name.to_owned(), entry.payload));
            }
        }
        take_messages(stream, messages).await?;
    }
    let last = state.last_seq;
    ask(stream, move |owner| {
        owner.group.unpack_end(last, &consumers, crate::clock::now())
    })
    .await?;
    // What was taken is on its way to the disk: it is there when nothing is on its way any more.
    loop {
        let settled = stream.ask(|owner| owner.group.is_settled()).await;
        match settled {
            Some(true) => return Ok(()),
            Some(false) => {
                let _elapsed = timeout(Duration::from_millis(2), pending::<()>()).await;
            }
            None => return Err(errors::STREAM_NOT_FOUND),
        }
    }
}

async fn take_messages(stream: &Arc<Stream>, mut messages: Vec<Entry>) -> Result<(), ApiError> {
    while !messages.is_empty() {
        let rest = ask(stream, move |owner| {
            let mut taken = 0;
            while taken < messages.len() && !owner.group.batch_is_full() {
                owner.group.unpack_message(&messages[taken])?;
                taken += 1;
            }
            messages.drain(..taken);
            Ok(messages)
        });
        messages = rest.await?;
        if !messages.is_empty() {
            let _elapsed = timeout(Duration::from_millis(1), pending::<()>()).await;
        }
    }
    Ok(())
}

async fn ask<T: Send + 'static>(
    stream: &Arc<Stream>,
    call: impl FnOnce(&mut super::owner::Owner) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    stream.ask(call).await.unwrap_or(Err(errors::STREAM_NOT_FOUND))
}
