//! The inbound side of a connection: reads as much as there is, parses it in place, keeps what is left of a half-read
//! operation. Never writes and never waits.
//!
//! The read buffer belongs to the thread: a connection holds memory only for the beginning of an operation whose end has
//! not come. Messages that are too large to be worth copying are read into a buffer of their own and shared from there.

use std::cell::RefCell;
use std::io;

use bytes::{Buf, BytesMut};
use natterjack_proto::Step;
use natterjack_proto::proxy_protocol::{self, Header};

use super::CloseReason;
use super::io::count_copy;
use super::task::Task;
use super::write::SHARE_BYTES_MIN;
use crate::clock;

/// One read asks the kernel for this much at most.
const READ_BYTES_MAX: usize = 64 * 1024;
/// The same for messages so large that they are not copied again, to begin with and at most: a connection that fills what
/// it is given gets twice as much, so that few calls move a lot and one that sends little holds little.
pub(super) const LARGE_READ_BYTES: std::ops::RangeInclusive<usize> = 128 * 1024..=512 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES_MAX]);
}

/// What a read came to.
pub(super) enum Read {
    /// Bytes were dealt with; whether the buffer was full.
    Some { more: bool },
    /// Nothing is there.
    Blocked,
    /// The connection ends.
    Ended,
}

impl Task {
    /// Reads once and acts on what came.
    pub(super) fn read(&mut self) -> Read {
        let result = if !self.large && self.carry.len() + self.missing < SHARE_BYTES_MIN {
            BUFFER.with_borrow_mut(|buffer| {
                // What is left of the last read goes first, so that every read may be as large as there is room.
                let left = self.carry.len();
                buffer[..left].copy_from_slice(&self.carry);
                count_copy(left);
                let n = self.session.conn.io.try_read(&mut buffer[left..])?;
                if n > 0 {
                    self.carry.clear();
                    self.missing = 0;
                    self.on_bytes(&buffer[..left + n], n);
                }
                Ok((n, buffer.len() - left))
            })
        } else {
            self.read_more()
        };
        match result {
            Ok((0, _)) => Read::Ended,
            Ok((n, asked)) => Read::Some { more: n == asked },
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.rest();
                Read::Blocked
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Read::Some { more: true },
            Err(_) => {
                self.session.conn.close(CloseReason::ReadError);
                Read::Ended
            }
        }
    }

    /// A connection that waits holds no memory for what it may say.
    fn rest(&mut self) {
        if self.carry.is_empty() {
            self.carry = BytesMut::new();
        }
    }

    fn read_more(&mut self) -> io::Result<(usize, usize)> {
        if self.carry.capacity() - self.carry.len() < self.missing.max(READ_BYTES_MAX / 2) {
            self.carry.reserve(self.missing.max(self.large_read));
        }
        let room = self.carry.capacity() - self.carry.len();
        let n = self.session.conn.io.try_read_buf(&mut self.carry)?;
        if n == room {
            self.large_read = (self.large_read * 2).min(*LARGE_READ_BYTES.end());
        } else if n < self.large_read / 4 {
            self.large_read = (self.large_read / 2).max(*LARGE_READ_BYTES.start());
        }
        if n > 0 {
            self.session.keepalive.on_bytes(clock::mono());
            self.count_early(n);
            self.parse_carry();
            if n < room {
                self.rest();
            }
        }
        Ok((n, room))
    }

    /// Before its CONNECT was accepted a client may not make the server hold much.
    fn count_early(&mut self, n: usize) {
        if self.session.auth_deadline.is_none() {
            return;
        }
        self.session.early_bytes += n;
        if self.session.early_bytes > self.session.live.options.limits.pre_auth_bytes_max {
            let error = natterjack_proto::ServerError::MaximumControlLine;
            self.session
                .end(Some(&error), CloseReason::MaxControlLineExceeded);
        }
    }

    /// Acts on `bytes`, the last `fresh` of which have just come.
    fn on_bytes(&mut self, mut bytes: &[u8], fresh: usize) {
        self.session.keepalive.on_bytes(clock::mono());
        self.count_early(fresh);
        if self.proxy_header {
            match self.skip_proxy_header(bytes) {
                Some(rest) => bytes = rest,
                None => return,
            }
        }
        while !bytes.is_empty() && !self.session.conn.is_closed() {
            match self.session.parser.parse(bytes) {
                Step::Op { op, len } => {
                    self.large = len >= SHARE_BYTES_MIN;
                    self.session.on_op(&op, None);
                    bytes = &bytes[len..];
                }
                Step::Incomplete { needed } => {
                    self.missing = needed.unwrap_or(0).saturating_sub(bytes.len());
                    if bytes.len() + self.missing >= SHARE_BYTES_MIN {
                        self.large = true;
                        self.carry
                            .reserve(bytes.len() + self.missing.max(self.large_read));
                    }
                    self.carry.extend_from_slice(bytes);
                    count_copy(bytes.len());
                    return;
                }
                Step::Fail(error) => {
                    self.session.on_parse_error(&error);
                    return;
                }
            }
        }
    }

    /// What follows the proxy's header, once that is whole.
    fn skip_proxy_header<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let conn = &self.session.conn;
        let len = match proxy_protocol::parse(bytes) {
            Ok(Header::Incomplete) => {
                self.carry.extend_from_slice(bytes);
                return None;
            }
            Ok(Header::Absent) => 0,
            Ok(Header::Local { len }) => len,
            Ok(Header::Proxied { source, len }) => {
                let _only_once = conn.proxied.set(source);
                len
            }
            Err(error) => {
                let address = conn.address;
                tracing::error!("Error reading PROXY protocol header from {address}: {error}");
                conn.close(CloseReason::ProtocolViolation);
                return None;
            }
        };
        self.proxy_header = false;
        Some(&bytes[len..])
    }

    fn parse_carry(&mut self) {
        while !self.carry.is_empty() && !self.session.conn.is_closed() {
            let len = match self.session.parser.parse(&self.carry) {
                Step::Op { op, len } if len < SHARE_BYTES_MIN => {
                    self.large = false;
                    self.session.on_op(&op, None);
                    self.carry.advance(len);
                    continue;
                }
                Step::Op { len, .. } => len,
                Step::Incomplete { needed } => {
                    self.missing = needed.unwrap_or(0).saturating_sub(self.carry.len());
                    return;
                }
                Step::Fail(error) => {
                    self.session.on_parse_error(&error);
                    return;
                }
            };
            // Large payloads are shared with those they go to, not copied.
            self.large = true;
            let whole = self.carry.split_to(len).freeze();
            if let Step::Op { op, .. } = self.session.parser.parse(&whole) {
                let body = match &op {
                    natterjack_proto::ClientOp::Pub(publish) => Some(whole.slice_ref(publish.body)),
                    _ => None,
                };
                self.session.on_op(&op, body.as_ref());
            }
        }
        self.missing = 0;
    }
}
