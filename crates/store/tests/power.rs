//! Power cuts on a real file system: ext4 on a loop device, shut down under a running store by `EXT4_IOC_SHUTDOWN` without
//! flushing its log, mounted again, and opened. What was acknowledged is there, every time.
//!
//! Needs root, loop devices, `mkfs.ext4` and Python (for the ioctl): `cargo test -p natterjack-store --test power -- --ignored`.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};

use natterjack_store::{
    AppendError, BatchBuilder, Committed, EntryBody, Group, GroupId, Health, MsgStore, NewRecord, OsDisk,
    Seq, Store, StoreOptions, StreamOptions, Unheard,
};

const CYCLES: u64 = 20;
/// Entries on their way at a time.
const WINDOW: usize = 32;
const STREAM: GroupId = GroupId(1);
/// Every so many messages one is removed.
const REMOVE_EVERY: u64 = 50;

/// An image with a file system, mounted or not.
struct Image {
    folder: tempfile::TempDir,
    is_mounted: bool,
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{program} {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

impl Image {
    fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let image = std::fs::File::create(folder.path().join("image")).map_err(|e| e.to_string())?;
        image.set_len(512 * 1024 * 1024).map_err(|e| e.to_string())?;
        std::fs::create_dir(folder.path().join("mount")).map_err(|e| e.to_string())?;
        let mut made = Self {
            folder,
            is_mounted: false,
        };
        run("mkfs.ext4", &["-q", "-F", &made.path("image")])?;
        made.mount()?;
        Ok(made)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn mount(&mut self) -> Result<(), String> {
        run("mount", &["-o", "loop", &self.path("image"), &self.path("mount")])?;
        self.is_mounted = true;
        Ok(())
    }

    /// Nothing gets to the device from now on, not even what the log of the file system has.
    fn cut(mount: &str) -> Result<(), String> {
        let text = "import fcntl, os, struct, sys\n\
             fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
        run("python3", &["-c", text, mount])
    }

    fn unmount(&mut self) -> Result<(), String> {
        run("umount", &[&self.path("mount")])?;
        self.is_mounted = false;
        Ok(())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.is_mounted {
            drop(run("umount", &["-l", &self.path("mount")]));
        }
    }
}

fn payload(seq: u64) -> Vec<u8> {
    let size = usize::try_from(20 + seq * 37 % 400).unwrap();
    seq.to_le_bytes().into_iter().cycle().take(size).collect()
}

struct Run {
    store: Store,
    group: Group,
    log: Box<dyn MsgStore>,
    now_ns: i64,
}

fn apply(log: &mut dyn MsgStore, entry: &Committed) {
    match &entry.body {
        EntryBody::Messages(_) => log.append(entry, &mut Unheard),
        EntryBody::Command(text) => {
            let seq = u64::from_le_bytes(text.as_ref().try_into().unwrap());
            log.remove(Seq(seq), seq.is_multiple_of(3), &mut Unheard);
        }
    }
}

impl Run {
    fn open(root: &Path, first: bool) -> Self {
        let options = StoreOptions {
            journal_file_bytes: 1024 * 1024,
            journal_files_max: 3,
            ..StoreOptions::default()
        };
        let store = Store::open(Arc::new(OsDisk), root, &options).unwrap();
        let stream = StreamOptions {
            segment_bytes: 512 * 1024,
            ..StreamOptions::default()
        };
        let (mut group, mut log) = if first {
            store.create_stream(STREAM, &stream).unwrap()
        } else {
            store.open_stream(STREAM, &stream).unwrap()
        };
        for entry in group.replay() {
            apply(log.as_mut(), &entry);
        }
        Self {
            store,
            group,
            log,
            now_ns: 1,
        }
    }

    fn send(&self, body: EntryBody, flying: &mut VecDeque<Flying>) -> Result<(), AppendError> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        let index = self.group.append(body.clone(), false, done)?;
        flying.push_back((Committed { index, body }, receiver));
        Ok(())
    }

    /// What an owner does every so often.
    fn upkeep(&mut self) {
        self.now_ns += 20_000_000;
        if self.log.upkeep(self.now_ns).wants_checkpoint {
            self.log.checkpoint(self.group.last_index(), Vec::new().into());
        }
    }

    /// Publishes and removes until the disk fails; the power goes once `count` entries are acknowledged.
    fn publish(&mut self, promises: &mut Promises, count: u64, mount: &str) {
        let mut flying = VecDeque::new();
        let mut acked = 0;
        let mut cut = None;
        loop {
            let seq = promises.sent + 1;
            let mut bodies = vec![message(seq)];
            if seq.is_multiple_of(REMOVE_EVERY) {
                let gone = seq - REMOVE_EVERY / 2;
                promises.removed.entry(gone).or_insert(false);
                bodies.push(EntryBody::Command(gone.to_le_bytes().to_vec().into()));
            }
            promises.sent = seq;
            let failed = bodies
                .into_iter()
                .any(|body| self.send(body, &mut flying).is_err());
            while !flying.is_empty() && (failed || flying.len() >= WINDOW) {
                let (entry, receiver) = flying.pop_front().unwrap();
                if receiver.recv().unwrap().is_ok() {
                    acked += 1;
                    promises.keep(&entry.body);
                    apply(self.log.as_mut(), &entry);
                }
            }
            if flying.is_empty() {
                // A checkpoint is of what is applied, and only when nothing is on its way.
                self.upkeep();
            }
            if failed {
                break;
            }
            if acked >= count && cut.is_none() {
                let mount = mount.to_owned();
                cut = Some(std::thread::spawn(move || Image::cut(&mount)));
            }
            if seq.is_multiple_of(500) {
                self.settle(&mut flying, promises);
            }
        }
        assert!(acked >= count, "the disk failed before it was cut");
        cut.unwrap().join().unwrap().unwrap();
    }

    /// Waits for everything on its way, then does what an owner does every so often.
    fn settle(&mut self, flying: &mut VecDeque<Flying>, promises: &mut Promises) {
        for (entry, receiver) in flying.drain(..) {
            if receiver.recv().unwrap().is_ok() {
                promises.keep(&entry.body);
                apply(self.log.as_mut(), &entry);
            }
        }
        self.upkeep();
    }
}

type Flying = (Committed, mpsc::Receiver<Result<(), AppendError>>);

fn message(seq: u64) -> EntryBody {
    let mut builder = BatchBuilder::default();
    assert!(builder.push(&NewRecord {
        seq: Seq(seq),
        ts_ns: 1,
        subject: b"power",
        payload: &payload(seq),
        ..NewRecord::default()
    }));
    EntryBody::Messages(builder.finish())
}

/// What was said to be on disk, and what may be.
#[derive(Default)]
struct Promises {
    sent: u64,
    acked: u64,
    /// Removed messages, and whether that was acknowledged.
    removed: std::collections::BTreeMap<u64, bool>,
}

impl Promises {
    fn keep(&mut self, body: &EntryBody) {
        match body {
            EntryBody::Messages(batch) => self.acked = batch.base_seq.0,
            EntryBody::Command(text) => {
                let seq = u64::from_le_bytes(text.as_ref().try_into().unwrap());
                self.removed.insert(seq, true);
            }
        }
    }

    /// Compares with what is there, which is what counts from then on.
    fn check(&mut self, run: &Run) {
        let last = run.log.state().last_seq.0;
        assert!(
            (self.acked..=self.sent).contains(&last),
            "{last} of {} to {}",
            self.acked,
            self.sent
        );
        assert_eq!(run.store.health(), Health::Ok);
        for seq in 1..=last {
            let removed = self.removed.get(&seq).copied();
            match run.log.load(Seq(seq)) {
                Ok(message) => {
                    assert_eq!(message.payload(), payload(seq), "{seq}");
                    assert_ne!(removed, Some(true), "{seq} is there again");
                    self.removed.remove(&seq);
                }
                Err(error) => assert!(removed.is_some(), "{seq}: {error:?}"),
            }
        }
        (self.sent, self.acked) = (last, last);
        self.removed.retain(|seq, _| *seq <= last);
        self.removed.values_mut().for_each(|acked| *acked = true);
    }
}

#[test]
#[ignore = "needs root and loop devices, and takes a minute"]
fn what_was_acknowledged_survives_power_cuts() {
    let mut image = match Image::new() {
        Ok(image) => image,
        Err(why) => {
            println!("SKIPPED, nothing was tested: no file system on a loop device can be had: {why}");
            return;
        }
    };
    let mount = image.path("mount");
    let root = PathBuf::from(&mount).join("store");
    let mut promises = Promises::default();
    for cycle in 0..CYCLES {
        let mut run = Run::open(&root, cycle == 0);
        promises.check(&run);
        let count = 300 + cycle.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 8000;
        run.publish(&mut promises, count, &mount);
        run.store.shutdown();
        let sent = promises.sent;
        drop(run);
        image.unmount().unwrap();
        image.mount().unwrap();
        let run = Run::open(&root, false);
        let acked = promises.acked;
        promises.check(&run);
        println!(
            "cycle {cycle}: {acked} acknowledged, {} found, {sent} sent",
            promises.sent
        );
        run.store.shutdown();
    }
}
