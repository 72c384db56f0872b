//! The store as a replicated log drives it: batches that are sequenced already go to the journal, are applied once they are
//! committed, a suffix that never will be is taken back, and a snapshot is read while writing goes on.
//!
//! `cargo run -p natterjack-store --example replicated`

use std::io::Write as _;
use std::sync::{Arc, mpsc};

use natterjack_store::{
    BatchBuilder, Committed, EntryBody, GroupId, NewRecord, OsDisk, Seq, Store, StoreOptions, StreamOptions,
    Unheard,
};

/// A batch as a leader has sequenced it.
fn batch(first: u64, payloads: &[&str]) -> EntryBody {
    let mut builder = BatchBuilder::default();
    for (seq, payload) in (first..).zip(payloads) {
        builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: b"orders",
            payload: payload.as_bytes(),
            ..NewRecord::default()
        });
    }
    EntryBody::Messages(builder.finish())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    let folder = tempfile::tempdir()?;
    let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default())?;
    let (group, mut stream) = store.create_stream(GroupId(1), &StreamOptions::default())?;

    // Several entries on their way; each completion says that its entry is on disk.
    let (sender, durable) = mpsc::sync_channel(3);
    let mut waiting = Vec::new();
    for body in [
        batch(1, &["one", "two"]),
        batch(3, &["three"]),
        batch(4, &["four"]),
    ] {
        let sender = sender.clone();
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        let index = group.append(body.clone(), false, done)?;
        waiting.push(Committed { index, body });
    }
    for entry in waiting {
        durable.recv()??;
        stream.append(&entry, &mut Unheard);
    }
    writeln!(out, "applied up to sequence {}", stream.state().last_seq)?;

    // A message that was read stays as it is, whatever happens to the stream.
    let pinned = stream.load(Seq(3))?;

    // Another leader never had what is behind 2.
    stream.truncate(Seq(2));
    writeln!(out, "truncated to sequence {}", stream.state().last_seq)?;
    let body = batch(3, &["another three"]);
    let (sender, durable) = mpsc::sync_channel(1);
    let index = group.append(
        body.clone(),
        false,
        Box::new(move |outcome| drop(sender.send(outcome))),
    )?;
    durable.recv()??;
    stream.append(&Committed { index, body }, &mut Unheard);
    writeln!(
        out,
        "read before: {:?}, now: {:?}",
        String::from_utf8_lossy(pinned.payload()),
        String::from_utf8_lossy(stream.load(Seq(3))?.payload()),
    )?;

    // The owner's state goes with a checkpoint; the journal up to it is not needed any more.
    stream.checkpoint(group.last_index(), "state of the owner".into());
    store.flush();
    store.shutdown();
    drop((group, stream));

    let store = Store::open(Arc::new(OsDisk), folder.path(), &StoreOptions::default())?;
    let (mut group, stream) = store.open_stream(GroupId(1), &StreamOptions::default())?;
    let behind = group.replay().count();
    writeln!(
        out,
        "opened again with {} messages, {behind} entries to apply",
        stream.state().msgs
    )?;
    store.shutdown();
    Ok(())
}
