//! The IoT walk-through: two sensors publish acknowledged readings, a stream keeps them, and a dashboard that is a durable
//! push consumer replays them from the start and resumes where it was after being offline. Never touches streams it did
//! not make.
//!
//! `cargo run --example iot -- nats://127.0.0.1:4222` walks once with each ack policy and each replay policy, and exits
//! non-zero when a promise is broken.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use natterjack_client::jetstream::{Delivery, PushSubscription};
use natterjack_client::{Client, ConnectOptions, JetStream};
use natterjack_jsapi::consumer::{AckPolicy, ConsumerConfig, DeliverPolicy, ReplayPolicy};
use natterjack_jsapi::stream::{Storage, StreamConfig};
use natterjack_jsapi::{GoTime, Nanos};
use tokio::time::{Instant, timeout};

const STREAM: &str = "IOT_WALK";
const CONSUMER: &str = "dashboard";
/// Subjects of the two sensors; readings 1, 3, 5 … come from the first.
const SENSORS: [&str; 2] = ["sensors.kitchen.temperature", "sensors.cellar.humidity"];
/// Readings before the dashboard goes offline.
const BEFORE: u64 = 6;
/// Readings in all.
const ALL: u64 = 10;
/// Time between two readings, which the original replay keeps.
const PACE: Duration = Duration::from_millis(30);
/// A message that does not come within this does not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the walk stopped.
pub(crate) type Stop = Box<dyn Error + Send + Sync>;

/// The six ways to walk.
pub(crate) const WALKS: [(AckPolicy, ReplayPolicy); 6] = [
    (AckPolicy::None, ReplayPolicy::Instant),
    (AckPolicy::None, ReplayPolicy::Original),
    (AckPolicy::All, ReplayPolicy::Instant),
    (AckPolicy::All, ReplayPolicy::Original),
    (AckPolicy::Explicit, ReplayPolicy::Instant),
    (AckPolicy::Explicit, ReplayPolicy::Original),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let server = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let mut out = std::io::stdout();
    for (ack, replay) in WALKS {
        if let Err(stop) = walk(&server, ack, replay, &mut out).await {
            // Nothing is left to be done when standard error is closed too.
            drop(writeln!(std::io::stderr().lock(), "iot: {stop}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Walks once: makes the stream, checks every promise on the way, removes the stream.
pub(crate) async fn walk(
    server: &str,
    ack: AckPolicy,
    replay: ReplayPolicy,
    out: &mut (dyn Write + Send),
) -> Result<(), Stop> {
    writeln!(out, "ack {}, replay {}", ack.as_str(), replay.as_str())?;
    let js = JetStream::new(connect(server, "walk").await?);
    if js.stream_names(None).await?.iter().any(|name| name == STREAM) {
        js.delete_stream(STREAM).await?;
    }
    let config = StreamConfig {
        name: STREAM.into(),
        subjects: vec!["sensors.>".into()],
        storage: Storage::File,
        ..StreamConfig::default()
    };
    js.create_stream(&config).await?;
    let walked = steps(server, &js, (ack, replay), out).await;
    js.delete_stream(STREAM).await?;
    walked
}

async fn steps(
    server: &str,
    js: &JetStream,
    (ack, replay): (AckPolicy, ReplayPolicy),
    out: &mut (dyn Write + Send),
) -> Result<(), Stop> {
    let sensors = [
        connect(server, "kitchen").await?,
        connect(server, "cellar").await?,
    ]
    .map(JetStream::new);
    measure(&sensors, 1..=BEFORE).await?;
    writeln!(out, "  {BEFORE} readings are published and acknowledged")?;

    let config = ConsumerConfig {
        durable_name: CONSUMER.into(),
        deliver_subject: "iot.dashboard".into(),
        deliver_policy: DeliverPolicy::All,
        ack_policy: ack,
        ack_wait: Nanos::from_millis(if ack == AckPolicy::None { 0 } else { 1000 }),
        replay_policy: replay,
        ..ConsumerConfig::default()
    };
    js.create_consumer(STREAM, &config).await?;
    let dashboard = JetStream::new(connect(server, "dashboard").await?);
    first_visit(&dashboard, ack, replay).await?;
    writeln!(out, "  the dashboard replays all of them, then goes offline")?;
    dashboard.client().close().await;
    offline(js).await?;

    measure(&sensors, BEFORE + 1..=ALL).await?;
    writeln!(out, "  readings {} to {ALL} come while it is away", BEFORE + 1)?;
    let dashboard = JetStream::new(connect(server, "dashboard").await?);
    let again = second_visit(&dashboard, ack).await?;
    writeln!(out, "  the dashboard is back and resumes with {again:?}")?;
    Ok(())
}

async fn connect(server: &str, name: &str) -> Result<Client, Stop> {
    Ok(ConnectOptions::new().name(name).connect(server).await?)
}

fn subject_of(reading: u64) -> &'static str {
    if reading % 2 == 1 { SENSORS[0] } else { SENSORS[1] }
}

fn text_of(reading: u64) -> String {
    format!("{{\"reading\":{reading}}}")
}

/// Publishes readings at their pace, each from its sensor, and checks that each is acknowledged with its sequence.
async fn measure(sensors: &[JetStream; 2], readings: std::ops::RangeInclusive<u64>) -> Result<(), Stop> {
    let mut pace = tokio::time::interval(PACE);
    for reading in readings {
        pace.tick().await;
        let [kitchen, cellar] = sensors;
        let sensor = if reading % 2 == 1 { kitchen } else { cellar };
        let ack = sensor.publish(subject_of(reading), text_of(reading)).await?;
        promise(ack.stream == STREAM && ack.seq == reading, || {
            format!(
                "reading {reading} was acknowledged as {} of {}",
                ack.seq, ack.stream
            )
        })?;
    }
    Ok(())
}

/// Replays everything from the start. With acknowledgements, the last reading is left without one.
async fn first_visit(dashboard: &JetStream, ack: AckPolicy, replay: ReplayPolicy) -> Result<(), Stop> {
    let mut messages = dashboard.subscribe_push(STREAM, CONSUMER).await?;
    let (mut arrived, mut stored, mut deliveries) = (Vec::new(), Vec::new(), Vec::new());
    for expected in 1..=BEFORE {
        let delivery = next(&mut messages).await?;
        arrived.push(Instant::now());
        let info = delivery.info()?;
        stored.push(GoTime(info.timestamp_ns));
        promise(info.stream_seq == expected && info.delivered == 1, || {
            format!("expected reading {expected} for the first time, got {info:?}")
        })?;
        deliveries.push(delivery);
    }
    // Acknowledged only now that all have come: nats-server 2.15.1 does not deliver the last reading again when the ones
    // before it are acknowledged while it still waits for its original time.
    let done = match ack {
        AckPolicy::Explicit => 0..deliveries.len() - 1,
        // One acknowledgement stands for all before it.
        AckPolicy::All => deliveries.len() - 2..deliveries.len() - 1,
        AckPolicy::None | AckPolicy::FlowControl => 0..0,
    };
    for delivery in &deliveries[done] {
        delivery.ack_sync().await?;
    }
    if replay == ReplayPolicy::Original {
        let (Some(first), Some(last)) = (stored.first(), stored.last()) else {
            return Err("no readings".into());
        };
        let recorded = Duration::from_nanos(Nanos(last.0 - first.0).as_u64());
        let replayed = arrived[arrived.len() - 1] - arrived[0];
        // Timers are not exact; an instant replay would take next to no time.
        promise(replayed >= recorded * 7 / 10, || {
            format!("{recorded:?} of readings were replayed in {replayed:?}")
        })?;
    }
    Ok(())
}

/// Resumes: what was published while offline comes; what was delivered and not acknowledged comes again, unless nothing
/// is to be acknowledged. Returns the readings in the order in which they came first.
async fn second_visit(dashboard: &JetStream, ack: AckPolicy) -> Result<Vec<u64>, Stop> {
    let start = if ack == AckPolicy::None {
        BEFORE + 1
    } else {
        BEFORE
    };
    let mut messages = dashboard.subscribe_push(STREAM, CONSUMER).await?;
    let mut seen: BTreeMap<u64, Delivery> = BTreeMap::new();
    let mut order = Vec::new();
    while (seen.len() as u64) < ALL + 1 - start {
        let delivery = next(&mut messages).await?;
        let info = delivery.info()?;
        let reading = info.stream_seq;
        promise(reading >= start, || {
            format!("reading {reading} came again, but was done")
        })?;
        if seen.contains_key(&reading) {
            // Only what waits for its acknowledgement may come twice.
            promise(ack == AckPolicy::All, || format!("reading {reading} came twice"))?;
            continue;
        }
        promise((info.delivered > 1) == (reading <= BEFORE), || {
            format!("reading {reading} came at last at delivery {}", info.delivered)
        })?;
        if ack == AckPolicy::Explicit {
            delivery.ack_sync().await?;
        }
        seen.insert(reading, delivery);
        order.push(reading);
    }
    let new: Vec<u64> = order
        .iter()
        .copied()
        .filter(|reading| *reading > BEFORE)
        .collect();
    promise(new.is_sorted(), || {
        format!("new readings came out of order: {new:?}")
    })?;
    // With this policy an earlier acknowledgement would have stood for the reading that has to come again, too.
    if ack == AckPolicy::All
        && let Some(last) = seen.values().next_back()
    {
        last.ack_sync().await?;
    }
    let info = dashboard.consumer_info(STREAM, CONSUMER).await?;
    promise(info.num_pending == 0 && info.num_ack_pending == 0, || {
        format!(
            "{} to be delivered, {} to be acknowledged",
            info.num_pending, info.num_ack_pending
        )
    })?;
    Ok(order)
}

/// The next message, which must be the reading its sequence says, on the subject it was published on.
async fn next(messages: &mut PushSubscription) -> Result<Delivery, Stop> {
    let Ok(found) = timeout(PATIENCE, messages.next()).await else {
        return Err(format!("nothing came within {PATIENCE:?}").into());
    };
    let delivery = found.ok_or("the subscription ended")??;
    let reading = delivery.info()?.stream_seq;
    promise(delivery.subject() == subject_of(reading), || {
        format!("reading {reading} came on {}", delivery.subject())
    })?;
    promise(delivery.payload() == text_of(reading).as_bytes(), || {
        format!("reading {reading} is {:?}", delivery.payload())
    })?;
    Ok(delivery)
}

/// Waits until the server knows that nobody listens; until then it may still deliver, and without acknowledgements such a
/// message would be gone.
async fn offline(js: &JetStream) -> Result<(), Stop> {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let deadline = Instant::now() + PATIENCE;
    while js.consumer_info(STREAM, CONSUMER).await?.push_bound {
        promise(Instant::now() < deadline, || {
            "the server never noticed that the dashboard left".into()
        })?;
        ticks.tick().await;
    }
    Ok(())
}

fn promise(kept: bool, broken: impl FnOnce() -> String) -> Result<(), Stop> {
    if kept {
        Ok(())
    } else {
        Err(format!("promise broken: {}", broken()).into())
    }
}
