//! A thousand connections that send random bytes from a seed, with one that must not notice.
//! Never tests what the server answers to them.

use futures_util::StreamExt;
use natterjack_tests::{Noise, Outcome, RawConnection, Server, run_within, still_served, within};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);

/// One stream of bytes: pure noise, or words of the protocol in an order nobody meant.
fn stream_of_bytes(noise: &mut Noise) -> Vec<u8> {
    const WORDS: [&str; 22] = [
        "PUB ",
        "SUB ",
        "HPUB ",
        "UNSUB ",
        "CONNECT ",
        "PING",
        "PONG",
        "INFO ",
        "-ERR ",
        "+OK",
        "\r\n",
        "\r\n",
        "\n",
        " ",
        "{}",
        "{\"verbose\":false}",
        "a.b",
        "*",
        ">",
        "$JS.API.INFO",
        "7",
        "4294967296",
    ];
    if noise.below(2) == 0 {
        let length = 1 + noise.below(600);
        return noise.bytes(length);
    }
    let mut bytes = Vec::new();
    for _ in 0..=noise.below(40) {
        bytes.extend_from_slice(WORDS[noise.below(WORDS.len())].as_bytes());
        if noise.below(8) == 0 {
            let length = noise.below(12);
            bytes.extend(noise.bytes(length));
        }
    }
    bytes
}

#[test]
fn a_thousand_streams_of_noise_do_no_harm() -> Outcome {
    const SEED: u64 = 20_151;
    run_within(Duration::from_secs(60), async {
        let mut server = Server::start().await?;
        let witness = server.client().await?;
        let mut before = witness.subscribe("kept").await?;
        for round in 0..1_000_u64 {
            let mut noise = Noise::new(SEED + round);
            let mut raw = RawConnection::open(server.address()).await?;
            // The server may have closed before it has all of it, which is its right.
            drop(raw.send(&stream_of_bytes(&mut noise)).await);
            raw.finish()
                .await
                .map_err(|error| format!("round {round}: {error}"))?;
            if round % 50 == 0 {
                still_served(&witness)
                    .await
                    .map_err(|error| format!("round {round}: {error}"))?;
                assert!(server.is_running()?, "the server ended in round {round}");
            }
        }
        witness.publish("kept", "still".into()).await?;
        let message = within("the kept subscription", SOON, async { Ok(before.next().await) }).await?;
        assert_eq!(message.ok_or("ended")?.payload, b"still".as_ref());
        still_served(&server.client().await?).await?;
        let log = server.log()?;
        assert!(!log.contains("panic"), "{log}");
        Ok(())
    })
}
