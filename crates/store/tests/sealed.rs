//! Encrypted stores: nothing that was sent is readable anywhere in the folder, and only the right key opens it.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod commit;

use std::path::Path;
use std::sync::Arc;

use natterjack_store::disk::sim::SimDisk;
use natterjack_store::{
    BatchBuilder, Cipher, Disk, Encryption, EntryBody, Group, GroupId, Health, Key, MsgStore, NewRecord, Seq,
    Store, StoreOptions, StreamOptions, Unheard, fsck,
};

use commit::commit;

const ROOT: &str = "/s";
const META: GroupId = GroupId(0);
const STREAM: GroupId = GroupId(1);
/// In subjects, headers, payloads, commands, labels and states of owners.
const SECRET: &str = "plaintext";

fn keys(key: &str, previous: Option<&str>, cipher: Cipher) -> Option<Encryption> {
    Some(Encryption {
        key: Key::new(key),
        previous: previous.map(Key::new),
        cipher,
    })
}

fn try_open(disk: &SimDisk, encryption: Option<Encryption>) -> std::io::Result<Store> {
    let options = StoreOptions {
        journal_file_bytes: 8 * 1024,
        reserve_bytes: 512,
        encryption,
        ..StoreOptions::default()
    };
    Store::open(Arc::new(disk.clone()), Path::new(ROOT), &options)
}

fn stream_options() -> StreamOptions {
    StreamOptions {
        segment_bytes: 1,
        label: SECRET.into(),
        ..StreamOptions::default()
    }
}

fn append(group: &Group, log: &mut dyn MsgStore, count: u64) {
    let first = log.state().last_seq.0 + 1;
    let mut builder = BatchBuilder::default();
    for seq in first..first + count {
        assert!(builder.push(&NewRecord {
            seq: Seq(seq),
            ts_ns: 1,
            subject: format!("{SECRET}.{seq}").as_bytes(),
            headers: SECRET.as_bytes(),
            payload: SECRET.repeat(9).as_bytes(),
            ..NewRecord::default()
        }));
    }
    let batch = EntryBody::Messages(builder.finish());
    log.append(&commit(group, batch).unwrap(), &mut Unheard);
}

/// All the store does with a stream: commands and messages, segments, indexes, rewriting, checkpoints; twice.
fn work(store: &Store, compress: bool) -> u64 {
    let mut meta = store.group(META).unwrap();
    assert_eq!(meta.replay().count(), 0);
    commit(&meta, EntryBody::Command(SECRET.into())).unwrap();
    meta.save(meta.last_index(), SECRET.as_bytes());
    let (mut group, mut log) = if store.streams().unwrap().is_empty() {
        store.create_stream(STREAM, &stream_options()).unwrap()
    } else {
        store.open_stream(STREAM, &stream_options()).unwrap()
    };
    assert_eq!(group.replay().count(), 0);
    log.set_compression(compress);
    for round in 1..=6 {
        append(&group, log.as_mut(), 30);
        let last = log.state().last_seq.0;
        for seq in (last - 20..last).filter(|n| n % 3 > 0) {
            log.remove(Seq(seq), round % 2 == 0, &mut Unheard);
        }
        for _ in 0..3 {
            log.upkeep(round << 40);
            store.flush();
        }
    }
    log.set_label(SECRET.into());
    for now in 50..56 {
        log.checkpoint(group.last_index(), SECRET.into());
        store.flush();
        log.upkeep(now << 40);
        store.flush();
    }
    // Behind the checkpoint, in the journal only.
    append(&group, log.as_mut(), 2);
    log.checkpoint(group.last_index(), SECRET.into());
    store.flush();
    log.upkeep(60 << 40);
    store.flush();
    for seq in 1..=log.state().last_seq.0 {
        if let Ok(message) = log.load(Seq(seq)) {
            assert_eq!(message.subject(), format!("{SECRET}.{seq}").as_bytes());
        }
    }
    assert_eq!((store.health(), log.state().lost_msgs), (Health::Ok, 0));
    log.state().msgs
}

/// Files in which something can be read.
fn readable(disk: &SimDisk) -> Vec<String> {
    let shows = |content: &[u8]| content.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
    let files = disk.files().into_iter();
    files
        .filter(|(path, _)| disk.content(path).is_some_and(|c| shows(&c)))
        .map(|(path, _)| path.display().to_string())
        .collect()
}

#[test]
fn nothing_is_readable_in_the_folder() {
    for (cipher, compress) in [(Cipher::ChaCha20Poly1305, false), (Cipher::Aes256Gcm, true)] {
        let disk = SimDisk::default();
        let mut key = "one";
        for next in ["one", "two", "two"] {
            let store = try_open(&disk, keys(next, Some(key), cipher)).unwrap();
            key = next;
            assert!(work(&store, compress) > 0);
            store.shutdown();
            assert_eq!(readable(&disk), Vec::<String>::new());
        }
    }
    let disk = SimDisk::default();
    let store = try_open(&disk, None).unwrap();
    work(&store, false);
    store.shutdown();
    assert!(readable(&disk).len() > 3, "the test can tell");
}

#[test]
fn a_store_that_gets_a_key_is_encrypted_bit_by_bit() {
    let disk = SimDisk::default();
    let store = try_open(&disk, None).unwrap();
    let before = work(&store, false);
    store.shutdown();
    let mut store = try_open(&disk, keys("one", None, Cipher::default())).unwrap();
    let after = work(&store, false);
    assert!(after > before, "what was there is there");
    for _ in 0..3 {
        store.shutdown();
        store = try_open(&disk, keys("one", None, Cipher::default())).unwrap();
        work(&store, false);
    }
    store.shutdown();
    assert_eq!(readable(&disk), Vec::<String>::new());
}

#[test]
fn a_wrong_key_changes_nothing() {
    let disk = SimDisk::default();
    let store = try_open(&disk, keys("one", None, Cipher::default())).unwrap();
    let msgs = work(&store, true);
    store.shutdown();
    let all = |disk: &SimDisk| {
        let files = disk.files().into_iter();
        files
            .map(|(path, _)| (path.clone(), disk.content(&path)))
            .collect::<Vec<_>>()
    };
    let before = all(&disk);
    let refused = [
        (None, "encryption not enabled"),
        (keys("two", None, Cipher::default()), "unable to recover keys"),
        (
            keys("two", Some("three"), Cipher::default()),
            "unable to recover keys",
        ),
    ];
    for (encryption, text) in refused {
        let error = try_open(&disk, encryption.clone()).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert!(!error.contains("one") && !error.contains("two"), "{error}");
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let checked = fsck::check(&shared, Path::new(ROOT), encryption.as_ref());
        assert!(checked.unwrap_err().to_string().contains(text));
    }
    assert!(all(&disk) == before, "nothing was written, renamed or removed");
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let report = fsck::check(
        &shared,
        Path::new(ROOT),
        keys("one", None, Cipher::default()).as_ref(),
    );
    assert_eq!(report.unwrap().damage, Vec::<String>::new());
    let store = try_open(&disk, keys("one", None, Cipher::Aes256Gcm)).unwrap();
    assert!(
        work(&store, true) > msgs,
        "another cipher reads what the first wrote"
    );
    store.shutdown();
}

#[test]
fn a_store_without_its_keys_is_not_taken_for_a_new_one() {
    let disk = SimDisk::default();
    let store = try_open(&disk, keys("one", None, Cipher::default())).unwrap();
    work(&store, false);
    store.shutdown();
    let root = Path::new(ROOT);
    let copies = ["KEYS", "KEYS.copy"].map(|name| root.join(name));
    let away = |path: &Path| root.join("away").with_extension(path.file_name().unwrap());
    for path in &copies {
        disk.rename(path, &away(path)).unwrap();
    }
    for encryption in [None, keys("one", None, Cipher::default())] {
        let error = try_open(&disk, encryption).unwrap_err().to_string();
        assert!(error.contains("KEYS does not hold"), "{error}");
    }
    for path in &copies {
        assert!(disk.content(path).is_none(), "no new key was made");
        disk.rename(&away(path), path).unwrap();
    }
    let store = try_open(&disk, keys("one", None, Cipher::default())).unwrap();
    work(&store, false);
    store.shutdown();
}

#[test]
fn keys_are_not_shown() {
    let text = format!("{:?}", keys("hush", Some("hush"), Cipher::default()));
    assert!(!text.contains("hush"), "{text}");
}
