//! What may happen, and how often.

use std::fmt;

use natterjack_jsapi::Nanos;
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy};
use natterjack_jsapi::stream::{Retention, StreamConfig};
use proptest::prelude::*;

use crate::consumer::config;

/// One thing that happens. Numbers pick among what is there.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Publish {
        subject: usize,
        count: usize,
    },
    Rollup {
        subject: usize,
        all: bool,
    },
    Pull {
        consumer: usize,
        body: String,
    },
    Ack {
        consumer: usize,
        pick: usize,
        body: &'static str,
    },
    Pass {
        ms: u64,
    },
    Delete {
        pick: usize,
    },
    Purge {
        filter: usize,
        up_to: u64,
        keep: u64,
    },
    Filter {
        consumer: usize,
        filter: usize,
    },
    Pause {
        consumer: usize,
        ms: u64,
    },
    Interest {
        consumer: usize,
        has: bool,
    },
    Reset {
        consumer: usize,
        seq: u64,
    },
    Remove {
        consumer: usize,
    },
    /// Entries are written but not reported durable until this is taken back.
    Hold {
        on: bool,
    },
    Checkpoint,
    Restart,
    /// What nobody waits for is lost: deliveries that were not written down.
    Crash,
}

/// A stream, its consumers and what happens to them.
#[derive(Clone)]
pub(super) struct Schedule {
    pub(super) stream: StreamConfig,
    pub(super) before: usize,
    pub(super) consumers: Vec<ConsumerConfig>,
    pub(super) steps: Vec<Step>,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.stream;
        let limits = (c.max_msgs, c.max_msgs_per_subject);
        writeln!(f, "{:?} {limits:?}, {} messages before", c.retention, self.before)?;
        for c in &self.consumers {
            let limits = (c.max_deliver, c.max_ack_pending, c.backoff.len());
            let filters = config::filters(c);
            let push = !c.deliver_subject.is_empty();
            writeln!(
                f,
                "{:?} {:?} {limits:?} {filters:?} push {push}",
                c.ack_policy, c.deliver_policy
            )?;
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step:?}"))
    }
}

pub(super) const SUBJECTS: [&str; 4] = ["s.a", "s.b", "s.b.c", "s.d"];

/// Sets of filters.
pub(super) const FILTERS: [&[&str]; 6] = [
    &[],
    &["s.a"],
    &["s.a", "s.b"],
    &["s.*"],
    &["s.>"],
    &["s.b.c", "s.d"],
];

pub(super) fn set_filter(config: &mut ConsumerConfig, filter: usize) {
    let filters = FILTERS[filter % FILTERS.len()];
    config.filter_subject = String::new();
    config.filter_subjects = Vec::new();
    match filters {
        [one] => (*one).clone_into(&mut config.filter_subject),
        many => config.filter_subjects = many.iter().map(|f| (*f).to_owned()).collect(),
    }
}

fn stream() -> impl Strategy<Value = StreamConfig> {
    let retention = prop_oneof![
        4 => Just(Retention::Limits),
        2 => Just(Retention::Interest),
        2 => Just(Retention::WorkQueue),
    ];
    (
        retention,
        prop_oneof![3 => Just(-1i64), 1 => 3i64..12],
        prop_oneof![3 => Just(-1i64), 1 => 1i64..4],
    )
        .prop_map(|(retention, max_msgs, per_subject)| StreamConfig {
            retention,
            max_msgs,
            max_msgs_per_subject: per_subject,
            allow_rollup_hdrs: true,
            ..StreamConfig::default()
        })
}

fn consumer() -> impl Strategy<Value = ConsumerConfig> {
    let policy = prop_oneof![
        4 => Just(AckPolicy::Explicit),
        1 => Just(AckPolicy::All),
        1 => Just(AckPolicy::None),
    ];
    let start = prop_oneof![
        4 => Just(DeliverPolicy::All),
        1 => Just(DeliverPolicy::New),
        1 => Just(DeliverPolicy::Last),
        1 => Just(DeliverPolicy::LastPerSubject),
        1 => Just(DeliverPolicy::ByStartSequence),
    ];
    let limits = (
        prop_oneof![2 => Just(-1i64), 1 => 1i64..4],
        prop_oneof![2 => Just(0i64), 1 => 1i64..4],
    );
    (
        policy,
        start,
        limits,
        0..FILTERS.len(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(ack_policy, deliver_policy, (max_deliver, max_ack_pending), filter, push, backoff)| {
                let mut config = ConsumerConfig {
                    ack_policy,
                    deliver_policy,
                    max_deliver,
                    ack_wait: Nanos::from_secs(1),
                    ..ConsumerConfig::default()
                };
                if ack_policy == AckPolicy::None {
                    config.ack_wait = Nanos(0);
                    config.max_deliver = -1;
                } else {
                    config.max_ack_pending = max_ack_pending;
                    if backoff && max_deliver < 0 {
                        config.backoff = vec![Nanos::from_millis(300), Nanos::from_millis(700)];
                    }
                }
                if deliver_policy == DeliverPolicy::ByStartSequence {
                    config.opt_start_seq = 3;
                }
                set_filter(
                    &mut config,
                    if deliver_policy == DeliverPolicy::LastPerSubject && filter == 0 {
                        4
                    } else {
                        filter
                    },
                );
                if push {
                    config.deliver_subject = "push".into();
                }
                config
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let body = prop_oneof![
        (1u64..6).prop_map(|n| n.to_string()),
        (1u64..6).prop_map(|n| format!(r#"{{"batch":{n},"no_wait":true}}"#)),
        (1u64..6).prop_map(|n| format!(r#"{{"batch":{n},"expires":2000000000}}"#)),
        (1u64..4).prop_map(|n| format!(r#"{{"batch":9,"max_bytes":{},"expires":900000000}}"#, n * 60)),
    ];
    let ack = prop_oneof![
        6 => Just("+ACK"),
        2 => Just("-NAK"),
        2 => Just(r#"-NAK {"delay":400000000}"#),
        1 => Just("+WPI"),
        2 => Just("+TERM"),
        1 => Just("+NXT 2"),
    ];
    prop_oneof![
        8 => (0usize..4, 1usize..4).prop_map(|(subject, count)| Step::Publish { subject, count }),
        1 => (0usize..4, any::<bool>()).prop_map(|(subject, all)| Step::Rollup { subject, all }),
        8 => (0usize..3, body).prop_map(|(consumer, body)| Step::Pull { consumer, body }),
        10 => (0usize..3, 0usize..9, ack).prop_map(|(consumer, pick, body)| Step::Ack { consumer, pick, body }),
        4 => (100u64..1500).prop_map(|ms| Step::Pass { ms }),
        2 => (0usize..9).prop_map(|pick| Step::Delete { pick }),
        1 => (0usize..5, 0u64..9, 0u64..3).prop_map(|(filter, up_to, keep)| Step::Purge { filter, up_to, keep }),
        2 => (0usize..3, 0..FILTERS.len()).prop_map(|(consumer, filter)| Step::Filter { consumer, filter }),
        1 => (0usize..3, 0u64..1500).prop_map(|(consumer, ms)| Step::Pause { consumer, ms }),
        3 => (0usize..3, any::<bool>()).prop_map(|(consumer, has)| Step::Interest { consumer, has }),
        1 => (0usize..3, 0u64..9).prop_map(|(consumer, seq)| Step::Reset { consumer, seq }),
        1 => (0usize..3).prop_map(|consumer| Step::Remove { consumer }),
        2 => any::<bool>().prop_map(|on| Step::Hold { on }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

pub(super) fn schedule() -> impl Strategy<Value = Schedule> {
    let consumers = proptest::collection::vec(consumer(), 1..4);
    let steps = proptest::collection::vec(step(), 1..60);
    (stream(), 0usize..8, consumers, steps).prop_map(|(stream, before, consumers, steps)| Schedule {
        stream,
        before,
        consumers,
        steps,
    })
}
