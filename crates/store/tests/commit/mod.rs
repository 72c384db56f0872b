//! Puts an entry into the journal and waits until it is on disk.

use std::sync::mpsc;

use natterjack_store::{AppendError, Committed, EntryBody, Group};

/// The entry as it is to be applied.
///
/// # Errors
/// Why it is not on disk.
pub(crate) fn commit(group: &Group, body: EntryBody) -> Result<Committed, AppendError> {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |outcome| sender.send(outcome).unwrap());
    let index = group.append(body.clone(), false, done)?;
    receiver.recv().unwrap()?;
    Ok(Committed { index, body })
}
