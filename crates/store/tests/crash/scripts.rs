//! What is done to a store before it crashes.

use crate::driver::Step::{self, *};
use crate::model::Change::{self, *};

/// A named list of steps.
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) streams: u32,
    pub(crate) steps: Vec<Step>,
}

fn script(name: &str, streams: u32, steps: Vec<Step>) -> Script {
    let name = name.to_owned();
    Script { name, streams, steps }
}

/// `steps`, so many times.
fn again(times: usize, steps: &[Step]) -> Vec<Step> {
    steps.iter().cycle().take(steps.len() * times).cloned().collect()
}

/// `first`, then a checkpoint, then `behind`.
fn around(first: &[Change], behind: &[Change]) -> Vec<Step> {
    let mut steps: Vec<Step> = first.iter().map(|c| Do(*c)).collect();
    steps.extend([Upkeep, Checkpoint(1)]);
    steps.extend(behind.iter().map(|c| Do(*c)));
    steps.extend([
        Upkeep,
        Checkpoint(1),
        Do(Append(1, 50)),
        Restart,
        Do(Append(1, 50)),
    ]);
    steps
}

fn simple() -> Vec<Script> {
    vec![
        script("append", 1, again(8, &[Do(Append(1, 40))])),
        script("append batches", 1, again(4, &[Do(Append(7, 100))])),
        script(
            "append a large one",
            1,
            vec![
                Do(Append(1, 6000)),
                Do(Append(1, 9000)),
                Do(Append(1, 10)),
                Upkeep,
            ],
        ),
        script("roll the journal", 1, again(9, &[Do(Append(3, 700))])),
        script("append and drain", 1, again(5, &[Do(Append(3, 200)), Upkeep])),
        script("seal segments", 1, again(5, &[Do(Append(6, 600)), Upkeep])),
        script("checkpoint", 1, again(3, &[Do(Append(3, 100)), Checkpoint(1)])),
        script(
            "a checkpoint without change",
            1,
            vec![Do(Append(3, 100)), Checkpoint(1), Checkpoint(1), Restart],
        ),
        script(
            "roll with checkpoints",
            1,
            again(6, &[Do(Append(4, 700)), Checkpoint(1)]),
        ),
        script("restarts", 1, again(4, &[Do(Append(2, 100)), Restart])),
        script(
            "checkpoints and restarts",
            1,
            again(
                3,
                &[Do(Append(2, 300)), Checkpoint(1), Do(Append(2, 100)), Restart],
            ),
        ),
        script("nothing", 1, vec![Upkeep, Checkpoint(1), Restart]),
    ]
}

fn removing() -> Vec<Script> {
    let ten = [Append(5, 100), Append(5, 100)];
    vec![
        script(
            "remove from the tail",
            1,
            vec![
                Do(Append(5, 50)),
                Do(Remove(2)),
                Do(Remove(1)),
                Do(Append(1, 50)),
                Do(Remove(6)),
            ],
        ),
        script(
            "remove behind a checkpoint",
            1,
            around(&ten, &[Remove(1), Remove(5), Remove(10), Append(1, 20)]),
        ),
        script(
            "erase",
            1,
            around(&ten, &[Erase(1), Erase(7), Append(1, 20), Erase(11)]),
        ),
        script("erase, then rewrite", 1, {
            let mut steps = again(3, &[Do(Append(6, 600)), Upkeep]);
            steps.extend((1..=15).filter(|n| n % 4 != 0).map(|n| Do(Erase(n))));
            steps.extend([
                Checkpoint(1),
                Upkeep,
                Upkeep,
                Checkpoint(1),
                Upkeep,
                Restart,
                Upkeep,
            ]);
            steps
        }),
        script("purge", 1, around(&ten, &[Purge, Append(2, 30), Purge])),
        script(
            "purge one subject",
            1,
            around(
                &ten,
                &[PurgeFilter(1), PurgeFilter(2), Append(3, 30), PurgeFilter(0)],
            ),
        ),
        script(
            "purge but a few",
            1,
            around(&ten, &[PurgeKeep(3), Append(3, 30), PurgeKeep(1)]),
        ),
        script(
            "purge up to a sequence",
            1,
            around(&ten, &[PurgeTo(4), PurgeTo(8), PurgeTo(5000), Append(2, 30)]),
        ),
    ]
}

fn ends() -> Vec<Script> {
    let ten = [Append(5, 100), Append(5, 100)];
    vec![
        script(
            "limits",
            1,
            around(
                &[MaxMsgs(4), Append(6, 50)],
                &[
                    Append(2, 50),
                    MaxBytes(300),
                    Append(2, 50),
                    MaxPerSubject(1),
                    Append(8, 20),
                ],
            ),
        ),
        script(
            "skip",
            1,
            around(&ten, &[Skip(3), Append(1, 30), Skip(100_000), Append(2, 30)]),
        ),
        script(
            "skip far with a tail",
            1,
            vec![
                Do(Append(5, 50)),
                Upkeep,
                Do(Append(3, 50)),
                Do(Skip(1 << 40)),
                Do(Append(2, 30)),
                Upkeep,
                Checkpoint(1),
                Restart,
            ],
        ),
        script(
            "truncate",
            1,
            around(
                &ten,
                &[
                    Truncate(8),
                    Append(3, 40),
                    Truncate(9),
                    Truncate(2),
                    Append(4, 40),
                ],
            ),
        ),
    ]
}

fn ends_of_tails() -> Vec<Script> {
    vec![
        script(
            "truncate the tail",
            1,
            vec![
                Do(Append(9, 40)),
                Do(Truncate(4)),
                Do(Append(2, 40)),
                Upkeep,
                Do(Truncate(3)),
                Do(Append(5, 60)),
                Upkeep,
                Checkpoint(1),
                Do(Append(1, 10)),
                Restart,
            ],
        ),
        script(
            "expire",
            1,
            vec![
                Do(Mortal(1)),
                Do(Append(2, 40)),
                Do(Mortal(100)),
                Checkpoint(1),
                Expire(2),
                Do(Append(1, 40)),
                Upkeep,
                Restart,
                Expire(200),
                Checkpoint(1),
            ],
        ),
    ]
}

fn many() -> Vec<Script> {
    let burst = Burst(vec![
        (1, Append(2, 60)),
        (2, Append(1, 300)),
        (1, Append(1, 30)),
        (3, Append(3, 30)),
        (2, Remove(1)),
    ]);
    vec![
        script("rewrite sparse segments", 1, compact(4)),
        script("remove whole segments", 1, compact(1000)),
        script("three streams", 3, again(3, std::slice::from_ref(&burst))),
        script(
            "three streams, one checkpointed",
            3,
            again(4, &[burst.clone(), Checkpoint(2)]),
        ),
        script(
            "three streams, all checkpointed",
            3,
            again(
                3,
                &[
                    burst,
                    Upkeep,
                    Checkpoint(1),
                    Checkpoint(2),
                    Checkpoint(3),
                    On(3, Append(4, 700)),
                ],
            ),
        ),
        script(
            "work while a checkpoint is made",
            2,
            again(
                3,
                &[
                    On(1, Append(4, 500)),
                    BeginCheckpoint(1),
                    On(2, Append(3, 300)),
                    On(1, Remove(2)),
                    BeginCheckpoint(2),
                    On(1, Append(1, 50)),
                    Upkeep,
                ],
            ),
        ),
    ]
}

fn mixed() -> Vec<Script> {
    vec![
        script(
            "streams and restarts",
            2,
            again(
                2,
                &[
                    burst_of_two(),
                    Restart,
                    Upkeep,
                    Checkpoint(1),
                    burst_of_two(),
                    Restart,
                ],
            ),
        ),
        script(
            "fill the disk",
            1,
            vec![
                Do(Append(4, 300)),
                Checkpoint(1),
                Capacity(30_000),
                Do(Append(8, 2000)),
                Do(Append(8, 2000)),
                Do(Append(1, 10)),
                Do(Remove(1)),
                Capacity(1 << 30),
                Do(Append(2, 100)),
                Upkeep,
                Checkpoint(1),
                Restart,
            ],
        ),
    ]
}

fn burst_of_two() -> Step {
    Burst(vec![
        (1, Append(2, 60)),
        (2, Append(2, 200)),
        (2, Remove(1)),
        (1, Append(1, 20)),
    ])
}

/// Segments of which one message in `keep` is left.
fn compact(keep: u64) -> Vec<Step> {
    let mut steps = again(4, &[Do(Append(6, 600)), Upkeep]);
    steps.extend((1..=24).filter(|n| n % keep != 0).map(|n| Do(Remove(n))));
    steps.extend([
        Upkeep,
        Upkeep,
        Upkeep,
        Checkpoint(1),
        Upkeep,
        Do(Append(1, 60)),
        Checkpoint(1),
        Restart,
        Upkeep,
    ]);
    steps
}

/// A store that is encrypted, then encrypted with another key, with work before, between and behind.
pub(crate) fn keys() -> Vec<Script> {
    let work = [
        Do(Append(6, 600)),
        Upkeep,
        Checkpoint(1),
        Do(Erase(2)),
        Do(Append(3, 200)),
        Upkeep,
    ];
    let between = |key| [&work[..], &[Key(key)], &work[..]].concat();
    vec![
        script(
            "encrypt",
            1,
            [between("one"), vec![Upkeep, Checkpoint(1), Restart]].concat(),
        ),
        script(
            "change the key",
            1,
            [between("one"), vec![Key("two")], work.to_vec(), vec![Restart]].concat(),
        ),
    ]
}

/// Scripts drawn by chance.
const DRAWN: u64 = 80;
/// Steps of each.
const DRAWN_STEPS: usize = 16;

/// The next of a row of numbers that look random.
fn roll(seed: &mut u64, below: u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn drawn_change(seed: &mut u64) -> Change {
    match roll(seed, 16) {
        0..=6 => Append(1 + roll(seed, 8), roll(seed, 700)),
        7 => Remove(1 + roll(seed, 30)),
        8 => Erase(1 + roll(seed, 30)),
        9 => PurgeFilter(roll(seed, 3)),
        10 => PurgeKeep(roll(seed, 6)),
        11 => PurgeTo(1 + roll(seed, 40)),
        12 => Truncate(1 + roll(seed, 40)),
        13 => Skip(1 + roll(seed, 5)),
        14 => MaxMsgs(2 + roll(seed, 20)),
        _ => MaxPerSubject(1 + roll(seed, 3)),
    }
}

fn drawn_step(seed: &mut u64) -> Step {
    let stream = 1 + u32::try_from(roll(seed, 2)).unwrap();
    match roll(seed, 12) {
        0..=4 => On(stream, drawn_change(seed)),
        5 => Burst((0..3).map(|n| (1 + n % 2, drawn_change(seed))).collect()),
        6 => Upkeep,
        7 => Checkpoint(stream),
        8 => BeginCheckpoint(stream),
        9 => Snapshot(stream),
        10 => Release,
        _ => Restart,
    }
}

fn drawn(number: u64) -> Script {
    let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Script {
        name: format!("drawn {number}"),
        streams: 2,
        steps: (0..DRAWN_STEPS).map(|_| drawn_step(&mut seed)).collect(),
    }
}

/// Streams that are pinned while everything is done to them.
fn snapshots() -> Vec<Script> {
    let ten = [Append(5, 100), Append(5, 100)];
    let mut sparse = again(4, &[Do(Append(6, 600)), Upkeep]);
    sparse.push(Snapshot(1));
    sparse.extend((1..=24).filter(|n| n % 4 != 0).map(|n| Do(Remove(n))));
    sparse.extend([
        Upkeep,
        Upkeep,
        Snapshot(1),
        Checkpoint(1),
        Upkeep,
        Do(Purge),
        Upkeep,
    ]);
    sparse.extend([Checkpoint(1), Release, Upkeep, Restart]);
    let mut behind = vec![Do(Append(5, 100)), Upkeep, Snapshot(1), Checkpoint(1)];
    behind.extend(ten.map(Do));
    behind.extend([
        Snapshot(1),
        Do(Truncate(12)),
        Do(Append(4, 60)),
        Upkeep,
        Snapshot(1),
    ]);
    behind.extend([Truncate(3), Append(9, 70), Erase(2), Erase(7), PurgeFilter(1)].map(Do));
    behind.extend([Checkpoint(1), Upkeep, Do(Skip(2000)), Upkeep, Release, Restart]);
    vec![
        script("a snapshot of what is rewritten and removed", 1, sparse),
        script("snapshots of what is taken back and erased", 1, behind),
        script(
            "a snapshot under limits",
            1,
            [
                vec![Snapshot(1)],
                around(&[MaxMsgs(4), Append(6, 50)], &[]),
                vec![
                    Snapshot(1),
                    Do(Append(3, 50)),
                    Upkeep,
                    Snapshot(1),
                    Do(MaxPerSubject(1)),
                ],
                vec![Checkpoint(1), Upkeep, Do(Append(8, 700)), Upkeep, Checkpoint(1)],
            ]
            .concat(),
        ),
    ]
}

/// What owners of streams do beyond single changes.
fn owners() -> Vec<Script> {
    let acked = |n| [On(1, Remove(n)), On(2, MaxMsgs(1000 + n))];
    let mut work_queue = vec![On(1, Append(12, 80))];
    work_queue.extend((1..=4).flat_map(acked));
    work_queue.extend([Upkeep, BeginCheckpoint(2), Checkpoint(1)]);
    work_queue.extend([6, 5, 8].into_iter().flat_map(acked));
    work_queue.extend([
        Restart,
        On(1, Remove(7)),
        On(1, Append(2, 80)),
        Upkeep,
        Checkpoint(2),
    ]);
    let restored = Burst(vec![
        (1, Skip(40)),
        (1, Append(30, 90)),
        (1, Remove(45)),
        (1, Remove(46)),
        (1, Append(30, 90)),
        (1, Remove(99)),
        (1, Append(1, 3000)),
    ]);
    vec![
        script(
            "acknowledgements of a work queue, and of who follows it",
            2,
            work_queue,
        ),
        script(
            "a stream is restored",
            1,
            vec![restored, Upkeep, Checkpoint(1), Restart, Do(Append(1, 50))],
        ),
    ]
}

/// Those that were thought out.
pub(crate) fn scripts() -> Vec<Script> {
    [
        simple(),
        removing(),
        ends(),
        ends_of_tails(),
        many(),
        mixed(),
        snapshots(),
        owners(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Those, and those drawn by chance.
pub(crate) fn all_scripts() -> Vec<Script> {
    scripts().into_iter().chain((0..DRAWN).map(drawn)).collect()
}
