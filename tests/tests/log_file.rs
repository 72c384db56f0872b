//! The log file as a real server keeps it: set aside once it is large, the oldest removed. Never tests what lines say
//! about anything else.

use natterjack_tests::{Outcome, Server, eventually, run};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(40);

/// The files of the log that were set aside, by name.
fn saved(server: &Server) -> Outcome<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(server.dir())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("server.log.") {
            names.insert(name);
        }
    }
    Ok(names)
}

#[test]
fn a_large_log_is_set_aside_and_so_many_are_kept() -> Outcome {
    run(async {
        let server = Server::with_config("debug: true, log_size_limit: 2000, log_max_num: 3\n").await?;
        // Each connection is worth two lines of the log, and after each of the rounds another one is the oldest.
        for _ in 0..2 {
            let before = saved(&server)?;
            eventually("files that are all younger", SOON, || async {
                drop(server.client().await?);
                let saved = saved(&server)?;
                Ok((saved.len() == 2 && saved.is_disjoint(&before)).then_some(()))
            })
            .await?;
        }
        let name = saved(&server)?.pop_last().ok_or("no file was set aside")?;
        // `server.log.2026.11.21.17.26.39.193923428`
        assert_eq!(name.len(), "server.log.".len() + 29, "{name}");
        let text = std::fs::read_to_string(server.dir().join(&name))?;
        assert!(text.len() > 2_000 && text.len() < 4_000, "{text}");
        assert!(text.lines().next().is_some_and(|line| {
            line.contains(" [INF] Rotated log, backup saved as \"") && line.contains("/server.log.")
        }));
        assert!(text.contains(" [INF] Purged log file \"server.log."), "{text}");
        let mode = std::fs::metadata(server.dir().join("server.log"))?.permissions();
        assert_eq!(mode.mode() & 0o137, 0, "the group reads, nobody else does");
        Ok(())
    })
}
