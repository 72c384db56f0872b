//! What is used is given back: memory, file descriptors and counts after subscriptions, connections and slow consumers have
//! gone. The long ones run with `-- --ignored`. Never tests speed.

use natterjack_tests::{Options, Outcome, RawConnection, Server, eventually, run_within, still_served};
use std::time::{Duration, Instant};

const QUIET: &str = r#"{"verbose":false}"#;
const SOON: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(300);
/// What an allocator may keep beyond the level, MiB. A leak grows by as much with each of the rounds.
const SLACK_MIB: usize = 16;
const SYSTEM: &str = "max_pending: 1MB, system_account: SYS, no_auth_user: a
    accounts { SYS: { users: [ { user: s, password: s } ] }, A: { users: [ { user: a, password: a } ] } }\n";

/// A server whose memory can be compared from round to round: each thread keeps some of what it frees for itself, and
/// which thread does how much differs.
async fn one_thread(config: &str) -> Outcome<Server> {
    Server::launch(Options {
        config: Some(config.to_owned()),
        one_thread: true,
        ..Options::default()
    })
    .await
}

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

/// Subscriptions that one connection holds.
const MANY: usize = 100_000;

async fn subscribe_to_many(raw: &mut RawConnection) -> Outcome {
    for from in (0..MANY).step_by(1_000) {
        let subs: String = (from..from + 1_000)
            .map(|n| format!("SUB s.{}.{n} {n}\r\n", n % 97))
            .collect();
        raw.send(subs.as_bytes()).await?;
    }
    settled(raw).await
}

async fn unsubscribe_from_many(raw: &mut RawConnection) -> Outcome {
    for from in (0..MANY).step_by(1_000) {
        let unsubs: String = (from..from + 1_000).map(|n| format!("UNSUB {n}\r\n")).collect();
        raw.send(unsubs.as_bytes()).await?;
    }
    settled(raw).await
}

#[test]
#[ignore = "long"]
fn a_hundred_thousand_subscriptions_come_and_go() -> Outcome {
    run_within(LONG, async {
        let server = one_thread(SYSTEM).await?;
        let mut churn = Churn::on(server).await?;
        let empty = memory_mib(&churn.server)?;
        let (connections, subscriptions, files) = churn.held().await?;
        let mut levels = Vec::new();
        for _ in 0..12 {
            subscribe_to_many(&mut churn.listener).await?;
            levels.push(memory_mib(&churn.server)?);
            let held = (connections, subscriptions + MANY as u64, files);
            assert_eq!(churn.held().await?, held);
            unsubscribe_from_many(&mut churn.listener).await?;
            assert_eq!(churn.held().await?, (connections, subscriptions, files));
        }
        assert!(levels[0] < empty + 100, "{levels:?} MiB for {MANY} subscriptions");
        assert!(levels[11] <= levels[2] + SLACK_MIB, "{levels:?} MiB");
        Ok(())
    })
}

#[test]
#[ignore = "long"]
fn five_thousand_connections_come_and_go() -> Outcome {
    run_within(LONG, async {
        let server = one_thread("").await?;
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
    run_within(LONG, async {
        let server = one_thread("max_pending: 8MB\n").await?;
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

/// Connections of every kind at once: who listens and stops, who comes and goes, who does not read.
struct Churn {
    server: Server,
    admin: RawConnection,
    listener: RawConnection,
    publisher: RawConnection,
}

impl Churn {
    async fn start() -> Outcome<Self> {
        Self::on(Server::with_config(SYSTEM).await?).await
    }

    /// On a server with the configuration [`SYSTEM`].
    async fn on(server: Server) -> Outcome<Self> {
        let admin = r#"{"verbose":false,"user":"s","pass":"s"}"#;
        let mut admin = RawConnection::connect(server.address(), admin).await?;
        admin.send(b"SUB told 1\r\n").await?;
        let listener = RawConnection::connect(server.address(), QUIET).await?;
        let publisher = RawConnection::connect(server.address(), QUIET).await?;
        let mut churn = Self {
            server,
            admin,
            listener,
            publisher,
        };
        settled(&mut churn.listener).await?;
        settled(&mut churn.publisher).await?;
        Ok(churn)
    }

    /// Connections and subscriptions the server counts, and its file descriptors.
    async fn held(&mut self) -> Outcome<(u64, u64, usize)> {
        self.admin
            .send(b"PUB $SYS.REQ.SERVER.PING.STATSZ told 0\r\n\r\n")
            .await?;
        let mut line = self.admin.line().await?;
        // After two minutes the server asks whether this connection is still there.
        while line == "PING" {
            self.admin.send(b"PONG\r\n").await?;
            line = self.admin.line().await?;
        }
        assert!(line.starts_with("MSG told 1 "), "{line}");
        let answer: serde_json::Value = serde_json::from_str(&self.admin.line().await?)?;
        let count = |name| answer["statsz"][name].as_u64().ok_or("a count is missing");
        let counts = (count("connections")?, count("subscriptions")?);
        Ok((counts.0, counts.1, descriptors(&self.server)?))
    }

    async fn subscriptions_come_and_go(&mut self, round: usize) -> Outcome {
        let mut text = String::new();
        for n in 0..200 {
            text.push_str(&format!(
                "SUB c.{round}.{n} q{} {n}\r\nUNSUB {n}\r\nSUB c.*.{n} x{n}\r\nSUB c.> q y{n}\r\nUNSUB y{n} 1\r\n",
                n % 3
            ));
        }
        self.listener.send(text.as_bytes()).await?;
        settled(&mut self.listener).await?;
        let pubs: String = (0..200)
            .map(|n| format!("PUB c.{round}.{n} 1\r\nx\r\n"))
            .collect();
        self.publisher.send(pubs.as_bytes()).await?;
        settled(&mut self.publisher).await?;
        let unsubs: String = (0..200)
            .map(|n| format!("UNSUB x{n}\r\nUNSUB y{n}\r\n"))
            .collect();
        self.listener.send(unsubs.as_bytes()).await?;
        settled(&mut self.listener).await
    }

    /// Some say nothing, some leave in the middle of a message, some with messages on their way to them.
    async fn connections_come_and_go(&mut self) -> Outcome {
        for n in 0..20 {
            let mut raw = RawConnection::open(self.server.address()).await?;
            match n % 4 {
                0 => {}
                1 => raw.send(b"PUB half 100\r\nxx").await?,
                2 => raw.send(b"CONNECT {\"verbose\":false}\r\nSUB c.> 1\r\n").await?,
                _ => {
                    raw.send(b"SUB c.> q 1\r\nSUB d 2\r\n").await?;
                    settled(&mut raw).await?;
                }
            }
            self.publisher.send(b"PUB c.1 1\r\nx\r\n").await?;
        }
        settled(&mut self.publisher).await
    }

    /// One receiver does not read and is sent away; the other gets everything.
    async fn slow_beside_fast(&mut self) -> Outcome {
        let mut slow = RawConnection::connect(self.server.address(), QUIET).await?;
        slow.send(b"SUB flood 1\r\nSUB flood q 2\r\n").await?;
        settled(&mut slow).await?;
        let mut fast = RawConnection::connect(self.server.address(), QUIET).await?;
        fast.send(b"SUB flood 1\r\n").await?;
        settled(&mut fast).await?;
        let message = format!("PUB flood 32768\r\n{}\r\n", "x".repeat(32 * 1024));
        let before = self.sent_away()?;
        // The system's buffers take some of what is not read, so it is not known how many messages are too many.
        for n in 0..4_000 {
            self.publisher.send(message.as_bytes()).await?;
            assert!(fast.line().await?.starts_with("MSG flood 1 32768"));
            assert_eq!(fast.line().await?.len(), 32_768);
            if i32::rem_euclid(n, 32) == 0 && self.sent_away()? > before {
                return Ok(());
            }
        }
        Err("the slow consumer was kept".into())
    }

    fn sent_away(&self) -> Outcome<usize> {
        Ok(self.server.log()?.matches("Slow Consumer Detected").count())
    }

    async fn round(&mut self, round: usize) -> Outcome {
        self.subscriptions_come_and_go(round).await?;
        self.connections_come_and_go().await?;
        if round.is_multiple_of(20) {
            self.slow_beside_fast().await?;
        }
        Ok(())
    }

    /// Everybody that came has gone.
    async fn is_back_at(&mut self, level: (u64, u64, usize)) -> Outcome {
        let churn = tokio::sync::Mutex::new(self);
        eventually("the level of before", SOON, || async {
            let held = churn.lock().await.held().await?;
            Ok((held == level).then_some(()))
        })
        .await
    }
}

#[test]
fn a_little_churn_leaves_nothing_behind() -> Outcome {
    run_within(LONG, async {
        let mut churn = Churn::start().await?;
        let level = churn.held().await?;
        for round in 0..10 {
            churn.round(round).await?;
        }
        churn.is_back_at(level).await
    })
}

#[test]
#[ignore = "long"]
fn a_minute_of_churn_leaves_nothing_behind() -> Outcome {
    run_within(LONG, async {
        let mut churn = Churn::on(one_thread(SYSTEM).await?).await?;
        let level = churn.held().await?;
        let begun = Instant::now();
        let (mut round, mut memory) = (0_usize, None);
        while round < 1_000 || begun.elapsed() < Duration::from_secs(60) {
            churn.round(round).await?;
            round += 1;
            // By now the ended connections that are remembered are as many as there will be.
            if round >= 500 && memory.is_none() {
                memory = Some(memory_mib(&churn.server)?);
            }
        }
        churn.is_back_at(level).await?;
        let (before, now) = (memory.ok_or("not measured")?, memory_mib(&churn.server)?);
        assert!(
            now <= before + SLACK_MIB,
            "{before} MiB became {now} after {round} rounds"
        );
        Ok(())
    })
}
