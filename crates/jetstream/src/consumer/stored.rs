//! Consumers in archives of streams: configuration and state as the peer writes them.

use natterjack_jsapi::GoTime;
use natterjack_jsapi::consumer::ConsumerConfig;
use natterjack_jsapi::json::write::ObjectWriter;
use natterjack_jsapi::json::{self, Decoding, GoFields, GoJson, Json};

use super::checkpoint::encode_list;
use super::pending::Pending;
use super::start::LastList;
use super::state::{Pair, State};
use super::{Consumers, Created};
use crate::clock::Now;

/// What an archive says of a consumer.
#[derive(Debug, Default)]
struct Stored {
    config: ConsumerConfig,
    state: Option<State>,
}

impl GoFields for Stored {
    fn encode_fields(&self, object: &mut ObjectWriter<'_>) {
        object.keep("config", &self.config);
    }

    fn decode_field(&mut self, name: &str, json: &Json<'_>, cx: &mut Decoding) -> bool {
        match name {
            "config" => self.config.decode(json, cx),
            "state" => self.state = decode_state(json),
            _ => return false,
        }
        true
    }
}

fn pair(pair: Pair) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    object.field("consumer_seq", &pair.consumer);
    object.field("stream_seq", &pair.stream);
    object.end();
    out
}

fn encode_state(state: &State, now: Now) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    object.raw("delivered", &pair(state.delivered()));
    object.raw("ack_floor", &pair(state.floor));
    let mut pending = Vec::new();
    let mut inner = ObjectWriter::new(&mut pending);
    let mut any = false;
    for delivery in state.pending.iter() {
        let text = format!(r#"{{"Sequence":{},"Timestamp":{}}}"#, delivery.cseq, now.wall_ns);
        inner.raw(&delivery.sseq.to_string(), text.as_bytes());
        any = true;
    }
    inner.end();
    if any {
        object.raw("pending", &pending);
    }
    if !state.redelivered.is_empty() {
        let mut counts = Vec::new();
        let mut inner = ObjectWriter::new(&mut counts);
        for (seq, count) in &state.redelivered {
            inner.field(&seq.to_string(), &count.saturating_sub(1));
        }
        inner.end();
        object.raw("redelivered", &counts);
    }
    object.end();
    out
}

fn get<'a, 'b>(json: &'a Json<'b>, name: &str) -> Option<&'a Json<'b>> {
    match json {
        Json::Object(fields, _) => fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v),
        _ => None,
    }
}

fn fields<'a, 'b>(json: &'a Json<'b>, name: &str) -> impl Iterator<Item = (u64, &'a Json<'b>)> {
    let fields = match get(json, name) {
        Some(Json::Object(fields, _)) => fields.as_slice(),
        _ => &[],
    };
    fields.iter().filter_map(|(n, v)| Some((n.parse().ok()?, v)))
}

fn number(json: &Json<'_>) -> Option<u64> {
    json.written().parse().ok()
}

fn read_pair(json: &Json<'_>, name: &str) -> Option<Pair> {
    let json = get(json, name)?;
    Some(Pair {
        consumer: number(get(json, "consumer_seq")?)?,
        stream: number(get(json, "stream_seq")?)?,
    })
}

fn decode_state(json: &Json<'_>) -> Option<State> {
    let delivered = read_pair(json, "delivered")?;
    let mut state = State {
        next_cseq: delivered.consumer.checked_add(1)?,
        next_sseq: delivered.stream.checked_add(1)?,
        floor: read_pair(json, "ack_floor")?,
        ..State::default()
    };
    let mut pending: Vec<(u64, u64)> = fields(json, "pending")
        .filter_map(|(seq, v)| Some((seq, number(get(v, "Sequence")?)?)))
        .filter(|(seq, _)| *seq <= delivered.stream)
        .collect();
    pending.sort_unstable();
    for (sseq, cseq) in pending {
        state.pending.insert(Pending::new(sseq, cseq, 0));
    }
    for (seq, count) in fields(json, "redelivered") {
        state.redelivered.insert(seq, number(count)?.saturating_add(1));
    }
    Some(state)
}

impl Consumers {
    /// Consumers for an archive, by name.
    #[must_use]
    pub fn stored(&self, now: Now) -> Vec<(String, Vec<u8>)> {
        let consumers = self.ids().filter_map(|id| self.get(id));
        let encode = |consumer: &super::Consumer| {
            let mut out = Vec::new();
            let mut object = ObjectWriter::new(&mut out);
            object.raw("config", &json::to_vec(&consumer.config));
            object.raw("state", &encode_state(&consumer.state, now));
            object.end();
            (consumer.name.clone(), out)
        };
        consumers.map(encode).collect()
    }

    /// A consumer out of an archive; `last` is the last sequence of its stream.
    pub fn from_stored(&mut self, name: &str, text: &[u8], last: u64, now: Now) -> Option<Created> {
        let Stored { config, state } = json::from_slice(text).ok()?;
        let state = state?;
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        encode_list(&LastList::default(), last, &mut bytes);
        let id = self.next_id;
        self.next_id += 1;
        Some(Created {
            id,
            name: name.to_owned(),
            config,
            created: GoTime(now.wall_ns),
            state: bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_unacknowledged_messages_are_read_back() {
        const PENDING: u64 = 40_000;
        let mut state = State {
            next_cseq: PENDING + 1,
            next_sseq: PENDING + 1,
            ..State::default()
        };
        for n in 1..=PENDING {
            state.pending.insert(Pending::new(n, n, 0));
        }
        let mut text = br#"{"config":{"durable_name":"D"},"state":"#.to_vec();
        text.extend_from_slice(&encode_state(&state, Now::at(0)));
        text.push(b'}');
        assert!(text.len() > 1024 * 1024, "only {} bytes", text.len());
        let stored: Stored = json::from_slice(&text).unwrap();
        let read = stored.state.unwrap();
        assert_eq!(read.pending.len(), state.pending.len());
        assert!(read.pending.contains(1) && read.pending.contains(PENDING));
    }
}
