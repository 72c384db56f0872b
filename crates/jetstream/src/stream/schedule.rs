//! Schedules: messages that have others published at a time. What a schedule may say, when it is due, and the message that
//! comes of it.

use std::collections::{BTreeMap, BTreeSet};

use natterjack_jsapi::{ApiError, errors, headers};
use natterjack_store::{BatchBuilder, Message, RecordView, Seq, flags};
use natterjack_subject::{is_valid_literal, matches};

use super::Stream;
use super::publish::{Asked, Incoming};
use super::text::{header, open_headers, parse_ttl, push_header, remove_where, set_header, value};
use crate::clock::Now;
use crate::cron::{self, BadSchedule};

/// A schedule has been used up and goes.
const PURGE: &[u8] = b"purge";

/// Schedules of a stream by their subjects, and when each is due.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    by_subject: BTreeMap<Vec<u8>, (Seq, i64)>,
    due: BTreeSet<(i64, Vec<u8>)>,
}

impl Schedules {
    pub(crate) fn set(&mut self, subject: &[u8], seq: Seq, at_ns: i64) {
        self.remove(subject);
        self.by_subject.insert(subject.to_vec(), (seq, at_ns));
        self.due.insert((at_ns, subject.to_vec()));
    }

    fn remove(&mut self, subject: &[u8]) {
        if let Some((_, at)) = self.by_subject.remove(subject) {
            self.due.remove(&(at, subject.to_vec()));
        }
    }

    /// What was taken and has not led to a message is due again.
    pub(crate) fn rewind(&mut self) {
        let all = self.by_subject.iter();
        self.due = all.map(|(subject, (_, at))| (*at, subject.clone())).collect();
    }

    /// When the next one is due, wall clock.
    pub(crate) fn next_ns(&self) -> Option<i64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes one that is due.
    fn pop(&mut self, now_ns: i64) -> Option<(Vec<u8>, Seq, i64)> {
        let (at, subject) = self.due.first().filter(|(at, _)| *at <= now_ns)?.clone();
        self.due.pop_first();
        let (seq, _) = *self.by_subject.get(&subject)?;
        Some((subject, seq, at))
    }

    /// Everything to be kept across a restart.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], Seq, i64)> {
        self.by_subject
            .iter()
            .map(|(s, (seq, at))| (s.as_slice(), *seq, *at))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_subject.len()
    }
}

fn text<'a>(block: &'a [u8], name: &str) -> &'a str {
    std::str::from_utf8(value(block, name).unwrap_or_default()).unwrap_or_default()
}

/// When the schedule in `block`, stored at `ts_ns`, is due.
fn due(block: &[u8], ts_ns: i64, now_ns: i64) -> Result<cron::Due, ApiError> {
    let (pattern, zone) = (
        text(block, headers::SCHEDULE),
        text(block, headers::SCHEDULE_TIME_ZONE),
    );
    cron::next(pattern, zone, ts_ns, now_ns).map_err(|bad| match bad {
        BadSchedule::Pattern => errors::MESSAGE_SCHEDULES_PATTERN_INVALID,
        BadSchedule::TimeZone => errors::MESSAGE_SCHEDULES_TIME_ZONE_INVALID,
    })
}

impl Stream {
    /// Checks what a message says of schedules; notes in `asked` how it is stored because of it.
    pub(super) fn check_schedule(
        &self,
        now: Now,
        message: &Incoming<'_>,
        asked: &mut Asked<'_>,
    ) -> Result<(), ApiError> {
        let block = message.headers;
        let zone = header(block, headers::SCHEDULE_TIME_ZONE);
        if zone.is_some_and(|name| !cron::is_time_zone(name)) {
            return Err(if self.config.allow_msg_schedules {
                errors::MESSAGE_SCHEDULES_TIME_ZONE_INVALID
            } else {
                errors::MESSAGE_SCHEDULES_DISABLED
            });
        }
        if value(block, headers::SCHEDULE).is_some() {
            if !self.config.allow_msg_schedules {
                return Err(errors::MESSAGE_SCHEDULES_DISABLED);
            }
            due(block, now.wall_ns, now.wall_ns)?;
            self.check_schedule_fields(message)?;
            match value(block, headers::ROLLUP) {
                None => {
                    // What is added counts.
                    let block = set_header(asked.block(block), headers::ROLLUP, b"sub");
                    let headers = block.as_slice();
                    self.check_size(&Incoming { headers, ..*message })?;
                    asked.headers = Some(block);
                }
                Some(rollup) if rollup.eq_ignore_ascii_case(b"sub") => {}
                Some(_) => return Err(errors::MESSAGE_SCHEDULES_ROLLUP_INVALID),
            }
            // One schedule a subject: the next replaces it.
            asked.flags |= flags::SCHEDULE | flags::ROLLUP_SUBJECT;
        }
        self.check_scheduler(block, asked)
    }

    fn check_schedule_fields(&self, message: &Incoming<'_>) -> Result<(), ApiError> {
        let block = message.headers;
        if let Some(ttl) = value(block, headers::SCHEDULE_TTL) {
            parse_ttl(ttl).ok_or(errors::MESSAGE_SCHEDULES_TTL_INVALID)?;
            if !self.config.allow_msg_ttl {
                return Err(errors::MESSAGE_TTL_DISABLED);
            }
        }
        if value(block, headers::SCHEDULE_ROLLUP).is_some_and(|rollup| rollup != b"sub") {
            return Err(errors::MESSAGE_SCHEDULES_ROLLUP_INVALID);
        }
        let kept = |subject: &[u8]| {
            self.config
                .subjects
                .iter()
                .any(|own| matches(subject, own.as_bytes()))
        };
        let other = |subject: &[u8]| is_valid_literal(subject) && subject != message.subject;
        let target = value(block, headers::SCHEDULE_TARGET).unwrap_or_default();
        let source = value(block, headers::SCHEDULE_SOURCE);
        if !other(target) {
            Err(errors::MESSAGE_SCHEDULES_TARGET_INVALID)
        } else if source.is_some_and(|source| !other(source) || source == target) {
            Err(errors::MESSAGE_SCHEDULES_SOURCE_INVALID)
        } else if !kept(target) {
            Err(errors::MESSAGE_SCHEDULES_TARGET_INVALID)
        } else if source.is_some_and(|source| !kept(source)) {
            Err(errors::MESSAGE_SCHEDULES_SOURCE_INVALID)
        } else {
            Ok(())
        }
    }

    /// Clients may only say that a schedule is used up.
    fn check_scheduler(&self, block: &[u8], asked: &mut Asked<'_>) -> Result<(), ApiError> {
        let scheduler = value(block, headers::SCHEDULER);
        let next = value(block, headers::SCHEDULE_NEXT);
        match (scheduler, next) {
            (None, None) => Ok(()),
            (Some(scheduler), Some(PURGE)) if is_valid_literal(scheduler) => {
                if !self.config.allow_msg_schedules {
                    return Err(errors::MESSAGE_SCHEDULES_DISABLED);
                }
                asked.flags |= flags::SCHEDULE;
                Ok(())
            }
            _ => Err(errors::MESSAGE_SCHEDULES_SCHEDULER_INVALID),
        }
    }

    /// Notes what a stored message says of schedules. Returns the subject of a schedule that is used up.
    pub(crate) fn note_schedule(&mut self, record: RecordView<'_>, now: Now) -> Option<Vec<u8>> {
        let block = record.headers();
        if value(block, headers::SCHEDULE).is_some() {
            if let Ok(due) = due(block, record.ts_ns(), now.wall_ns) {
                self.schedules.set(record.subject(), record.seq(), due.at_ns);
            }
            return None;
        }
        let subject = value(block, headers::SCHEDULER)?.to_vec();
        if value(block, headers::SCHEDULE_NEXT) == Some(PURGE) {
            self.schedules.remove(&subject);
            return Some(subject);
        }
        let seq = self.store.last_for(&subject)?;
        let message = self.store.load(seq).ok()?;
        if let Ok(due) = due(message.headers(), record.ts_ns(), now.wall_ns) {
            self.schedules.set(&subject, seq, due.at_ns);
        }
        None
    }

    /// Decides on the message of the next schedule that is due; `false` when none is.
    pub(crate) fn fire(
        &mut self,
        now: Now,
        batch: &mut BatchBuilder,
        interest: &mut dyn FnMut(&[u8]) -> bool,
    ) -> bool {
        let Some((subject, seq, at)) = self.schedules.pop(now.wall_ns) else {
            return false;
        };
        // It was deleted, or another is on its way.
        if self.last_of(&subject) != seq {
            if self.store.load(seq).is_err() {
                self.schedules.remove(&subject);
            }
            return true;
        }
        let Ok(schedule) = self.store.load(seq) else {
            return true;
        };
        let Ok(next) = due(schedule.headers(), at, now.wall_ns) else {
            return true;
        };
        let source = value(schedule.headers(), headers::SCHEDULE_SOURCE)
            .and_then(|source| self.store.last_for(source))
            .and_then(|seq| self.store.load(seq).ok());
        let block = generated(&schedule, source.as_ref(), next);
        let content = source.as_ref().unwrap_or(&schedule);
        let message = Incoming {
            subject: value(schedule.headers(), headers::SCHEDULE_TARGET).unwrap_or_default(),
            reply: None,
            headers: &block,
            payload: content.payload(),
        };
        if !is_valid_literal(message.subject) || self.check_size(&message).is_err() {
            return true;
        }
        let mut asked = Asked {
            flags: flags::SCHEDULE | self.check_rollup(&block).unwrap_or(0),
            ttl_s: value(&block, headers::TTL).and_then(parse_ttl).unwrap_or(0),
            ..Asked::default()
        };
        self.raise_ttl(&block, &mut asked);
        let wanted = interest(message.subject);
        self.store(now, &message, &asked, batch, wanted);
        true
    }
}

/// The headers of what a schedule publishes.
fn generated(schedule: &Message, source: Option<&Message>, next: cron::Due) -> Vec<u8> {
    let kept = remove_where(source.unwrap_or(schedule).headers(), |name| {
        name.starts_with(headers::SCHEDULE.as_bytes())
            || name.starts_with(headers::EXPECTED_PREFIX.as_bytes())
            || [headers::MSG_ID, headers::TTL, headers::ROLLUP, headers::SCHEDULER]
                .iter()
                .any(|goes| goes.as_bytes() == name)
    });
    let mut block = Vec::new();
    open_headers(&mut block, &kept);
    push_header(&mut block, headers::SCHEDULER, schedule.subject());
    if next.repeats {
        push_header(
            &mut block,
            headers::SCHEDULE_NEXT,
            cron::shown(next.at_ns).as_bytes(),
        );
    } else {
        push_header(&mut block, headers::SCHEDULE_NEXT, PURGE);
    }
    for (from, to) in [
        (headers::SCHEDULE_TTL, headers::TTL),
        (headers::SCHEDULE_ROLLUP, headers::ROLLUP),
    ] {
        if let Some(text) = header(schedule.headers(), from).filter(|t| !t.is_empty()) {
            push_header(&mut block, to, text);
        }
    }
    block.extend_from_slice(b"\r\n");
    block
}
