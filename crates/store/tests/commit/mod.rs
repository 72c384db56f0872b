//! Puts an entry into the journal and waits until it is on disk.

use std::sync::mpsc;

use natterjack_store::{Committed, EntryBody, Group};

/// The entry as it is to be applied.
pub(crate) fn commit(group: &Group, body: EntryBody) -> Committed {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |outcome| sender.send(outcome).unwrap());
    let index = group.append(body.clone(), false, done).unwrap();
    receiver.recv().unwrap().unwrap();
    Committed { index, body }
}
