//! What of the `jetstream` block may change: its limits, and more room for streams. The rest needs a restart.

use super::{NotReloadable, same, same_block, shown};
use crate::options::{Cipher, JetStream, Sync};

/// Requests that may wait where the file says nothing, as the peer shows it.
const QUEUE_LIMIT: usize = 10_000;

/// Whether `new` may take the place of `old`.
///
/// # Errors
/// [`NotReloadable`] for the first option that would need a restart.
pub(super) fn check(old: &JetStream, new: &JetStream) -> Result<(), NotReloadable> {
    same("JetStream", old.enabled, new.enabled)?;
    if !old.enabled {
        return Ok(());
    }
    same("NoJetStreamStrict", !old.strict, !new.strict)?;
    same("JetStreamDomain", &old.domain, &new.domain)?;
    same_block("JetStreamKey", &old.key, &new.key)?;
    same_block("JetStreamOldKey", &old.previous_key, &new.previous_key)?;
    same("JetStreamCipher", cipher(old), cipher(new))?;
    same("JetStreamUniqueTag", &old.unique_tag, &new.unique_tag)?;
    same("SyncAlways", old.sync == Sync::Always, new.sync == Sync::Always)?;
    if let (Sync::Interval(old), Sync::Interval(new)) = (&old.sync, &new.sync) {
        same("SyncInterval", shown(*old), shown(*new))?;
    }
    same_block("MemoryBudget", &old.memory_budget_bytes, &new.memory_budget_bytes)?;
    queues(old, new)?;
    let (memory, store) = (
        (old.max_memory_bytes, new.max_memory_bytes),
        (old.max_store_bytes, new.max_store_bytes),
    );
    room(memory)?;
    room(store)
}

const fn cipher(of: &JetStream) -> &'static str {
    match of.cipher {
        Cipher::ChaCha => "ChaCha20-Poly1305",
        Cipher::Aes => "AES-GCM",
    }
}

fn queues(old: &JetStream, new: &JetStream) -> Result<(), NotReloadable> {
    let requests = |of: &JetStream| of.request_queue_limit.unwrap_or(QUEUE_LIMIT);
    let infos = |of: &JetStream| of.info_queue_limit.unwrap_or_else(|| requests(of));
    same("JetStreamRequestQueueLimit", requests(old), requests(new))?;
    same("JetStreamInfoQueueLimit", infos(old), infos(new))?;
    let messages = |of: &JetStream| of.max_buffered_messages.unwrap_or(0);
    let bytes = |of: &JetStream| of.max_buffered_bytes.unwrap_or(0);
    same("StreamMaxBufferedMsgs", messages(old), messages(new))?;
    same("StreamMaxBufferedSize", bytes(old), bytes(new))
}

/// Room that the file names may only grow, and only from a number that it named before (reload.go `diffOptions`).
const fn room(change: (Option<u64>, Option<u64>)) -> Result<(), NotReloadable> {
    let what = match change {
        (None, Some(_)) => "jetstream dynamic max memory and store",
        (Some(_), None) => "jetstream max memory and max store",
        (Some(old), Some(new)) if new < old => "decreasing jetstream max memory and store",
        _ => return Ok(()),
    };
    Err(NotReloadable::Room(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> JetStream {
        let text = format!("jetstream {{ {text} }}");
        let options = crate::Options::default();
        crate::load(&text, "a.conf", &mut natterjack_conf::NoSource, options)
            .unwrap()
            .options
            .jetstream
    }

    #[test]
    fn limits_change_and_room_grows() {
        for (old, new) in [
            ("", "limits { max_ack_pending: 3, batch { max_msgs: 2 } }"),
            ("limits { duplicate_window: \"10s\" }", ""),
            ("max_mem: 10", "max_mem: 11"),
            ("max_file: 10", "max_file: 10"),
        ] {
            assert_eq!(check(&read(old), &read(new)), Ok(()), "{old} to {new}");
        }
    }

    #[test]
    fn the_rest_is_refused_in_the_peers_words() {
        for (old, new, wanted) in [
            ("", "domain: x", "JetStreamDomain: old=, new=x"),
            ("", "strict: false", "NoJetStreamStrict: old=false, new=true"),
            (
                "",
                "cipher: aes",
                "JetStreamCipher: old=ChaCha20-Poly1305, new=AES-GCM",
            ),
            ("", "unique_tag: \"x:\"", "JetStreamUniqueTag: old=, new=x:"),
            (
                "",
                "request_queue_limit: 5",
                "JetStreamRequestQueueLimit: old=10000, new=5",
            ),
            (
                "",
                "info_queue_limit: 4",
                "JetStreamInfoQueueLimit: old=10000, new=4",
            ),
            (
                "",
                "max_buffered_msgs: 10",
                "StreamMaxBufferedMsgs: old=0, new=10",
            ),
            ("sync: \"5s\"", "sync: \"1s\"", "SyncInterval: old=5s, new=1s"),
            ("", "max_mem: 10", "jetstream dynamic max memory and store"),
            ("max_file: 10", "", "jetstream max memory and max store"),
            (
                "max_file: 10",
                "max_file: 9",
                "decreasing jetstream max memory and store",
            ),
        ] {
            let error = check(&read(old), &read(new)).unwrap_err().to_string();
            let wanted = format!("config reload not supported for {wanted}");
            assert_eq!(error, wanted, "{old} to {new}");
        }
    }

    #[test]
    fn a_key_is_not_told() {
        let error = check(&read("key: before"), &read("key: after")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("JetStreamKey") && !text.contains("after"), "{text}");
    }
}
