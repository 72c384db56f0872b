//! A segmented message log with a shared journal: what is acknowledged is on disk.
//!
//! A [`Store`] is a directory. Each stream in it is a group: its entries (batches of messages, or commands in the owner's
//! own encoding) go to one journal shared by all groups, which is forced to disk once for everything that waited. Applied
//! messages are copied to segments in the background; a checkpoint then lets the journal's files be used again.
//!
//! ```
//! use std::sync::{Arc, mpsc};
//! use natterjack_store::{
//!     BatchBuilder, Committed, EntryBody, GroupId, NewRecord, OsDisk, Seq, Store, StoreOptions, StreamOptions, Unheard,
//! };
//!
//! let folder = tempfile::tempdir().unwrap();
//! let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default()).unwrap();
//! let (group, mut stream) = store.create_stream(GroupId(1), &StreamOptions::default()).unwrap();
//!
//! let mut builder = BatchBuilder::default();
//! builder.push(&NewRecord { seq: Seq(1), ts_ns: 1, subject: b"greet", payload: b"hello", ..NewRecord::default() });
//! let body = EntryBody::Messages(builder.finish());
//! let (sender, receiver) = mpsc::channel();
//! let index = group.append(body.clone(), false, Box::new(move |outcome| sender.send(outcome).unwrap())).unwrap();
//! receiver.recv().unwrap().unwrap(); // on disk
//! stream.append(&Committed { index, body }, &mut Unheard);
//! assert_eq!(stream.load(Seq(1)).unwrap().payload(), b"hello");
//! store.shutdown();
//! ```
//!
//! What a replicated log needs (batches sequenced elsewhere, a suffix taken back, messages that stay while the stream goes
//! on, a checkpoint with the owner's state) is in `examples/replicated.rs`.

mod batch;
mod codec;
mod damage;
mod deleted;
pub mod disk;
mod figures;
pub mod fsck;
mod ids;
mod journal;
mod log;
mod memory;
mod order;
pub mod record;
mod seal;
mod segment;
mod store;
mod subjects;
mod traits;
mod worker;

pub use batch::{Batch, BatchBuilder, Committed, EntryBody};
pub use disk::{Disk, DiskFile, OsDisk};
pub use figures::StoreStats;
pub use ids::{GroupId, LogIndex, Seq};
pub use journal::{AppendError, Completion, JournalStats, SyncMode};
pub use log::{Snapshot, Storage, StreamOptions, accounted};
pub use memory::MemoryUse;
pub use record::{Message, NewRecord, RecordView, TTL_NEVER, flags};
pub use seal::{Cipher, Encryption, Key};
pub use segment::cursor::Passing;
pub use store::{Group, Health, Store, StoreOptions};
pub use subjects::SubjectState;
pub use traits::{
    Due, Limits, LoadError, MsgStore, PendingCount, Purge, Removed, State, TooMany, Unheard, Upkeep,
};
