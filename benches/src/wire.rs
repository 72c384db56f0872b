//! A raw connection of the load generator: writes prepared bytes, counts or scans what comes. Understands no more than it needs.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const READ_BYTES: usize = 512 * 1024;
/// A server that says nothing for this long has lost something.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Blanks in the line of a message with headers and a reply.
const BLANKS_MAX: usize = 5;
/// How long a receiver that may have everything waits for more.
const MOMENT: Duration = Duration::from_millis(5);

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Wire {
    /// Connects and waits until the server has answered.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        let mut wire = Self {
            stream,
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
        };
        wire.send(
            b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n",
        )?;
        wire.sync()?;
        Ok(wire)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("sending")
    }

    /// Waits until the server has dealt with everything that was sent.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.send(b"PING\r\n")?;
        while self.line()? != b"PONG" {}
        Ok(())
    }

    fn fill(&mut self) -> Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == self.buffer.len() {
                self.buffer.resize(self.end * 2, 0);
            }
        }
        let n = self.read(self.end).context("receiving")?;
        if n == 0 {
            bail!("the server closed the connection");
        }
        self.end += n;
        Ok(n)
    }

    /// Reads to `at` of the buffer. A process that was stopped for a while goes on.
    fn read(&mut self, at: usize) -> std::io::Result<usize> {
        loop {
            match self.stream.read(&mut self.buffer[at..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// From now on [`Self::take`] gives up after a moment.
    pub(crate) fn hurry(&self) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(MOMENT))?)
    }

    /// Takes what comes without looking at it; how many bytes. 0 when nothing came for a moment.
    pub(crate) fn take(&mut self) -> Result<u64> {
        (self.start, self.end) = (0, 0);
        match self.read(0) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(n) => Ok(n as u64),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(0),
            Err(e) => Err(e).context("receiving"),
        }
    }

    /// Whether a part of what was read waits to be looked at.
    pub(crate) const fn has_unread(&self) -> bool {
        self.start < self.end
    }

    /// Length of the next line with its end, which stays unread.
    fn line_len(&mut self) -> Result<usize> {
        let mut seen = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &unread[seen..]) {
                return Ok(seen + at + 1);
            }
            seen = unread.len();
            self.fill()?;
        }
    }

    /// The next line, without its end.
    fn line(&mut self) -> Result<&[u8]> {
        let len = self.line_len()?;
        self.start += len;
        Ok(self.buffer[self.start - len..self.start].trim_ascii_end())
    }

    /// Lets `look` see reply subject and body of the next message; answers pings on the way.
    pub(crate) fn message<T>(&mut self, look: impl FnOnce(&[u8], &[u8]) -> T) -> Result<T> {
        loop {
            let len = self.line_len()?;
            let line = self.buffer[self.start..self.start + len].trim_ascii_end();
            let has_headers = line.starts_with(b"HMSG ");
            if !has_headers && !line.starts_with(b"MSG ") {
                let is_ping = line == b"PING";
                if line.starts_with(b"-ERR") {
                    bail!("{}", String::from_utf8_lossy(line));
                }
                self.start += len;
                if is_ping {
                    self.send(b"PONG\r\n")?;
                }
                continue;
            }
            // One pass over the line: the generator must not be what is measured.
            let mut blanks = [0; BLANKS_MAX];
            let mut words = 1;
            for (place, at) in blanks.iter_mut().zip(memchr::memchr_iter(b' ', line)) {
                (*place, words) = (at, words + 1);
            }
            let size: usize = std::str::from_utf8(&line[blanks[words - 2] + 1..])?.parse()?;
            let total = len + size + 2;
            let with_reply = if has_headers { 6 } else { 5 };
            let reply = if words == with_reply {
                blanks[2] + 1..blanks[3]
            } else {
                0..0
            };
            while self.end - self.start < total {
                self.fill()?;
            }
            let whole = &self.buffer[self.start..self.start + total];
            let seen = look(&whole[reply], &whole[len..total - 2]);
            self.start += total;
            return Ok(seen);
        }
    }
}
