//! The same scripts against our server and the peer, answers compared. Never decides what is right: the peer is.

#[cfg(test)]
mod coverage;
mod differences;
mod json;
mod judge;
mod normal;
mod player;
mod server;
mod step;
mod transcript;
mod wire;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::outcome::Outcome;
use crate::report::say;
use crate::venv;
use crate::workspace::Workspace;
use differences::Differences;
use judge::{Judge, Verdicts};
use player::{ANSWER_WITHIN, ANSWER_WITHIN_AT_LAST, Answers};
use server::Server;
use transcript::Transcript;

const FOLDER: &str = "tests/conformance";
/// Files played at once. They mostly wait, so there may be more than there are cores.
const PLAYERS: usize = 4;

/// What to run and what with.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Run only the peer and compare it with the recorded answers
    #[arg(long)]
    pub(crate) peer_only: bool,
    /// Record the peer's answers in the transcripts
    #[arg(long)]
    pub(crate) update: bool,
    /// Only cases whose `file/case` contains this
    pub(crate) filter: Option<String>,
}

/// What one server answered in one file: number of the case, and its answers or why there are none.
type Played = Vec<(usize, Result<Answers, String>)>;

/// The answers of both servers to one file; one that was not asked has none.
struct Pair {
    peer: Option<Played>,
    ours: Option<Played>,
}

/// Plays the transcripts and prints where the servers differ.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<Outcome> {
    let begin = Instant::now();
    let folder = workspace.root.join(FOLDER);
    let transcripts = load(&folder)?;
    let peer = venv::peer(workspace)?;
    let wants_ours = !arguments.peer_only && !arguments.update;
    let ours = wants_ours.then(|| cargo::server(workspace)).transpose()?;
    if let (Err(why), None) = (&peer, &ours) {
        return Ok(Outcome::skipped(why.clone()));
    }
    let programs = (peer.as_deref().ok(), ours.as_deref());
    let filter = arguments.filter.as_deref();
    let pairs = play_all(&transcripts, programs, filter);
    if arguments.update {
        return update(&folder, &transcripts, &pairs);
    }
    let listed = std::fs::read_to_string(folder.join("differences.toml")).unwrap_or_default();
    let mut judge = Judge::new(Differences::parse(&listed)?);
    for (transcript, pair) in transcripts.iter().zip(&pairs) {
        let mut verdicts = judge.file(transcript, pair);
        let second = second_playing(transcript, programs, &judge, &verdicts);
        for number in second.keys() {
            let case = &transcript.cases[*number].name;
            judge
                .outcome
                .note(&format!("differed at first: {}/{case}", transcript.name));
        }
        verdicts.extend(second);
        judge.count(transcript, &verdicts);
    }
    let cases = judge.outcome.passed + judge.outcome.failed;
    ensure!(
        cases > 0,
        "no case has a name with {:?}",
        arguments.filter.as_deref()
    );
    if arguments.filter.is_none() && ours.is_some() {
        judge.unused_differences();
    }
    let mut outcome = judge.outcome;
    outcome.failures.iter().for_each(say);
    if let Err(why) = peer {
        let lone = Outcome::skipped(format!("no peer ({why}): compared with recorded answers only"));
        outcome.add(&lone);
        outcome.skipped = lone.skipped;
    }
    let Outcome { passed, failed, .. } = &outcome;
    let seconds = begin.elapsed().as_secs_f64();
    say(format_args!(
        "conformance: {passed} passed, {failed} failed in {seconds:.1} s"
    ));
    Ok(outcome)
}

/// Plays the cases that differ once more, alone and with more time for answers: the clock and a busy machine do not
/// decide whether servers agree.
fn second_playing(
    file: &Transcript,
    programs: (Option<&Path>, Option<&Path>),
    judge: &Judge,
    first: &Verdicts,
) -> Verdicts {
    let differs = |number: usize| first.get(&number).is_some_and(|found| !found.is_empty());
    judge.file(file, &play_pair(file, programs, &differs, ANSWER_WITHIN_AT_LAST))
}

fn load(folder: &Path) -> Result<Vec<Transcript>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        paths.push(entry?.path());
    }
    paths.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    ensure!(!paths.is_empty(), "no transcripts in {FOLDER}");
    paths
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            Transcript::parse(&name, &std::fs::read_to_string(path)?)
        })
        .collect()
}

/// Plays all files, several at a time; the result has one entry a file.
fn play_all(
    files: &[Transcript],
    programs: (Option<&Path>, Option<&Path>),
    filter: Option<&str>,
) -> Vec<Pair> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((number, file)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, files.get(n)?)))
        {
            let is_wanted = |number: usize| {
                let name = format!("{}/{}", file.name, file.cases[number].name);
                filter.is_none_or(|f| name.contains(f))
            };
            let pair = play_pair(file, programs, &is_wanted, ANSWER_WITHIN);
            if let Ok(mut done) = done.lock() {
                done.push((number, pair));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, pair)| pair).collect()
}

/// Plays the wanted cases of a file, by number, against both servers at the same time.
fn play_pair(
    file: &Transcript,
    programs: (Option<&Path>, Option<&Path>),
    is_wanted: &(dyn Fn(usize) -> bool + Sync),
    within: Duration,
) -> Pair {
    let (peer, ours) = programs;
    std::thread::scope(|scope| {
        let peer = peer.map(|p| scope.spawn(move || play_file(p, file, is_wanted, within)));
        let ours = ours.map(|p| play_file(p, file, is_wanted, within));
        // A player that panicked answered nothing, which the judge counts as a failure.
        let peer = peer.map(|p| p.join().unwrap_or_default());
        Pair { peer, ours }
    })
}

fn play_file(
    program: &Path,
    file: &Transcript,
    is_wanted: &(dyn Fn(usize) -> bool + Sync),
    within: Duration,
) -> Played {
    let cases = file
        .cases
        .iter()
        .enumerate()
        .filter(|(number, _)| is_wanted(*number));
    let cases: Vec<_> = cases.collect();
    if cases.is_empty() {
        return Vec::new();
    }
    let started = Server::start(program, &file.header);
    let prepared = started.and_then(|server| {
        player::prepare(server.address, &file.header)?;
        Ok(server)
    });
    match prepared {
        Ok(server) => cases
            .into_iter()
            .map(|(number, case)| {
                let answers = player::play(server.address, &file.header, case, within);
                (number, answers.map_err(|e| format!("{e:#}")))
            })
            .collect(),
        Err(error) => {
            let error = format!("{error:#}");
            cases
                .into_iter()
                .map(|(number, _)| (number, Err(error.clone())))
                .collect()
        }
    }
}

/// Writes the peer's answers into the files.
fn update(folder: &Path, files: &[Transcript], pairs: &[Pair]) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (file, pair) in files.iter().zip(pairs) {
        let mut answers = Vec::new();
        for (number, played) in pair.peer.iter().flatten() {
            match played {
                Ok(played) => answers.push((*number, played.clone())),
                Err(why) => {
                    say(format_args!("{}/{}: {why}", file.name, file.cases[*number].name));
                    outcome.failed += 1;
                }
            }
        }
        outcome.passed += answers.len() as u64;
        std::fs::write(
            folder.join(format!("{}.txt", file.name)),
            file.with_answers(&answers),
        )?;
    }
    say(format_args!(
        "recorded: {} cases, {} failed",
        outcome.passed, outcome.failed
    ));
    Ok(outcome)
}
