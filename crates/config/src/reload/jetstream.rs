//! What of the `jetstream` block may change: whether it is on, its limits, and more room for streams. The rest needs a
//! restart.

use super::{NotReloadable, said, same, same_block, shown};
use crate::options::{Cipher, JetStream, Options, Sync};
use crate::size;

/// Requests that may wait where the file says nothing, as the peer shows it.
const QUEUE_LIMIT: usize = 10_000;

/// Whether `new` may take the place of `old`. What can only be said at the start is compared while JetStream is off as well.
///
/// # Errors
/// [`NotReloadable`] for the first option that would need a restart.
pub(super) fn check(old: &JetStream, new: &JetStream) -> Result<(), NotReloadable> {
    same("NoJetStreamStrict", !old.strict, !new.strict)?;
    if old.enabled {
        room((old.max_memory_bytes, new.max_memory_bytes), new.enabled)?;
        room((old.max_store_bytes, new.max_store_bytes), new.enabled)?;
    }
    same("JetStreamDomain", &old.domain, &new.domain)?;
    same("JetStreamExtHint", &old.extension_hint, &new.extension_hint)?;
    same_block("JetStreamKey", &old.key, &new.key)?;
    same_block("JetStreamOldKey", &old.previous_key, &new.previous_key)?;
    same("JetStreamCipher", cipher(old), cipher(new))?;
    same("JetStreamUniqueTag", &old.unique_tag, &new.unique_tag)?;
    same(
        "JetStreamMaxCatchup",
        old.max_catchup_bytes,
        new.max_catchup_bytes,
    )?;
    queues(old, new)?;
    same("SyncAlways", old.sync == Sync::Always, new.sync == Sync::Always)?;
    if let (Sync::Interval(old), Sync::Interval(new)) = (&old.sync, &new.sync) {
        same("SyncInterval", shown(*old), shown(*new))?;
    }
    if old.enabled && new.enabled {
        same(
            "JetStreamConcurrentIOs",
            old.concurrent_io_max,
            new.concurrent_io_max,
        )?;
        same_block("MemoryBudget", &old.memory_budget_bytes, &new.memory_budget_bytes)?;
    }
    Ok(())
}

/// Where streams are kept may change while JetStream is off.
///
/// # Errors
/// [`NotReloadable`] in the peer's words.
pub(super) fn check_storage(old: &Options, new: &Options) -> Result<(), NotReloadable> {
    let (before, now) = (
        old.storage().unwrap_or_default(),
        new.storage().unwrap_or_default(),
    );
    if !old.jetstream.enabled || before == now {
        return Ok(());
    }
    match (now, new.jetstream.enabled) {
        ("", false) => Ok(()),
        ("", true) => Err(NotReloadable::Room("jetstream storage dir")),
        _ => Err(NotReloadable::Room("jetstream storage directory")),
    }
}

/// What is different, for the log.
pub(super) fn lines(lines: &mut Vec<String>, old: &JetStream, new: &JetStream) {
    said(lines, old.enabled != new.enabled, "JetStream");
    if !old.enabled {
        return said(lines, !has_same_limits(old, new), "JetStream limits");
    }
    for (name, before, now) in [
        ("max_mem_store", old.max_memory_bytes, new.max_memory_bytes),
        ("max_file_store", old.max_store_bytes, new.max_store_bytes),
    ] {
        if let Some(now) = now.filter(|now| before != Some(*now)) {
            lines.push(format!("Reloaded: JetStream {name} = {}", size(now)));
        }
    }
    said(lines, !has_same_limits(old, new), "JetStream limits");
}

fn has_same_limits(a: &JetStream, b: &JetStream) -> bool {
    a.max_ack_pending == b.max_ack_pending
        && a.max_ha_assets == b.max_ha_assets
        && a.max_request_batch == b.max_request_batch
        && a.max_duplicate_window_ns == b.max_duplicate_window_ns
        && a.default_max_consumers == b.default_max_consumers
        && a.max_batch_inflight_per_stream == b.max_batch_inflight_per_stream
        && a.max_batch_inflight_total == b.max_batch_inflight_total
        && a.max_batch_size == b.max_batch_size
        && a.batch_timeout_ns == b.batch_timeout_ns
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

/// Room that the file names may only grow, and only from a number that it named before (reload.go `diffOptions`). When
/// JetStream goes, the file need not name it any more.
fn room(change: (Option<u64>, Option<u64>), stays: bool) -> Result<(), NotReloadable> {
    let what = match change {
        (None, Some(_)) => "jetstream dynamic max memory and store",
        (Some(_), None) if stays => "jetstream max memory and max store",
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
        let options = Options::default();
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
            ("enabled: false", "max_file: 10"),
            ("max_file: 10", "enabled: false"),
            ("enabled: false, memory_budget: 10", "memory_budget: 11"),
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
            ("", "extension_hint: x", "JetStreamExtHint: old=, new=x"),
            (
                "",
                "max_outstanding_catchup: 10MB",
                "JetStreamMaxCatchup: old=0, new=10485760",
            ),
            (
                "",
                "max_concurrent_io: 8",
                "JetStreamConcurrentIOs: old=4096, new=8",
            ),
            (
                "enabled: false",
                "enabled: false, domain: x",
                "JetStreamDomain: old=, new=x",
            ),
            (
                "max_mem: 10",
                "enabled: false, max_mem: 9",
                "decreasing jetstream max memory and store",
            ),
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

    #[test]
    fn where_streams_are_stays_while_jetstream_is_on() {
        let read = |text: &str| {
            let options = Options::default();
            let loaded = crate::load(text, "a.conf", &mut natterjack_conf::NoSource, options);
            loaded.unwrap().options
        };
        let on = "jetstream { store_dir: a }";
        for (old, new, wanted) in [
            (on, "jetstream { store_dir: b }", "jetstream storage directory"),
            (on, "store_dir: b", "jetstream storage directory"),
            (on, "jetstream: enabled", "jetstream storage dir"),
            (on, "debug: false", ""),
            ("store_dir: a", "jetstream { store_dir: b }", ""),
        ] {
            let refused = check_storage(&read(old), &read(new)).err();
            let wanted = match wanted {
                "" => None,
                what => Some(NotReloadable::Room(what)),
            };
            assert_eq!(refused, wanted, "{old} to {new}");
        }
    }

    #[test]
    fn what_changes_is_told_in_the_peers_words() {
        for (old, new, wanted) in [
            ("enabled: false", "max_mem: 10", "JetStream"),
            ("", "enabled: false", "JetStream"),
            ("", "limits { max_ack_pending: 5 }", "JetStream limits"),
            ("max_mem: 10", "max_mem: 11", "JetStream max_mem_store = 11 B"),
            (
                "max_file: 10k",
                "max_file: 20k",
                "JetStream max_file_store = 19.53 KB",
            ),
        ] {
            let mut said = Vec::new();
            lines(&mut said, &read(old), &read(new));
            assert_eq!(said, [format!("Reloaded: {wanted}")], "{old} to {new}");
        }
    }
}
