//! What a message in the inbox of a pull means: a delivery, or one of the server's status lines. Decides nothing.

use natterjack_jsapi::headers::{PENDING_BYTES, PENDING_MESSAGES};

use crate::message::Message;

/// The end of a pull that has no room for the next message.
pub(super) const TOO_LARGE: &str = "Message Size Exceeds MaxBytes";

/// What a message of an inbox means to a pull.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// A delivery.
    Delivery,
    /// The pull is alive.
    Heartbeat,
    /// The pull is over.
    Over(Over),
    /// Who answered is gone; the pull has to be asked again.
    Gone,
    /// Nobody answers.
    NoResponders,
    /// Refused.
    Refused(u16, String),
}

/// How a pull ended: with so much of it not delivered, if the server says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) messages: Option<usize>,
    pub(super) bytes: Option<usize>,
    /// The next message did not fit into what was left of its bytes.
    pub(super) too_large: bool,
}

impl Signal {
    pub(super) fn of(message: &Message) -> Self {
        let Some((code, text)) = message.status() else {
            return Self::Delivery;
        };
        match (code, text.as_ref()) {
            (100, _) => Self::Heartbeat,
            (404 | 408, _) | (409, "Batch Completed" | TOO_LARGE) => {
                let left = |name| message.header(name).and_then(|n| n.parse().ok());
                Self::Over(Over {
                    messages: left(PENDING_MESSAGES),
                    bytes: left(PENDING_BYTES),
                    too_large: text == TOO_LARGE,
                })
            }
            (409, "Leadership Change" | "Server Shutdown") => Self::Gone,
            (503, _) => Self::NoResponders,
            (code, text) => Self::Refused(code, text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says() {
        let of = |block: &str| {
            let len = block.len();
            Signal::of(&Message::parsed(
                format!("HMSG a 1 {len} {len}\r\n{block}\r\n").as_bytes(),
            ))
        };
        assert_eq!(
            Signal::of(&Message::parsed(b"MSG a 1 2\r\nhi\r\n")),
            Signal::Delivery
        );
        assert_eq!(of("NATS/1.0\r\nA: 1\r\n\r\n"), Signal::Delivery);
        assert_eq!(of("NATS/1.0 100 Idle Heartbeat\r\n\r\n"), Signal::Heartbeat);
        assert_eq!(
            of("NATS/1.0 404 No Messages\r\n\r\n"),
            Signal::Over(Over::default())
        );
        let left = "Nats-Pending-Messages: 7\r\nNats-Pending-Bytes: 9\r\n\r\n";
        for (line, too_large) in [
            ("408 Request Timeout", false),
            ("409 Batch Completed", false),
            ("409 Message Size Exceeds MaxBytes", true),
        ] {
            let over = Over {
                messages: Some(7),
                bytes: Some(9),
                too_large,
            };
            assert_eq!(of(&format!("NATS/1.0 {line}\r\n{left}")), Signal::Over(over));
        }
        assert_eq!(of("NATS/1.0 409 Leadership Change\r\n\r\n"), Signal::Gone);
        assert_eq!(of("NATS/1.0 503\r\n\r\n"), Signal::NoResponders);
        let deleted = Signal::Refused(409, "Consumer Deleted".into());
        assert_eq!(of("NATS/1.0 409 Consumer Deleted\r\n\r\n"), deleted);
    }
}
