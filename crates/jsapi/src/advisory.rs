//! Advisories and metrics: events about streams, consumers and the API. Data and subjects only.

use crate::go_time::GoTime;
use crate::json::go_struct;
use crate::json::write::ObjectWriter;

/// Begins all advisory subjects.
pub const ADVISORY_PREFIX: &str = "$JS.EVENT.ADVISORY.";
/// Begins all metric subjects.
pub const METRIC_PREFIX: &str = "$JS.EVENT.METRIC.";

go_struct! {
    /// Who did something.
    pub struct ClientInfo: "server.ClientInfo" {
        /// When it connected.
        start: Option<GoTime> => "start", omit;
        /// Its address.
        host: String => "host", omit;
        /// Connection id.
        id: u64 => "id", omit;
        /// Account.
        acc: String => "acc", keep;
        /// Service account.
        svc: String => "svc", omit;
        /// User.
        user: String => "user", omit;
        /// Connection name.
        name: String => "name", omit;
        /// Language.
        lang: String => "lang", omit;
        /// Client version.
        ver: String => "ver", omit;
        /// Round trip.
        rtt: i64 as "time.Duration" => "rtt", omit;
        /// Server.
        server: String => "server", omit;
        /// Cluster.
        cluster: String => "cluster", omit;
        /// When it went.
        stop: Option<GoTime> => "stop", omit;
        /// Name of the account.
        name_tag: String => "name_tag", omit;
        /// Kind of connection.
        kind: String => "kind", omit;
        /// Kind of client.
        client_type: String => "client_type", omit;
    }
}

/// Writes an advisory: type, id and time, then what `fields` adds.
#[must_use]
pub fn event(kind: &str, id: &str, time: GoTime, fields: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    typed("io.nats.jetstream.advisory.v1", kind, id, time, fields)
}

/// Writes a metric: type, id and time, then what `fields` adds.
#[must_use]
pub fn metric(kind: &str, id: &str, time: GoTime, fields: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    typed("io.nats.jetstream.metric.v1", kind, id, time, fields)
}

fn typed(
    family: &str,
    kind: &str,
    id: &str,
    time: GoTime,
    fields: impl FnOnce(&mut ObjectWriter<'_>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = ObjectWriter::new(&mut out);
    object.text("type", &format!("{family}.{kind}"));
    object.text("id", id);
    object.field("timestamp", &time);
    fields(&mut object);
    object.end();
    out
}
