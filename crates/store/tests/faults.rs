//! The simulated disk fails in every way it claims to: one test for each.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::HashSet;
use std::io::{ErrorKind, IoSlice};
use std::path::Path;
use std::sync::Arc;

use natterjack_store::disk::read_file;
use natterjack_store::disk::sim::{Crash, Faults, SimDisk, Stale};
use natterjack_store::{Disk, DiskFile};

const FILE: &str = "/d/file";
/// Writes are torn at multiples of this.
const PIECE: usize = 64;

/// A disk with an empty file whose name lasts.
fn disk() -> (SimDisk, Arc<dyn DiskFile>) {
    let disk = SimDisk::default();
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(Path::new(FILE)).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    (disk, file)
}

fn write(file: &dyn DiskFile, at: u64, bytes: &[u8]) {
    file.write_at(&mut [IoSlice::new(bytes)], at).unwrap();
}

/// What the file holds after each of many crashes.
fn outcomes(disk: &SimDisk) -> HashSet<Option<Vec<u8>>> {
    let crashes = (0..200).map(Crash::Seed).chain([Crash::Keep, Crash::Lose]);
    crashes
        .map(|c| disk.crash(disk.operations(), c).content(Path::new(FILE)))
        .collect()
}

#[test]
fn unsynced_writes_are_dropped_in_any_subset_and_order() {
    let (disk, file) = disk();
    write(file.as_ref(), 0, &[0; 3 * PIECE]);
    file.sync_data().unwrap();
    for n in 0..3u8 {
        write(file.as_ref(), u64::from(n) * PIECE as u64, &[n + 1; PIECE]);
    }
    let subsets: HashSet<Vec<bool>> = outcomes(&disk)
        .into_iter()
        .map(|content| content.unwrap().chunks(PIECE).map(|p| p[0] != 0).collect())
        .collect();
    // The later without the earlier is among them: writes are reordered.
    assert_eq!(subsets.len(), 8, "{subsets:?}");
}

#[test]
fn a_write_is_torn() {
    let (disk, file) = disk();
    write(file.as_ref(), 0, &[0; 4 * PIECE]);
    file.sync_data().unwrap();
    write(file.as_ref(), 0, &[1; 4 * PIECE]);
    let torn = |content: &Option<Vec<u8>>| {
        let content = content.as_ref().unwrap();
        content.contains(&0) && content.contains(&1)
    };
    assert!(outcomes(&disk).iter().any(torn));
}

#[test]
fn what_was_synced_stays() {
    let (disk, file) = disk();
    write(file.as_ref(), 0, b"kept");
    file.sync_data().unwrap();
    assert_eq!(outcomes(&disk), HashSet::from([Some(b"kept".to_vec())]));
}

#[test]
fn a_name_is_lost_with_its_folder_entry() {
    let disk = SimDisk::default();
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(Path::new(FILE)).unwrap();
    write(file.as_ref(), 0, b"data");
    file.sync_data().unwrap();
    assert!(outcomes(&disk).contains(&None));
    disk.sync_dir(Path::new("/d")).unwrap();
    assert!(!outcomes(&disk).contains(&None));
}

#[test]
fn a_failed_sync_leaves_data_in_doubt_for_ever() {
    let (disk, file) = disk();
    write(file.as_ref(), 0, b"data");
    disk.set_faults(Faults {
        fail_sync_from: Some(0),
        ..Faults::default()
    });
    assert!(file.sync_data().is_err());
    // The next one succeeds, and brings nothing back.
    file.sync_data().unwrap();
    assert!(outcomes(&disk).contains(&Some(Vec::new())));
}

#[test]
fn reads_and_writes_fail() {
    let (disk, file) = disk();
    disk.set_faults(Faults {
        fail_read: Some(1),
        fail_change_from: Some(0),
        ..Faults::default()
    });
    let mut buffer = [0; 4];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap_err().kind(), ErrorKind::Other);
    let failed = file.write_at(&mut [IoSlice::new(b"halfway.")], 0);
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Other);
    assert_eq!(disk.content(Path::new(FILE)).unwrap(), b"half");
}

#[test]
fn the_disk_is_full_at_the_nth_byte() {
    let (disk, file) = disk();
    disk.set_faults(Faults {
        capacity: Some(5),
        ..Faults::default()
    });
    let full = file.write_at(&mut [IoSlice::new(b"too long")], 0);
    assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.content(Path::new(FILE)).unwrap(), b"too l");
}

#[test]
fn a_bit_flips() {
    let (disk, file) = disk();
    write(file.as_ref(), 0, &[0; 8]);
    assert!(disk.flip(Path::new(FILE), 3, 6));
    assert_eq!(
        read_file(&disk, Path::new(FILE)).unwrap(),
        [0, 0, 0, 64, 0, 0, 0, 0]
    );
    assert!(!disk.flip(Path::new(FILE), 8, 0));
}

#[test]
fn a_block_is_read_as_it_was_before_once() {
    let (disk, file) = disk();
    write(file.as_ref(), 0, &[1; 1536]);
    file.sync_data().unwrap();
    write(file.as_ref(), 0, &[2; 1536]);
    disk.set_faults(Faults {
        stale: Some(Stale { read: 2, block: 1 }),
        ..Faults::default()
    });
    let read = || read_file(&disk, Path::new(FILE)).unwrap();
    assert_eq!(read(), [2; 1536]);
    let stale = read();
    assert_eq!((stale[0], stale[512], stale[1023], stale[1024]), (2, 1, 1, 2));
    assert_eq!(read(), [2; 1536]);
}
