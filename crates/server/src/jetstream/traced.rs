//! Traced messages on their way into a stream: the stream's task says what became of them. Slower than the way of all
//! others, and only for messages that ask.

use std::sync::Arc;

use natterjack_jetstream::{Incoming, Verdict};

use super::owner::Owner;
use super::stream::Stream;
use crate::clock;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::trace::{self, Trace};

/// What the peer's traces call a message whose id was seen.
const DUPLICATE: &str = "msgid is duplicate";

/// A message that goes into a stream's task by itself.
struct Copied {
    subject: Vec<u8>,
    reply: Option<Vec<u8>>,
    headers: Vec<u8>,
    payload: Vec<u8>,
}

/// Has `stream` take the traced message once the trace has come to its end in this task.
pub(super) fn take(stream: &Arc<Stream>, message: &Routed<'_>, lane: &mut Lane) -> bool {
    let Some(trace) = lane.trace.as_mut() else {
        return false;
    };
    let copied = Copied {
        subject: message.subject.to_vec(),
        reply: message.reply.map(<[u8]>::to_vec),
        headers: trace::disabled(message.headers()),
        payload: message.payload().to_vec(),
    };
    let stream = Arc::clone(stream);
    trace.later = Some(Box::new(move |trace| {
        stream.call(move |owner| publish(owner, &copied, trace));
    }));
    true
}

fn publish(owner: &mut Owner, copied: &Copied, mut trace: Trace) {
    let now = clock::now();
    let (subject, interest) = owner.group.destination(now, &copied.subject);
    let verdict = if trace.only {
        None
    } else {
        let incoming = Incoming {
            subject: &copied.subject,
            reply: copied.reply.as_deref(),
            headers: &copied.headers,
            payload: &copied.payload,
        };
        owner.group.publish(now, &incoming, &mut owner.wire)
    };
    let refused = match &verdict {
        Some(Verdict::Refused(error)) => Some(error.description.to_string()),
        Some(Verdict::Duplicate(_)) => Some(DUPLICATE.to_owned()),
        _ => None,
    };
    let subject = String::from_utf8_lossy(&subject);
    trace.stream(&owner.stream.name, &subject, interest, refused.as_deref());
    trace.send(&mut owner.wire.lane);
}
