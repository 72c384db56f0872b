//! One raw connection to a server, cut into frames. Never interprets what it reads beyond its boundaries.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const READ_BYTES: usize = 64 * 1024;

/// What a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A line without its end.
    Line(String),
    Message(Message),
}

/// A MSG or HMSG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) subject: String,
    pub(super) sid: String,
    pub(super) reply: Option<String>,
    /// Empty for a MSG.
    pub(super) headers: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// What came of waiting for a frame.
#[derive(Debug)]
pub(super) enum Read1 {
    Frame(Frame),
    Closed,
    Silence,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
    frames: VecDeque<Frame>,
    closed: bool,
    /// PINGs of the script that are not answered yet.
    pub(super) pings_open: usize,
}

impl Connection {
    /// Connects to `address`.
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect_timeout(&address, Duration::from_secs(2)).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(Duration::from_secs(2)))?;
        Ok(Self {
            stream,
            bytes: Vec::new(),
            frames: VecDeque::new(),
            closed: false,
            pings_open: 0,
        })
    }

    /// Sends `bytes`. A server that closed already is noticed by the next read, not here.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).ok();
    }

    /// The next frame, waiting until `deadline`. PINGs of the server are answered and left out.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Read1> {
        loop {
            self.cut();
            while let Some(frame) = self.frames.pop_front() {
                if frame == Frame::Line("PING".to_owned()) {
                    self.send(b"PONG\r\n");
                    continue;
                }
                return Ok(Read1::Frame(frame));
            }
            if self.closed {
                return Ok(Read1::Closed);
            }
            let Some(left) = deadline
                .checked_duration_since(Instant::now())
                .filter(|d| !d.is_zero())
            else {
                return Ok(Read1::Silence);
            };
            self.read(left)?;
        }
    }

    /// Puts `frames` before everything not yet taken.
    pub(super) fn put_back(&mut self, frames: Vec<Frame>) {
        for frame in frames.into_iter().rev() {
            self.frames.push_front(frame);
        }
    }

    fn read(&mut self, left: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.closed = true,
            Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            // A reset says the same as an end: it depends on what the server had not yet read.
            Err(_) => self.closed = true,
        }
        Ok(())
    }

    /// Moves the complete frames out of the bytes.
    fn cut(&mut self) {
        let mut used = 0;
        while let Some((frame, length)) = frame(&self.bytes[used..]) {
            self.frames.push_back(frame);
            used += length;
        }
        self.bytes.drain(..used);
    }
}

/// The first frame of `bytes` and its length.
fn frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let end = bytes.windows(2).position(|w| w == b"\r\n")?;
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let words: Vec<&str> = line.split(' ').collect();
    let size = |word: &str| word.parse::<usize>().ok();
    let (reply, headers, total) = match words.as_slice() {
        ["MSG", _, _, total] => (None, Some(0), size(total)),
        ["MSG", _, _, reply, total] => (Some(*reply), Some(0), size(total)),
        ["HMSG", _, _, headers, total] => (None, size(headers), size(total)),
        ["HMSG", _, _, reply, headers, total] => (Some(*reply), size(headers), size(total)),
        _ => return Some((Frame::Line(line), end + 2)),
    };
    let (Some(headers), Some(total)) = (headers, total) else {
        return Some((Frame::Line(line), end + 2));
    };
    let body = bytes.get(end + 2..end + 2 + total + 2)?;
    let message = Message {
        subject: words[1].to_owned(),
        sid: words[2].to_owned(),
        reply: reply.map(str::to_owned),
        headers: body.get(..headers)?.to_vec(),
        payload: body.get(headers..total)?.to_vec(),
    };
    Some((Frame::Message(message), end + 2 + total + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_frames() {
        let bytes = b"INFO {} \r\nMSG a 1 r 2\r\nhi\r\nHMSG a 1 12 13\r\nNATS/1.0\r\n\r\nx\r\nMSG b";
        let (info, first) = frame(bytes).unwrap();
        assert_eq!(info, Frame::Line("INFO {} ".into()));
        let (Frame::Message(m), second) = frame(&bytes[first..]).unwrap() else {
            panic!("no message");
        };
        assert_eq!(
            (m.reply.as_deref(), m.payload.as_slice()),
            (Some("r"), b"hi".as_slice())
        );
        let (Frame::Message(m), third) = frame(&bytes[first + second..]).unwrap() else {
            panic!("no message");
        };
        assert_eq!((m.headers.len(), m.payload.as_slice()), (12, b"x".as_slice()));
        assert_eq!(frame(&bytes[first + second + third..]), None);
        assert_eq!(frame(b"MSG a 1 5\r\nhi\r\n"), None);
    }
}
