//! What a simulated disk looks like after a crash: changes that were forced out, and any part of the others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::sim::Crash;
use super::world::{Inode, Op, Tree};

/// Writes are torn at multiples of this: less than any real disk, so that more can go wrong.
const PIECE_BYTES: usize = 64;

/// A small generator of numbers: the same seed, the same crash.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll().is_multiple_of(n)
    }
}

/// Operations up to a crash.
#[derive(Debug)]
pub(super) struct Image<'a> {
    tree: Tree,
    log: &'a [Op],
}

/// How a crash treats what was not forced out, drawn once a crash: disks that lose nearly all, nearly nothing, or tear.
#[derive(Debug, Clone, Copy)]
struct Mood {
    lose_one_in: u64,
    tear_one_in: u64,
    names_in_order: bool,
}

impl<'a> Image<'a> {
    pub(super) fn new(base: &Tree, files: usize, log: &'a [Op]) -> Self {
        let mut tree = base.clone();
        tree.files.resize(files.max(tree.files.len()), Vec::new());
        Self { tree, log }
    }

    pub(super) fn after(mut self, crash: Crash) -> Tree {
        let lasting = self.lasting();
        let seed = match crash {
            Crash::Keep => {
                self.log.iter().for_each(|op| self.tree.apply(op));
                return self.tidy();
            }
            Crash::Lose => None,
            Crash::Seed(seed) => Some(seed),
        };
        let mut dice = Dice(seed.unwrap_or(0));
        let mood = Mood {
            lose_one_in: [1, 2, 2, 4, 16][usize::try_from(dice.roll() % 5).unwrap_or(0)],
            tear_one_in: [2, 4, 1000][usize::try_from(dice.roll() % 3).unwrap_or(0)],
            names_in_order: dice.one_in(2),
        };
        let mut stopped: BTreeMap<PathBuf, bool> = BTreeMap::new();
        for (op, lasts) in self.log.iter().zip(lasting) {
            if lasts {
                self.tree.apply(op);
            } else if seed.is_some() {
                self.perhaps(op, mood, &mut dice, &mut stopped);
            }
        }
        self.tidy()
    }

    /// Which operations are forced out by a later one.
    fn lasting(&self) -> Vec<bool> {
        let mut files: BTreeMap<Inode, bool> = BTreeMap::new();
        let mut folders: BTreeMap<&Path, bool> = BTreeMap::new();
        let mut lasting = vec![false; self.log.len()];
        for (op, lasts) in self.log.iter().zip(&mut lasting).rev() {
            match op {
                Op::Sync { inode } => {
                    files.insert(*inode, true);
                }
                Op::SyncFailed { inode } => {
                    files.insert(*inode, false);
                }
                Op::SyncFolder { path } => {
                    folders.insert(path, true);
                }
                Op::Write { inode, .. } | Op::Grow { inode, .. } => {
                    *lasts = files.get(inode).copied().unwrap_or(false);
                }
                Op::Folder { path }
                | Op::Link { path, .. }
                | Op::Unlink { path, .. }
                | Op::RemoveFolder { path } => {
                    let parent = path.parent().unwrap_or(path);
                    *lasts = folders.get(parent).copied().unwrap_or(false);
                }
            }
        }
        lasting
    }

    /// An operation that was not forced out happens, or not, or in part.
    fn perhaps(&mut self, op: &Op, mood: Mood, dice: &mut Dice, stopped: &mut BTreeMap<PathBuf, bool>) {
        let lost = dice.one_in(mood.lose_one_in);
        match op {
            Op::Write { inode, at, data } if !lost && dice.one_in(mood.tear_one_in) => {
                self.tear(*inode, *at, data, dice);
            }
            Op::Folder { path }
            | Op::Link { path, .. }
            | Op::Unlink { path, .. }
            | Op::RemoveFolder { path }
                if mood.names_in_order =>
            {
                let parent = path.parent().unwrap_or(path).to_owned();
                let over = stopped.entry(parent).or_default();
                *over |= lost;
                if !*over {
                    self.tree.apply(op);
                }
            }
            _ if !lost => self.tree.apply(op),
            _ => {}
        }
    }

    fn tear(&mut self, inode: Inode, at: u64, data: &[u8], dice: &mut Dice) {
        let start = usize::try_from(at).unwrap_or(0);
        let mut from = 0;
        while from < data.len() {
            // Pieces lie at their multiples in the file, not in the write.
            let to = (PIECE_BYTES - (start + from) % PIECE_BYTES + from).min(data.len());
            if dice.one_in(2) {
                self.tree.apply(&Op::Write {
                    inode,
                    at: at + from as u64,
                    data: data[from..to].to_vec(),
                });
            }
            from = to;
        }
    }

    /// What is in folders that are not there is not there.
    fn tidy(mut self) -> Tree {
        let reachable = |folders: &std::collections::BTreeSet<PathBuf>, path: &Path| {
            let above = path.ancestors().skip(1);
            above
                .take_while(|p| p.parent().is_some())
                .all(|p| folders.contains(p))
        };
        let all = self.tree.folders.clone();
        self.tree.folders.retain(|p| reachable(&all, p));
        let folders = &self.tree.folders;
        self.tree.names.retain(|p, _| reachable(folders, p));
        self.tree
    }
}
