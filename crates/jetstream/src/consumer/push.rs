//! Push consumers: whether somebody listens, heartbeats, flow control.

use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig};

use super::machine::Consumer;
use crate::clock::Now;
use crate::effect::Effects;
use crate::limits::RATE_BURST_BYTES;

/// Bytes in flight at most.
const WINDOW_MAX: u64 = 32 * 1024 * 1024;
/// Bytes in flight at first.
const WINDOW_START: u64 = WINDOW_MAX / 16;

/// Bytes sent and not confirmed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flow {
    on: bool,
    window: u64,
    sent: u64,
    /// The request that was not answered yet, and the bytes it covers.
    asked: Option<(Vec<u8>, u64)>,
    heartbeat: u64,
    pub(crate) next_heartbeat: u64,
}

impl Flow {
    pub(crate) fn new(config: &ConsumerConfig) -> Self {
        Self {
            on: config.flow_control,
            window: WINDOW_START,
            heartbeat: config.idle_heartbeat.as_u64(),
            ..Self::default()
        }
    }

    /// Whether nothing more may be sent until an answer comes.
    pub(crate) const fn is_full(&self) -> bool {
        self.on && self.sent > self.window
    }

    fn must_ask(&self) -> bool {
        self.on && self.asked.is_none() && self.sent > self.window / 2
    }
}

impl Consumer {
    /// Somebody begins or ceases to listen on the deliver subject.
    pub(crate) fn on_interest(&mut self, now: Now, has: bool) {
        if !self.is_push() || self.active == has {
            return;
        }
        self.active = has;
        self.idle_since = if has { None } else { Some(now.mono_ns) };
        if has {
            self.flow = Flow::new(&self.config);
            self.flow.next_heartbeat = now.mono_ns.saturating_add(self.flow.heartbeat);
            self.runnable = true;
        }
    }

    /// Whether the next message of `size` bytes has to wait, and until when. Who has waited does not wait again.
    pub(crate) fn is_over_rate(&mut self, now: Now, size: u64) -> bool {
        if self.config.rate_limit_bps == 0 || std::mem::take(&mut self.rate_paid) {
            return false;
        }
        let spent = |bytes: u64| {
            let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.config.rate_limit_bps);
            u64::try_from(nanos).unwrap_or(u64::MAX)
        };
        let oldest = now.mono_ns.saturating_sub(spent(RATE_BURST_BYTES));
        self.rate_mark = self.rate_mark.max(oldest).saturating_add(spent(size));
        self.rate_paid = self.rate_mark > now.mono_ns;
        if self.rate_paid {
            self.hold_until = self.rate_mark;
        }
        self.rate_paid
    }

    /// `size` bytes went out.
    pub(crate) fn pushed(&mut self, now: Now, size: u64, fx: &mut dyn Effects) {
        self.flow.next_heartbeat = now.mono_ns.saturating_add(self.flow.heartbeat);
        if !self.flow.on {
            return;
        }
        self.flow.sent += size;
        if self.flow.must_ask() || self.is_at_limit() && self.wants_acks() {
            self.ask_flow(fx);
        }
    }

    /// Whether messages wait that are acknowledged by answers to flow control, and none is asked for yet.
    fn wants_acks(&self) -> bool {
        self.config.ack_policy == AckPolicy::FlowControl
            && self.flow.asked.is_none()
            && !self.state.pending.is_empty()
    }

    fn ask_flow(&mut self, fx: &mut dyn Effects) {
        let mut suffix = String::new();
        natterjack_subject::names::random_name(4, &mut || fx.random(), &mut suffix);
        // `$JS.ACK.…<consumer>` becomes `$JS.FC.…<consumer>.<suffix>`, in either form.
        let mut subject = b"$JS.FC.".to_vec();
        subject.extend_from_slice(self.ack_prefix.strip_prefix(b"$JS.ACK.").unwrap_or_default());
        subject.push(b'.');
        subject.extend_from_slice(suffix.as_bytes());
        fx.send(
            self.config.deliver_subject.as_bytes(),
            Some(&subject),
            b"NATS/1.0 100 FlowControl Request\r\n\r\n",
            &[],
        );
        self.flow.asked = Some((subject, self.flow.sent));
    }

    /// The client answered a flow control request.
    pub(crate) fn on_flow_reply(&mut self, subject: &[u8]) {
        let Some((_, covered)) = self.flow.asked.take_if(|(asked, _)| asked == subject) else {
            return;
        };
        self.flow.window = (self.flow.window * 2).min(WINDOW_MAX);
        self.flow.sent = self.flow.sent.saturating_sub(covered);
        self.runnable = true;
    }

    /// Sends a heartbeat if one is due; returns when the next is.
    pub(crate) fn push_heartbeat(&mut self, now: Now, fx: &mut dyn Effects) -> Option<u64> {
        if self.flow.heartbeat == 0 || !self.active || !self.is_push() {
            return None;
        }
        if self.flow.next_heartbeat <= now.mono_ns {
            let delivered = self.state.delivered();
            let mut block = format!(
                "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: {}\r\nNats-Last-Stream: {}\r\n",
                delivered.consumer, delivered.stream
            )
            .into_bytes();
            if let Some((asked, _)) = &self.flow.asked {
                block.extend_from_slice(b"Nats-Consumer-Stalled: ");
                block.extend_from_slice(asked);
                block.extend_from_slice(b"\r\n");
            }
            block.extend_from_slice(b"\r\n");
            fx.send(self.config.deliver_subject.as_bytes(), None, &block, &[]);
            if self.wants_acks() {
                self.ask_flow(fx);
            }
            self.flow.next_heartbeat = now.mono_ns.saturating_add(self.flow.heartbeat);
        }
        Some(self.flow.next_heartbeat)
    }
}
