//! Fast batches on their way in: each message is stored by itself, its publisher hears of gaps and errors at once, of what
//! is durable now and then, and at the end of the whole.

use natterjack_jsapi::{ApiError, errors};
use natterjack_store::Seq;

use super::{Extra, Group};
use crate::clock::Now;
use crate::effect::Effects;
use crate::stream::fast::{Flowing, Op, Place, Step};
use crate::stream::{Incoming, Verdict, has_api_level, without_api_level};

/// The `err_code` of a message that expects another last id.
const WRONG_LAST_MSG_ID: u16 = 10070;

impl Group {
    /// A message whose reply subject is that of a fast batch.
    pub(super) fn publish_fast(
        &mut self,
        now: Now,
        message: &Incoming<'_>,
        reply: &[u8],
        fx: &mut dyn Effects,
    ) {
        if let Err(error) = self.try_fast(now, message, reply, fx) {
            self.refuse_publish(reply, &error, fx);
        }
    }

    fn try_fast(
        &mut self,
        now: Now,
        message: &Incoming<'_>,
        reply: &[u8],
        fx: &mut dyn Effects,
    ) -> Result<(), ApiError> {
        self.stream.check_size(message)?;
        if !self.stream.config.allow_batched {
            return Err(errors::BATCH_PUBLISH_DISABLED);
        }
        let place = Place::parse(reply).ok_or(errors::BATCH_PUBLISH_INVALID_PATTERN)?;
        let known = place.seq == 1 || self.stream.flows.get(place.id).is_some();
        if known && !has_api_level(message.headers) {
            self.stream.flows.end(place.id);
            return Err(errors::REQUIRED_API_LEVEL);
        }
        match self.stream.flows.step(now, &place, &self.stream.batch_limits) {
            Step::Refused(error) => return Err(error),
            Step::Here => self.ack_flow(&place, reply, fx),
            Step::First => {
                if place.op == Op::Start {
                    let every = self.stream.flows.get(place.id).map_or(1, |flow| flow.every);
                    fx.send(reply, None, &[], &flow_ack(0, every));
                }
                self.take_fast(now, message, &place, reply, fx)?;
            }
            Step::Next => self.take_fast(now, message, &place, reply, fx)?,
            Step::Gap { expected, got, ends } => {
                let json = format!(r#"{{"type":"gap","last_seq":{expected},"seq":{got}}}"#);
                fx.send(reply, None, &[], json.as_bytes());
                if ends {
                    self.end_fast(&place, reply, fx);
                } else if place.op == Op::Ping {
                    // What is missing counts towards the next acknowledgement.
                    if let Some(flow) = self.stream.flows.get(place.id) {
                        flow.ack_due();
                    }
                    self.ack_flow(&place, reply, fx);
                } else {
                    self.take_fast(now, message, &place, reply, fx)?;
                }
            }
        }
        Ok(())
    }

    fn take_fast(
        &mut self,
        now: Now,
        message: &Incoming<'_>,
        place: &Place<'_>,
        reply: &[u8],
        fx: &mut dyn Effects,
    ) -> Result<(), ApiError> {
        if place.op == Op::End {
            self.end_fast(place, reply, fx);
            return Ok(());
        }
        // The level was checked, and is not stored.
        let block = without_api_level(message.headers);
        let message = &Incoming {
            headers: block.as_deref().unwrap_or(message.headers),
            ..*message
        };
        let verdict = self.decide(now, message);
        let Some(flow) = self.stream.flows.get(place.id) else {
            return Ok(());
        };
        match verdict {
            Verdict::Stored(seq) | Verdict::Skipped(seq) | Verdict::Counted(seq, _) => {
                flow.stored = seq;
                flow.last = place.seq;
            }
            Verdict::Duplicate(seq) => {
                flow.last = place.seq;
                self.take_duplicate(seq, place, reply, fx);
                return Ok(());
            }
            Verdict::Refused(error) => return self.fail_fast(place, reply, error, fx),
        }
        if place.op == Op::Commit {
            self.end_fast(place, reply, fx);
        } else if flow.ack_due() {
            self.ack_flow(place, reply, fx);
        }
        Ok(())
    }

    /// A message whose id was seen before counts as taken. The batch that is nothing else gives the sequence it got then.
    fn take_duplicate(&mut self, seen: Seq, place: &Place<'_>, reply: &[u8], fx: &mut dyn Effects) {
        self.ack_if_due(place, reply, fx);
        if place.op != Op::Commit {
            return;
        }
        if place.seq > 1 {
            self.end_fast(place, reply, fx);
        } else if self.stream.flows.end(place.id).is_some() {
            let id = String::from_utf8_lossy(place.id).into_owned();
            self.ack_after_all(reply, seen, Extra::SeenBatch(id.into()), fx);
        }
    }

    /// A message of the batch was refused: the batch goes on without it, or ends with what came before.
    fn fail_fast(
        &mut self,
        place: &Place<'_>,
        reply: &[u8],
        error: ApiError,
        fx: &mut dyn Effects,
    ) -> Result<(), ApiError> {
        if error.err_code == WRONG_LAST_MSG_ID {
            return self.pass_over(place, error);
        }
        let ends = self.stream.flows.get(place.id).is_none_or(|flow| flow.gap_fails);
        if ends && place.seq == 1 {
            self.stream.flows.end(place.id);
            return Err(error);
        }
        let mut json = format!(r#"{{"type":"err","seq":{},"error":"#, place.seq).into_bytes();
        error.encode(&mut json);
        json.push(b'}');
        fx.send(reply, None, &[], &json);
        if ends || place.op == Op::Commit {
            self.end_fast(place, reply, fx);
        } else if let Some(flow) = self.stream.flows.get(place.id) {
            flow.last = place.seq;
        }
        Ok(())
    }

    /// A message that expects another last id is refused like one of no batch, and counts; the batch goes on whatever it asked
    /// for where there are gaps, as on the peer.
    fn pass_over(&mut self, place: &Place<'_>, error: ApiError) -> Result<(), ApiError> {
        if place.op == Op::Commit {
            self.stream.flows.end(place.id);
        } else if let Some(flow) = self.stream.flows.get(place.id) {
            flow.last = place.seq;
        }
        Err(error)
    }

    /// Acknowledges what has come where that is due.
    fn ack_if_due(&mut self, place: &Place<'_>, reply: &[u8], fx: &mut dyn Effects) {
        if self.stream.flows.get(place.id).is_some_and(Flowing::ack_due) {
            self.ack_flow(place, reply, fx);
        }
    }

    fn ack_flow(&mut self, place: &Place<'_>, reply: &[u8], fx: &mut dyn Effects) {
        if let Some(flow) = self.stream.flows.get(place.id) {
            let (acked, every) = (flow.acked, flow.every);
            self.ack_after_all(reply, Seq(acked), Extra::Flow(every), fx);
        }
    }

    fn end_fast(&mut self, place: &Place<'_>, reply: &[u8], fx: &mut dyn Effects) {
        if let Some(flow) = self.stream.flows.end(place.id) {
            let id = String::from_utf8_lossy(place.id).into_owned();
            self.ack_after_all(reply, flow.stored, Extra::Batch(id.into(), flow.last), fx);
        }
    }
}

/// What the publisher hears when messages up to `seq` of its batch are durable.
pub(super) fn flow_ack(seq: u64, every: u64) -> Vec<u8> {
    format!(r#"{{"type":"ack","seq":{seq},"msgs":{every}}}"#).into_bytes()
}
