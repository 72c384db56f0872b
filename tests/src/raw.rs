//! A TCP connection that sends exactly what it is told, and bytes from a seed.
//! Never parses what the server says beyond lines and never answers by itself.

use crate::{Outcome, within};
use async_nats::Client;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server may take to answer or to close before the test fails.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A connection on which the test writes every byte itself.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl RawConnection {
    /// Connects and reads the server's greeting line.
    ///
    /// # Errors
    /// No connection, or no `INFO` line in time.
    pub async fn open(address: &str) -> Outcome<Self> {
        let mut connection = Self {
            stream: TcpStream::connect(address).await?,
            received: Vec::new(),
        };
        let greeting = connection.line().await?;
        if greeting.starts_with("INFO {") {
            Ok(connection)
        } else {
            Err(format!("expected a greeting, got {greeting:?}").into())
        }
    }

    /// Connects and says `CONNECT` with the options given as JSON.
    ///
    /// # Errors
    /// As [`RawConnection::open`], and a failed write.
    pub async fn connect(address: &str, options: &str) -> Outcome<Self> {
        let mut connection = Self::open(address).await?;
        connection
            .send(format!("CONNECT {options}\r\n").as_bytes())
            .await?;
        Ok(connection)
    }

    /// Writes these bytes.
    ///
    /// # Errors
    /// A failed write, which is also what a closed connection gives.
    pub async fn send(&mut self, bytes: &[u8]) -> Outcome {
        tokio::time::timeout(ANSWER_LIMIT, self.stream.write_all(bytes)).await??;
        Ok(())
    }

    /// Says that nothing more will be sent, and reads on until the server has closed as well.
    ///
    /// # Errors
    /// As [`RawConnection::until_closed`].
    pub async fn finish(mut self) -> Outcome<String> {
        // The server may have closed already, which is no error here.
        drop(self.stream.shutdown().await);
        self.until_closed().await
    }

    /// The next line from the server, without its end.
    ///
    /// # Errors
    /// A passed deadline, or a connection closed before the line was whole.
    pub async fn line(&mut self) -> Outcome<String> {
        loop {
            if let Some(at) = self.received.iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.received.drain(..=at).collect();
                line.truncate(line.trim_ascii_end().len());
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if !self.fill().await? {
                let rest = String::from_utf8_lossy(&self.received).into_owned();
                return Err(format!("closed within a line: {rest:?}").into());
            }
        }
    }

    /// Everything the server still says until it closes the connection.
    ///
    /// # Errors
    /// A passed deadline: the server did not close.
    pub async fn until_closed(&mut self) -> Outcome<String> {
        while self.fill().await? {}
        Ok(String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned())
    }

    /// Reads once; false when the other side has closed.
    async fn fill(&mut self) -> Outcome<bool> {
        let mut chunk = [0_u8; 4096];
        let read = tokio::time::timeout(ANSWER_LIMIT, self.stream.read(&mut chunk));
        let count = match read.await.map_err(|_| "the server neither answered nor closed")? {
            Ok(count) => count,
            // A close with our bytes still unread reaches us as a reset; for a test it is a close.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error.into()),
        };
        self.received
            .extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count > 0)
    }
}

/// Random numbers that are the same for the same seed on every machine (splitmix64).
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// A sequence for this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        b ^ (b >> 31)
    }

    /// A number below `bound`; zero for a bound of zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// This many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// Proves that an old connection is still served, by a message to itself.
///
/// # Errors
/// It is not.
pub async fn still_served(client: &Client) -> Outcome {
    let mut inbox = client.subscribe("witness").await?;
    client.publish("witness", "here".into()).await?;
    let message = within("the witness's own message", ANSWER_LIMIT, async {
        Ok(inbox.next().await)
    })
    .await?;
    assert_eq!(
        message.ok_or("the witness lost its connection")?.payload,
        b"here".as_ref()
    );
    Ok(())
}
