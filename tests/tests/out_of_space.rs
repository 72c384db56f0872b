//! A server whose disk is full: nothing acknowledged is lost, administrators are told, and it goes on when there is space.
//! It needs a file system of its own, which not every machine lets a test mount: then it counts as ignored, and says so.
//! The peer stops the one stream and its health instead, and tells nobody.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt as _;
use natterjack_tests::{
    Options, Outcome, Server, api, eventually, refusal_of, run_within, server_binary, within,
};
use serde_json::Value;
use tempfile::TempDir;

const NAME: &str = "a_full_disk_is_told_of_and_nothing_is_lost";
/// What the file systems hold: several segments and what the journal takes, and hardly more than a file of the journal.
const SIZES: [&str; 2] = ["96m", "24m"];
/// Messages taken again after a purge.
const MORE: usize = 30;
/// A message, bytes; more of them than there is room for.
const MESSAGE_BYTES: usize = 60_000;
const MESSAGES_MAX: u64 = 4_000;
const LIMIT: Duration = Duration::from_secs(60);

/// Mounts a file system of `size` on `folder`.
fn mount(size: &str, folder: &Path) -> String {
    format!("mount -t tmpfs -o size={size} none {}", folder.display())
}

/// Whether a file system may be mounted where only the server sees it.
fn may_mount(folder: &Path) -> bool {
    let script = mount(SIZES[0], folder);
    let tried = Command::new("unshare")
        .args(["-Urm", "sh", "-c", &script])
        .output();
    tried.is_ok_and(|done| done.status.success())
}

/// A program that runs the server where `folder` is such a file system.
fn wrapper(dir: &Path, size: &str, folder: &Path) -> Outcome<std::path::PathBuf> {
    let (path, server) = (dir.join("server.sh"), server_binary()?);
    let inner = format!("{} && exec {} \"$@\"", mount(size, folder), server.display());
    std::fs::write(
        &path,
        format!("#!/bin/sh\nexec unshare -Urm sh -c '{inner}' sh \"$@\"\n"),
    )?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

async fn client(server: &Server, user: &str) -> Outcome<Client> {
    let options = ConnectOptions::with_user_and_password(user.into(), "x".into());
    Ok(options.connect(server.url()).await?)
}

async fn publish(client: &Client) -> Outcome<u64> {
    let refused = refusal_of(client, "FILE", &[], vec![b'x'; MESSAGE_BYTES]).await?;
    Ok(refused.map_or(0, |refused| refused.err_code))
}

/// Publishes until a message is refused; gives how many were not.
async fn fill(client: &Client) -> Outcome<u64> {
    for stored in 0..MESSAGES_MAX {
        match publish(client).await? {
            0 => {}
            10077 => return Ok(stored),
            other => return Err(format!("refused with {other}").into()),
        }
    }
    Err("the disk was never full".into())
}

async fn test(dir: &Path, size: &str, folder: &Path) -> Outcome {
    let config = format!(
        "accounts {{ A {{ jetstream: enabled\nusers: [ {{ user: A, password: x }} ] }}\n\
         S {{ users: [ {{ user: S, password: x }} ] }} }}\nsystem_account: S\nhttp: \"127.0.0.1:-1\"\n\
         jetstream {{ store_dir: {folder:?}, max_file: 1GB, domain: hub }}\n"
    );
    let server = Server::launch(Options {
        executable: Some(wrapper(dir, size, folder)?),
        config: Some(config),
        bare: true,
        ..Options::default()
    })
    .await?;
    let (a, system) = (client(&server, "A").await?, client(&server, "S").await?);
    let mut told = system.subscribe("$JS.EVENT.ADVISORY.SERVER.>").await?;
    system.flush().await?;
    for (name, storage) in [("FILE", "file"), ("MEMORY", "memory")] {
        let wanted = format!("{{\"name\":\"{name}\",\"storage\":\"{storage}\"}}");
        api(&a, &format!("STREAM.CREATE.{name}"), &wanted).await?;
    }
    let stored = fill(&a).await?;
    let advisory = within("the advisory", LIMIT, async { Ok(told.next().await) }).await?;
    let advisory = advisory.ok_or("no advisory")?;
    assert_eq!(&*advisory.subject, "$JS.EVENT.ADVISORY.SERVER.OUT_OF_STORAGE");
    let advisory: Value = serde_json::from_slice(&advisory.payload)?;
    assert_eq!(
        advisory["type"],
        "io.nats.jetstream.advisory.v1.server_out_of_space"
    );
    assert_eq!(
        (&advisory["domain"], &advisory["cluster"]),
        (&"hub".into(), &"".into())
    );
    assert_eq!(advisory["server_id"], a.server_info().server_id);
    let page = server.page("/healthz").await?;
    assert!(
        page.contains(" 503 ") && page.contains("storage is full"),
        "{page}"
    );
    assert!(refusal_of(&a, "MEMORY", &[], vec![b'x']).await?.is_none());
    let info = api(&a, "STREAM.INFO.FILE", "").await?;
    assert_eq!(info["state"]["messages"], stored);
    let purged = api(&a, "STREAM.PURGE.FILE", "").await?;
    assert_eq!(purged["purged"], stored);
    eventually("space", LIMIT, || async {
        Ok((publish(&a).await? == 0).then_some(()))
    })
    .await?;
    for n in 0..MORE {
        assert_eq!(publish(&a).await?, 0, "message {n} after the purge, of {size}");
    }
    eventually("health", LIMIT, || async {
        Ok(server.page("/healthz").await?.contains(" 200 ").then_some(()))
    })
    .await
}

fn say(line: &str) {
    let _nobody_reads = writeln!(std::io::stdout().lock(), "{line}");
}

/// Passed, failed and ignored, as the tests of other files are told.
fn report([passed, failed, ignored]: [u8; 3]) -> ExitCode {
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    say(&format!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    ));
    ExitCode::from(failed)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|a| !a.starts_with('-'));
    let only_ignored = arguments.iter().any(|a| a == "--ignored" || a == "--list");
    if only_ignored || filter.is_some_and(|filter| !NAME.contains(filter.as_str())) {
        return report([0; 3]);
    }
    let prepared = TempDir::with_prefix("natterjack-tests-").and_then(|dir| {
        let folder = dir.path().join("disk");
        std::fs::create_dir(&folder)?;
        Ok((dir, folder))
    });
    let (dir, folder) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            say(&format!("test {NAME} ... FAILED\n{error}"));
            return report([0, 1, 0]);
        }
    };
    if !may_mount(&folder) {
        say(&format!(
            "test {NAME} ... ignored, no file system may be mounted here"
        ));
        return report([0, 0, 1]);
    }
    let all = async {
        for size in SIZES {
            test(dir.path(), size, &folder).await?;
        }
        Ok(())
    };
    match run_within(6 * LIMIT, all) {
        Ok(()) => {
            say(&format!("test {NAME} ... ok"));
            report([1, 0, 0])
        }
        Err(error) => {
            say(&format!("test {NAME} ... FAILED\n{error}"));
            report([0, 1, 0])
        }
    }
}
