//! What must hold when nothing is on its way.

use std::collections::BTreeSet;

use natterjack_jsapi::consumer::{AckPolicy, ConsumerInfo};

use super::seen::{Live, Model};
use crate::consumer::Consumer;

/// What a consumer says of itself, beside the model.
pub(super) struct Said<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) info: ConsumerInfo,
}

impl Said<'_> {
    fn cursor(&self) -> u64 {
        self.consumer.cursor()
    }

    fn pending(&self) -> BTreeSet<u64> {
        self.consumer.state.pending.iter().map(|p| p.sseq).collect()
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, ours: &T, model: &T) -> Result<(), String> {
    if ours == model {
        Ok(())
    } else {
        Err(format!("{what}: {ours:?}, in the model {model:?}"))
    }
}

/// Compares a consumer at rest with its model.
pub(super) fn at_rest(model: &mut Model, said: &Said<'_>, live: &Live) -> Result<(), String> {
    let cursor = said.cursor();
    if cursor < model.next {
        return Err(format!("went back from {} to {cursor}", model.next));
    }
    if let Some((skipped, _)) = live.range(model.next..cursor).find(|(_, s)| model.wants(s)) {
        return Err(format!("{skipped} was skipped on the way to {cursor}"));
    }
    model.next = cursor;
    model.pending.retain(|s| live.contains_key(s));
    model.exceeded.retain(|s| live.contains_key(s));
    let info = &said.info;
    equal("num_pending", &info.num_pending, &(model.to_come(live) as u64))?;
    equal("waiting for acknowledgement", &said.pending(), &model.pending)?;
    let known = |s: &&u64| model.pending.contains(*s) || model.exceeded.contains(*s);
    let again = model.counts.iter().filter(|(_, n)| **n > 1).map(|(s, _)| s);
    let again = if model.config.max_deliver == 1 {
        0
    } else {
        again.filter(known).count()
    };
    equal(
        "num_redelivered",
        &info.num_redelivered,
        &i64::try_from(again).unwrap(),
    )?;
    floor(model, said, live)
}

fn floor(model: &Model, said: &Said<'_>, live: &Live) -> Result<(), String> {
    let (floor, delivered) = (&said.info.ack_floor, &said.info.delivered);
    if floor.stream_seq > delivered.stream_seq || floor.consumer_seq > delivered.consumer_seq {
        return Err(format!("floor {floor:?} above {delivered:?}"));
    }
    if let Some(first) = model.pending.first().filter(|s| **s <= floor.stream_seq) {
        return Err(format!("{first} waits below the floor {floor:?}"));
    }
    if model.config.ack_policy == AckPolicy::Explicit {
        let below = live.range(..=floor.stream_seq);
        let open = below
            .filter(|(s, subject)| model.wants(subject) && **s >= model.next)
            .find(|(s, _)| !model.done.contains(s));
        if let Some((open, _)) = open {
            return Err(format!("{open} is below the floor {floor:?} and not done with"));
        }
    }
    Ok(())
}

/// After a crash: nothing that was answered comes back, nothing that waited is lost. The model then follows what is left.
pub(super) fn after_crash(model: &mut Model, said: &Said<'_>, live: &Live) -> Result<(), String> {
    let (pending, cursor) = (said.pending(), said.cursor());
    let listed: BTreeSet<u64> = said.consumer.last_list.seqs.iter().copied().collect();
    if let Some(back) = pending.intersection(&model.answered).next() {
        return Err(format!("{back} was acknowledged and waits again"));
    }
    if let Some(back) = model.answered.range(cursor..).next() {
        return Err(format!("{back} was acknowledged and will be delivered again"));
    }
    for sseq in live.keys().filter(|s| model.pending.contains(s)) {
        let subject = live.get(sseq).map_or("", String::as_str);
        let coming = *sseq >= cursor && model.wants(subject);
        if !pending.contains(sseq)
            && !coming
            && !listed.contains(sseq)
            && !said.consumer.state.redelivered.contains_key(sseq)
        {
            return Err(format!("{sseq} waited and is lost"));
        }
    }
    if let Some(gone) = pending.iter().find(|s| !live.contains_key(s)) {
        return Err(format!("{gone} waits and is gone"));
    }
    let state = &said.consumer.state;
    model.counts = live
        .keys()
        .map(|s| (*s, state.count(*s)))
        .filter(|(_, n)| *n > 0)
        .collect();
    model.exceeded.retain(|s| !pending.contains(s) && *s < cursor);
    model
        .done
        .retain(|s| !pending.contains(s) && *s < cursor && !listed.contains(s));
    model.pending = pending;
    model.last_cseq = state.next_cseq - 1;
    model.next = cursor;
    model.listed = listed;
    model.deliveries.clear();
    Ok(())
}
