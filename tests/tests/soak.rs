//! What is used is given back: memory and file descriptors after subscriptions, connections and slow consumers have gone.
//! Long: run with `-- --ignored`. Never tests speed.

use natterjack_tests::{Outcome, RawConnection, Server, eventually, run, still_served};
use std::time::{Duration, Instant};

const QUIET: &str = r#"{"verbose":false}"#;
const SOON: Duration = Duration::from_secs(20);
/// What an allocator may keep beyond the level, MiB.
const SLACK_MIB: usize = 16;

fn pid(server: &Server) -> Outcome<String> {
    let name = server.ports_file_name()?;
    let pid = name.trim_end_matches(".ports").rsplit('_').next();
    Ok(pid
        .ok_or("no process id in the name of the ports file")?
        .to_owned())
}

/// Resident memory of the server, MiB.
fn memory_mib(server: &Server) -> Outcome<usize> {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", pid(server)?))?;
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .ok_or("no second field in statm")?
        .parse()?;
    Ok(pages * 4 / 1024)
}

fn descriptors(server: &Server) -> Outcome<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", pid(server)?))?.count())
}

async fn settled(raw: &mut RawConnection) -> Outcome {
    raw.send(b"PING\r\n").await?;
    while raw.line().await? != "PONG" {}
    Ok(())
}

#[test]
#[ignore = "long"]
fn a_hundred_thousand_subscriptions_come_and_go() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let mut raw = RawConnection::connect(server.address(), QUIET).await?;
        let empty = memory_mib(&server)?;
        let mut levels = Vec::new();
        for _ in 0..4 {
            for from in (0..100_000).step_by(1_000) {
                let subs: String = (from..from + 1_000)
                    .map(|n| format!("SUB s.{}.{n} {n}\r\n", n % 97))
                    .collect();
                raw.send(subs.as_bytes()).await?;
            }
            settled(&mut raw).await?;
            let held = memory_mib(&server)?;
            assert!(held < empty + 100, "{held} MiB for 100,000 subscriptions");
            for from in (0..100_000).step_by(1_000) {
                let unsubs: String = (from..from + 1_000).map(|n| format!("UNSUB {n}\r\n")).collect();
                raw.send(unsubs.as_bytes()).await?;
            }
            settled(&mut raw).await?;
            levels.push(memory_mib(&server)?);
        }
        assert!(levels[3] <= levels[0] + SLACK_MIB, "{levels:?} MiB");
        Ok(())
    })
}

#[test]
#[ignore = "long"]
fn five_thousand_connections_come_and_go() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let before = descriptors(&server)?;
        let mut levels = Vec::new();
        // The last ten thousand that ended are remembered for monitoring: the level is reached after two rounds.
        for _ in 0..4 {
            let mut all = Vec::new();
            for _ in 0..5_000 {
                all.push(RawConnection::connect(server.address(), QUIET).await?);
            }
            for raw in &mut all {
                settled(raw).await?;
            }
            assert!(descriptors(&server)? >= before + 5_000);
            drop(all);
            eventually("the end of the connections", SOON, || async {
                Ok((descriptors(&server)? <= before + 2).then_some(()))
            })
            .await?;
            levels.push(memory_mib(&server)?);
        }
        assert!(levels[3] <= levels[1] + SLACK_MIB, "{levels:?} MiB");
        Ok(())
    })
}

#[test]
#[ignore = "long"]
fn slow_consumers_harm_nobody() -> Outcome {
    run(async {
        let server = Server::with_config("max_pending: 8MB\n").await?;
        let witness = server.client().await?;
        let payload = "x".repeat(32 * 1024);
        let mut levels = Vec::new();
        for _ in 0..12 {
            let mut slow = RawConnection::connect(server.address(), QUIET).await?;
            slow.send(b"SUB flood 1\r\nPING\r\n").await?;
            assert_eq!(slow.line().await?, "PONG");
            let mut fast = RawConnection::connect(server.address(), QUIET).await?;
            fast.send(b"SUB flood 1\r\nSUB done 2\r\nPING\r\n").await?;
            assert_eq!(fast.line().await?, "PONG");
            let mut publisher = RawConnection::connect(server.address(), QUIET).await?;
            for _ in 0..1_000 {
                publisher
                    .send(format!("PUB flood 32768\r\n{payload}\r\n").as_bytes())
                    .await?;
                assert!(fast.line().await?.starts_with("MSG flood 1 32768"));
                assert_eq!(fast.line().await?.len(), 32_768);
            }
            still_served(&witness).await?;
            levels.push(memory_mib(&server)?);
        }
        let log = server.log()?;
        assert!(
            log.matches("Slow Consumer Detected").count() >= 12,
            "slow consumers were kept"
        );
        assert!(levels[11] <= levels[2] + SLACK_MIB, "{levels:?} MiB");
        Ok(())
    })
}

#[test]
#[ignore = "long"]
fn churn_leaves_nothing_behind() -> Outcome {
    run(async {
        let server = Server::start().await?;
        let mut listener = RawConnection::connect(server.address(), QUIET).await?;
        let mut publisher = RawConnection::connect(server.address(), QUIET).await?;
        let begun = Instant::now();
        let (mut round, mut level) = (0_usize, None);
        while begun.elapsed() < Duration::from_secs(20) {
            let mut text = String::new();
            for n in 0..200 {
                text.push_str(&format!(
                    "SUB c.{round}.{n} q{} {n}\r\nUNSUB {n}\r\nSUB c.*.{n} x{n}\r\n",
                    n % 3
                ));
            }
            listener.send(text.as_bytes()).await?;
            settled(&mut listener).await?;
            let pubs: String = (0..200)
                .map(|n| format!("PUB c.{round}.{n} 1\r\nx\r\n"))
                .collect();
            publisher.send(pubs.as_bytes()).await?;
            settled(&mut publisher).await?;
            let unsubs: String = (0..200).map(|n| format!("UNSUB x{n}\r\n")).collect();
            listener.send(unsubs.as_bytes()).await?;
            settled(&mut listener).await?;
            round += 1;
            if begun.elapsed() > Duration::from_secs(5) && level.is_none() {
                level = Some(memory_mib(&server)?);
            }
        }
        let (level, now) = (level.ok_or("too short")?, memory_mib(&server)?);
        assert!(
            now <= level + SLACK_MIB,
            "{level} MiB became {now} after {round} rounds"
        );
        Ok(())
    })
}
