//! Takes streams back from archives: the chunks that come, and the file in which an archive is kept until it is whole. What
//! an archive holds is not decided here.

use std::fs::File;
use std::future::pending;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use natterjack_jetstream::Effects as _;
use natterjack_jetstream::archive::{CONSUMERS, Entry, STATE, Unpacker};
use natterjack_jsapi::stream::StreamState;
use natterjack_jsapi::{ApiError, errors, json};
use tokio::time::timeout;

use super::account::JsAccount;
use super::stream::Stream;
use super::wire::Wire;
use crate::mailbox::{Mailbox, Pile};
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};

/// Between chunks of a restore at most.
const CHUNK_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of chunks that wait to be written.
const CHUNKS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What names of files begin with in which archives are kept until they are whole.
const STAGED: &str = "restore-";
/// Messages taken back at a time.
const TAKE_MAX: usize = 256;

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
        if full {
            lane.wait_at(&self.0.gate);
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
