//! How the process begins: flags, configuration check, ports file, and how soon it is of use.
//! Never tests what single configuration keys do.

use async_nats::jetstream::stream::Config;
use natterjack_tests::{Finished, Options, Outcome, Server, fill, finish, run, server_binary, version_lines};
use std::path::Path;
use std::time::{Duration, Instant};

/// The original needs 64 ms; a debug build on a busy machine gets more.
const READY: Duration = Duration::from_secs(5);

/// Runs the binary with a configuration file of this text and the flags.
async fn checked(config: &str, flags: &[&str]) -> Outcome<(Finished, String)> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("test.conf");
    std::fs::write(&path, config)?;
    let path = path.to_string_lossy().into_owned();
    let mut args = flags.to_vec();
    args.extend(["-c", path.as_str()]);
    Ok((finish(&server_binary()?, &args).await?, path))
}

#[test]
fn the_port_is_open_and_jetstream_ready_soon() -> Outcome {
    run(async {
        let begun = Instant::now();
        let server = Server::start().await?;
        let account = server.jetstream().await?.query_account().await?;
        assert!(begun.elapsed() < READY, "took {:?}", begun.elapsed());
        assert_eq!((account.streams, account.consumers, account.storage), (0, 0, 0));
        let info = server.client().await?.server_info();
        assert_eq!(
            (info.version.as_str(), info.proto, info.max_payload),
            ("2.15.1", 1, 1_048_576)
        );
        assert!(info.headers && info.jetstream && !info.auth_required && !info.tls_required);
        assert_eq!(
            (info.server_id.len(), info.server_id.starts_with('N')),
            (56, true)
        );
        Ok(())
    })
}

#[test]
fn a_store_with_messages_is_ready_soon_as_well() -> Outcome {
    run(async {
        let mut server = Server::start().await?;
        let js = server.jetstream().await?;
        for n in 0..20 {
            let config = Config {
                name: format!("S{n}"),
                subjects: vec![format!("s{n}")],
                ..Config::default()
            };
            js.create_stream(config).await?;
            fill(&js, &format!("s{n}"), 1..=100).await?;
        }
        server.kill().await?;
        let begun = Instant::now();
        server.restart().await?;
        let account = server.jetstream().await?.query_account().await?;
        assert!(begun.elapsed() < READY, "took {:?}", begun.elapsed());
        assert_eq!(account.streams, 20);
        Ok(())
    })
}

#[test]
fn a_link_called_nats_server_works() -> Outcome {
    run(async {
        let dir = tempfile::tempdir()?;
        let link = dir.path().join("nats-server");
        std::os::unix::fs::symlink(server_binary()?, &link)?;
        let version = finish(&link, &["-v"]).await?;
        assert!(
            version.stdout.starts_with("nats-server: v2.15.1\n"),
            "{}",
            version.stdout
        );
        let server = Server::launch(Options {
            executable: Some(link),
            ..Options::default()
        })
        .await?;
        let name = server.ports_file_name()?;
        assert!(
            name.starts_with("nats-server_") && name.ends_with(".ports"),
            "{name}"
        );
        assert!(server.jetstream().await?.query_account().await.is_ok());
        Ok(())
    })
}

#[test]
fn the_version_is_the_first_line() -> Outcome {
    run(async {
        assert_eq!(
            version_lines().await?.first().map(String::as_str),
            Some("nats-server: v2.15.1")
        );
        for flag in ["-v", "--v", "-version", "--version"] {
            let done = finish(&server_binary()?, &[flag]).await?;
            assert_eq!(
                (done.status.code(), done.stderr.as_str()),
                (Some(0), ""),
                "{flag}"
            );
            assert!(
                done.stdout.starts_with("nats-server: v2.15.1\n"),
                "{flag}: {}",
                done.stdout
            );
        }
        Ok(())
    })
}

#[test]
fn help_and_unknown_flags_show_the_usage() -> Outcome {
    run(async {
        let help = finish(&server_binary()?, &["-h"]).await?;
        assert_eq!(help.status.code(), Some(0));
        assert!(
            // Ours has flags of its own, so its text names the program that takes them.
            help.stdout.contains("Usage: natterjack-server [options]"),
            "{}",
            help.stdout
        );
        let unknown = finish(&server_binary()?, &["-nope"]).await?;
        let said = format!("{}{}", unknown.stdout, unknown.stderr);
        assert!(said.contains("flag provided but not defined: -nope"), "{said}");
        Ok(())
    })
}

#[test]
fn a_good_configuration_is_called_valid() -> Outcome {
    run(async {
        let (done, path) = checked("port: -1\njetstream { sync_interval: always }\n", &["-t"]).await?;
        let said = format!("{}{}", done.stdout, done.stderr);
        assert_eq!(done.status.code(), Some(0), "{said}");
        let start = format!("nats-server: configuration file {path} is valid (sha256:");
        assert!(
            said.starts_with(&start) && said.trim_end().ends_with(')'),
            "{said}"
        );
        Ok(())
    })
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() -> Outcome {
    run(async {
        for (config, text) in [
            ("foo: 1\n", "nats-server: {path}:1:0: unknown field \"foo\""),
            (
                "port: -1\nserver_name: a\nbar: x\n",
                "nats-server: {path}:3:1: unknown field \"bar\"",
            ),
            (
                "a {\n",
                "nats-server: Parse error on line 2: 'Unexpected EOF processing map.'",
            ),
            (
                "port: $NO_SUCH_VARIABLE\n",
                "nats-server: variable reference for 'NO_SUCH_VARIABLE' on line 1 can not be found",
            ),
            (
                "jetstream { bogus: 1 }\n",
                "nats-server: {path}:1:12: unknown field \"bogus\"",
            ),
        ] {
            for flags in [&["-t"][..], &[]] {
                let (done, path) = checked(config, flags).await?;
                assert_eq!(done.status.code(), Some(1), "{config:?} {flags:?}");
                let said = format!("{}{}", done.stdout, done.stderr);
                assert_eq!(
                    said.trim_end(),
                    text.replace("{path}", &path),
                    "{config:?} {flags:?}"
                );
            }
        }
        Ok(())
    })
}

#[test]
fn a_missing_configuration_is_named() -> Outcome {
    run(async {
        let path = Path::new("no").join("such.conf");
        let done = finish(&server_binary()?, &["-t", "-c", &path.to_string_lossy()]).await?;
        assert_eq!(done.status.code(), Some(1));
        assert_eq!(
            done.stderr.trim_end(),
            format!("nats-server: open {}: no such file or directory", path.display())
        );
        Ok(())
    })
}

#[test]
fn a_taken_port_ends_the_second_server() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let (_, port) = server.address().rsplit_once(':').ok_or("no port")?;
        let done = finish(&server_binary()?, &["-a", "127.0.0.1", "-p", port]).await?;
        assert_eq!(done.status.code(), Some(1));
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(
            said.contains("[FTL] Error listening on port: 127.0.0.1:")
                && said.contains("address already in use"),
            "{said}"
        );
        Ok(())
    })
}
