//! What a client may do before it has said who it is, and what a proxy says of it.
//! Never tests limits of clients that are known.

use natterjack_tests::{Options, Outcome, RawConnection, Server, run};

const CONNECT: &[u8] = b"CONNECT {\"verbose\":false,\"auth_token\":\"t\"}\r\nPING\r\n";
const FULL: &str = "-ERR 'maximum connections exceeded'\r\n";

#[test]
fn strangers_have_only_so_many_places() -> Outcome {
    run(async {
        let config = "pre_auth_max_connections: 2\nauthorization { token: t, timeout: 30 }\n";
        let server = Server::with_config(config).await?;
        let mut known = RawConnection::open(server.address()).await?;
        let stranger = RawConnection::open(server.address()).await?;
        let mut refused = RawConnection::open(server.address()).await?;
        assert_eq!(refused.until_closed().await?, FULL);
        // Whoever says who it is makes room, and so does whoever goes.
        known.send(CONNECT).await?;
        assert_eq!(known.line().await?, "PONG");
        let mut next = RawConnection::open(server.address()).await?;
        stranger.finish().await?;
        next.send(CONNECT).await?;
        assert_eq!(next.line().await?, "PONG");
        Ok(())
    })
}

#[test]
fn a_stranger_may_send_only_so_much() -> Outcome {
    run(async {
        let config = "pre_auth_max_bytes: 1000\nmax_control_line: 64KB\nauthorization { token: t }\n";
        let server = Server::with_config(config).await?;
        let mut raw = RawConnection::open(server.address()).await?;
        raw.send(format!("CONNECT {{\"name\":\"{}", "x".repeat(2_000)).as_bytes())
            .await?;
        assert_eq!(
            raw.until_closed().await?,
            "-ERR 'maximum control line exceeded'\r\n"
        );
        Ok(())
    })
}

#[test]
fn strangers_of_one_address_have_only_so_many_places() -> Outcome {
    run(async {
        let config = "pre_auth_max_connections_per_ip: 1\nauthorization { token: t, timeout: 30 }\n";
        let server = Server::with_config(config).await?;
        let mut known = RawConnection::open(server.address()).await?;
        let mut refused = RawConnection::open(server.address()).await?;
        assert_eq!(refused.until_closed().await?, FULL);
        known.send(CONNECT).await?;
        assert_eq!(known.line().await?, "PONG");
        RawConnection::open(server.address()).await?;
        Ok(())
    })
}

#[test]
fn who_answers_no_ping_is_stale() -> Outcome {
    run(async {
        let config = "ping_interval: \"50ms\"\nping_max: 1\n";
        let server = Server::with_config(config).await?;
        let mut raw = RawConnection::connect(server.address(), "{\"verbose\":false}").await?;
        let said = raw.until_closed().await?;
        assert_eq!(said, "PING\r\n-ERR 'Stale Connection'\r\n");
        Ok(())
    })
}

#[test]
fn a_proxy_names_the_client() -> Outcome {
    run(async {
        let server = Server::launch(Options {
            config: Some("proxy_protocol: true\n".into()),
            ..Options::default()
        })
        .await?;
        let connect = b"CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\n".as_slice();
        let signature = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice();
        let two = [signature, &[10, 1, 2, 3, 10, 9, 9, 9, 4, 87, 16, 126]].concat();
        for (header, ip) in [
            (
                b"PROXY TCP4 10.1.2.3 10.9.9.9 1111 4222\r\n".as_slice(),
                "10.1.2.3",
            ),
            (two.as_slice(), "10.1.2.3"),
            (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
            (b"", "127.0.0.1"),
        ] {
            let mut raw = RawConnection::open(server.address()).await?;
            for part in [header, connect].concat().chunks(7) {
                raw.send(part).await?;
            }
            assert_eq!(raw.line().await?, "PONG");
            let info = raw.line().await?;
            assert!(info.contains(&format!("\"client_ip\":\"{ip}\"")), "{info}");
        }
        let mut bad = RawConnection::open(server.address()).await?;
        bad.send(b"PROXY TCP4 10.1.2 10.9.9.9 1111 4222\r\n").await?;
        assert_eq!(bad.until_closed().await?, "");
        let log = server.log()?;
        assert!(
            log.contains("invalid PROXY protocol header: invalid address"),
            "{log}"
        );
        Ok(())
    })
}
