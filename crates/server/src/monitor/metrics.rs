//! `/metrics`: figures as Prometheus reads them (text format 0.0.4). The peer has no such page; what is in `/varz` and `/jsz` as
//! well has the same value there.

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use natterjack_store::{Health, JournalStats};

use super::varz;
use crate::jetstream::JetStream;
use crate::server::Server;

/// Content type of the page.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page being written.
#[derive(Default)]
struct Metrics(String);

impl Metrics {
    /// Begins a metric; `_total` at the end of a name says that it only grows.
    fn begin(&mut self, name: &str, what: &str) {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        // Writing to a text cannot fail.
        let _fits = write!(
            self.0,
            "# HELP natterjack_{name} {what}\n# TYPE natterjack_{name} {kind}\n"
        );
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(k, v)| format!("{k}=\"{}\"", escape(v)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _fits = writeln!(self.0, "natterjack_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, what: &str, value: impl Display) {
        self.begin(name, what);
        self.value(name, &[], value);
    }

    /// How often something took how long: so many up to each bound, and the last beyond all.
    fn histogram(&mut self, name: &str, what: &str, (bounds, counts): (&[Duration], &[u64]), sum: Duration) {
        let _fits = write!(
            self.0,
            "# HELP natterjack_{name} {what}\n# TYPE natterjack_{name} histogram\n"
        );
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        for (nth, count) in counts.iter().enumerate() {
            total += count;
            let bound = bounds.get(nth).map(|bound| bound.as_secs_f64().to_string());
            self.value(&bucket, &[("le", bound.as_deref().unwrap_or("+Inf"))], total);
        }
        self.value(&format!("{name}_sum"), &[], sum.as_secs_f64());
        self.value(&format!("{name}_count"), &[], total);
    }
}

/// A label's value: backslashes, quotes and ends of lines are escaped.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// The page.
pub(super) fn page(server: &Server) -> String {
    let mut page = Metrics::default();
    put_server(&mut page, server);
    if let Some(jetstream) = server.jetstream() {
        put_store(&mut page, &jetstream);
        put_streams(&mut page, &jetstream);
    }
    page.0
}

fn put_server(page: &mut Metrics, server: &Server) {
    let counters = &server.counters;
    let ((in_msgs, in_bytes), (out_msgs, out_bytes)) = (counters.received.get(), counters.sent.get());
    page.one("resident_memory_bytes", "Memory in use.", varz::memory());
    page.one("connections", "Clients.", server.connection_count());
    page.one(
        "connections_total",
        "Clients so far.",
        counters.connections.load(Relaxed),
    );
    page.one("subscriptions", "Subscriptions.", server.accounts.subscriptions());
    page.one("received_messages_total", "Messages from clients.", in_msgs);
    page.one(
        "received_bytes_total",
        "Bytes of messages from clients.",
        in_bytes,
    );
    page.one("sent_messages_total", "Messages to clients.", out_msgs);
    page.one("sent_bytes_total", "Bytes of messages to clients.", out_bytes);
    let slow = counters.slow.load(Relaxed);
    page.one("slow_consumers_total", "Clients closed for being slow.", slow);
    let stale = counters.stale.load(Relaxed);
    page.one(
        "stale_connections_total",
        "Clients closed for being silent.",
        stale,
    );
}

fn put_store(page: &mut Metrics, jetstream: &JetStream) {
    let health = jetstream.health();
    let reports = match &health {
        Health::Damaged(reports) => reports.len(),
        Health::Ok | Health::Full | Health::Poisoned(_) => 0,
    };
    let is = |yes: bool| u8::from(yes);
    page.one(
        "jetstream_healthy",
        "Whether all is well with the store.",
        is(health == Health::Ok),
    );
    page.one(
        "jetstream_full",
        "Whether the disk is full.",
        is(health == Health::Full),
    );
    let poisoned = matches!(health, Health::Poisoned(_));
    page.one(
        "jetstream_poisoned",
        "Whether a failed sync ended all writing.",
        is(poisoned),
    );
    page.one(
        "jetstream_damage_reports",
        "Reports of damage since the start.",
        reports,
    );
    put_journal(page, &jetstream.journal_stats());
    let stats = jetstream.store_stats();
    page.one(
        "store_checkpoints_total",
        "Checkpoints of streams.",
        stats.checkpoints,
    );
    page.one(
        "store_drained_bytes_total",
        "Bytes of messages copied from the journal's memory to segments.",
        stats.drained_bytes,
    );
    let memory = jetstream.memory_use();
    page.one(
        "memory_budget_used_bytes",
        "Memory that streams on disk take of the budget.",
        memory.bytes,
    );
    page.one(
        "memory_budget_bytes",
        "The budget: jetstream.memory_budget.",
        memory.bytes_max,
    );
}

fn put_journal(page: &mut Metrics, journal: &JournalStats) {
    page.one(
        "journal_rounds_total",
        "Rounds written to the journal.",
        journal.rounds,
    );
    page.one(
        "journal_syncs_total",
        "Times the journal was forced to disk.",
        journal.syncs,
    );
    page.one(
        "journal_entries_total",
        "Entries written to the journal.",
        journal.frames,
    );
    page.one(
        "journal_bytes_total",
        "Bytes written to the journal.",
        journal.bytes,
    );
    page.one(
        "journal_files",
        "Files of the journal that hold what is needed.",
        journal.files,
    );
    page.histogram(
        "journal_sync_seconds",
        "How long forcing the journal to disk took.",
        (&JournalStats::SYNC_BOUNDS, &journal.sync_counts),
        journal.sync_time,
    );
}

/// A figure of every stream.
type Figure = (
    &'static str,
    &'static str,
    fn(&natterjack_jsapi::stream::StreamState) -> u64,
);

const FIGURES: [Figure; 5] = [
    ("stream_messages", "Messages of a stream.", |s| s.messages),
    ("stream_bytes", "Bytes of a stream's messages.", |s| s.bytes),
    ("stream_consumers", "Consumers of a stream.", |s| s.consumer_count),
    (
        "stream_lost_messages",
        "Messages of a stream that are damaged.",
        |s| {
            let msgs = s.lost.as_ref().and_then(|lost| lost.msgs.as_ref());
            msgs.map_or(0, |msgs| msgs.len() as u64)
        },
    ),
    (
        "stream_lost_bytes",
        "Bytes of a stream's damaged messages.",
        |s| s.lost.as_ref().map_or(0, |lost| lost.bytes),
    ),
];

fn put_streams(page: &mut Metrics, jetstream: &JetStream) {
    let accounts = jetstream.accounts();
    let total = |of: fn(&natterjack_jsapi::account::AccountInfo) -> u64| -> u64 {
        accounts.iter().map(|account| of(&account.info())).sum()
    };
    page.one(
        "jetstream_memory_bytes",
        "Memory that streams take.",
        total(|i| i.memory),
    );
    page.one(
        "jetstream_storage_bytes",
        "Storage that streams take.",
        total(|i| i.storage),
    );
    page.one(
        "jetstream_api_requests_total",
        "Requests of the API.",
        total(|i| i.api.total),
    );
    page.one(
        "jetstream_api_errors_total",
        "Requests that were refused.",
        total(|i| i.api.errors),
    );
    for (name, what, figure) in FIGURES {
        page.begin(name, what);
        for account in &accounts {
            for stream in account.streams() {
                let labels = [("account", &*account.account.name), ("stream", &*stream.name)];
                page.value(name, &labels, figure(&stream.state.lock()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_written_as_prometheus_reads_it() {
        let mut page = Metrics::default();
        page.one("syncs_total", "Syncs.", 3);
        page.begin("stream_messages", "Messages.");
        page.value("stream_messages", &[("account", "A\"\\"), ("stream", "S\n")], 7);
        let expected = "# HELP natterjack_syncs_total Syncs.\n# TYPE natterjack_syncs_total counter\nnatterjack_syncs_total 3\n\
            # HELP natterjack_stream_messages Messages.\n# TYPE natterjack_stream_messages gauge\n\
            natterjack_stream_messages{account=\"A\\\"\\\\\",stream=\"S\\n\"} 7\n";
        assert_eq!(page.0, expected);
    }
}
