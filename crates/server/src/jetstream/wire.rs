//! Carries out what a stream's machines ask for: deliveries, answers and advisories become messages on the lane. Decides
//! nothing.

use std::sync::Arc;

use bytes::Bytes;
use natterjack_jetstream::{Delivery, Effects, Handed};

use crate::account::Account;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::server::Server;
use crate::system;

/// A stream's way out.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) lane: Lane,
    body: Vec<u8>,
}

impl Wire {
    pub(super) fn new(server: &Arc<Server>, account: &Arc<Account>) -> Self {
        Self {
            lane: Lane::new(server, account),
            body: Vec::new(),
        }
    }

    /// Sends a JSON answer.
    pub(super) fn answer(&mut self, reply: &[u8], json: &[u8]) {
        self.send(reply, None, &[], json);
    }
}

/// Stored headers with further lines behind them; a block of its own when nothing was stored.
fn join_headers(stored: &[u8], extra: &[u8], out: &mut Vec<u8>) {
    match stored.strip_suffix(b"\r\n") {
        Some(open) => out.extend_from_slice(open),
        None => out.extend_from_slice(b"NATS/1.0\r\n"),
    }
    out.extend_from_slice(extra);
    out.extend_from_slice(b"\r\n");
}

impl Effects for Wire {
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Handed {
        let stored = delivery.message;
        let mut message = Routed {
            subject: stored.subject(),
            reply: Some(delivery.reply),
            ..Routed::default()
        };
        let shared: Bytes;
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        if delivery.extra_headers.is_empty() && !delivery.headers_only {
            message.headers_len = stored.headers().len();
            message.body = stored.body();
            if message.body.len() >= crate::conn::write::SHARE_BYTES_MIN {
                shared = stored.body_shared();
                message.shared = Some(&shared);
            }
        } else {
            join_headers(stored.headers(), delivery.extra_headers, &mut body);
            message.headers_len = body.len();
            if !delivery.headers_only {
                body.extend_from_slice(stored.payload());
            }
            message.body = &body;
        }
        let bytes = message.body.len();
        // The deliver group says who counts as a listener; whoever listens is served, as with any publish.
        let taken = self.lane.route_to(delivery.to, None, &message);
        self.body = body;
        if taken {
            Handed::Taken { bytes }
        } else {
            Handed::NoInterest
        }
    }

    fn send(&mut self, to: &[u8], reply: Option<&[u8]>, headers: &[u8], payload: &[u8]) -> Handed {
        if to.is_empty() {
            // Nobody wants to hear.
            return Handed::NoInterest;
        }
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        body.extend_from_slice(headers);
        body.extend_from_slice(payload);
        let message = Routed {
            subject: to,
            reply,
            headers_len: headers.len(),
            body: &body,
            ..Routed::default()
        };
        let taken = self.lane.route_once(&message);
        self.body = body;
        if taken {
            Handed::Taken {
                bytes: headers.len() + payload.len(),
            }
        } else {
            Handed::NoInterest
        }
    }

    fn has_interest(&self, subject: &[u8], group: Option<&[u8]>) -> bool {
        self.lane.account.has_interest(subject, group)
    }

    fn wants_advisory(&self, subject: &[u8]) -> bool {
        self.lane.account.has_interest(subject, None)
    }

    fn advisory(&mut self, subject: &[u8], json: &[u8]) {
        self.send(subject, None, &[], json);
    }

    fn wants_system_advisory(&self, subject: &[u8]) -> bool {
        system::is_heard(&self.lane.server, subject)
    }

    fn system_advisory(&mut self, subject: &[u8], json: &[u8]) {
        system::publish(&self.lane.server, subject, json);
    }

    fn flush(&mut self) {
        self.lane.flush();
    }

    fn random(&mut self) -> u64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_added_behind_the_stored_ones() {
        let mut out = Vec::new();
        join_headers(b"NATS/1.0\r\nA: 1\r\n\r\n", b"B: 2\r\n", &mut out);
        assert_eq!(out, b"NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n");
        out.clear();
        join_headers(b"", b"B: 2\r\n", &mut out);
        assert_eq!(out, b"NATS/1.0\r\nB: 2\r\n\r\n");
    }
}
