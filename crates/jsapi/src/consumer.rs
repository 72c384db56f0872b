//! Consumers on the wire: configuration, state, information. Data only.

use std::collections::BTreeMap;

use crate::cluster::ClusterInfo;
use crate::go_time::{GoTime, Nanos};
use crate::json::parse::cannot;
use crate::json::{go_enum, go_struct};

go_enum! {
    /// Where a consumer starts.
    pub enum DeliverPolicy: "server.DeliverPolicy", refuse cannot, {
        /// With the first message.
        All => "all",
        /// With the last message.
        Last => "last",
        /// With what comes from now on.
        New => "new",
        /// At a sequence.
        ByStartSequence => "by_start_sequence",
        /// At a time.
        ByStartTime => "by_start_time",
        /// With the last message of each subject.
        LastPerSubject => "last_per_subject",
    }
}

go_enum! {
    /// How messages are acknowledged.
    pub enum AckPolicy: "server.AckPolicy", refuse cannot, {
        /// Not at all.
        None => "none",
        /// One acknowledges all before it.
        All => "all",
        /// Each.
        Explicit => "explicit",
        /// By flow control.
        FlowControl => "flow_control",
    }
}

go_enum! {
    /// How fast stored messages are replayed.
    pub enum ReplayPolicy: "server.ReplayPolicy", refuse cannot, {
        /// As fast as possible.
        Instant => "instant",
        /// As they came.
        Original => "original",
    }
}

go_enum! {
    /// Which of several clients of a group is served.
    pub enum PriorityPolicy: "server.PriorityPolicy", refuse |json| format!("unknown priority policy: {}", json.written()), {
        /// Any.
        None => "none",
        /// Those whose thresholds are exceeded.
        Overflow => "overflow",
        /// The one that is pinned.
        PinnedClient => "pinned_client",
        /// Those of the lowest number.
        Prioritized => "prioritized",
    }
}

go_enum! {
    /// What a create request may do.
    pub enum ConsumerAction: "server.ConsumerAction", refuse |json| format!("unknown consumer action: {}", json.written()), {
        /// Create or update.
        CreateOrUpdate => "",
        /// Only create.
        Create => "create",
        /// Only update.
        Update => "update",
    }
}

go_struct! {
    /// Configuration of a consumer.
    pub struct ConsumerConfig: "server.ConsumerConfig" {
        /// Durable name.
        durable_name: String => "durable_name", omit;
        /// Name.
        name: String => "name", omit;
        /// Free text.
        description: String => "description", omit;
        /// Where it starts.
        deliver_policy: DeliverPolicy => "deliver_policy", keep;
        /// First sequence.
        opt_start_seq: u64 => "opt_start_seq", omit;
        /// First time.
        opt_start_time: Option<GoTime> => "opt_start_time", omit;
        /// How messages are acknowledged.
        ack_policy: AckPolicy => "ack_policy", keep;
        /// How long an acknowledgement may take.
        ack_wait: Nanos => "ack_wait", omit;
        /// Most deliveries of a message; -1 is unlimited.
        max_deliver: i64 as "int" => "max_deliver", omit;
        /// Waits before redeliveries.
        backoff: Vec<Nanos> => "backoff", omit;
        /// Only this subject.
        filter_subject: String => "filter_subject", omit;
        /// Only these subjects.
        filter_subjects: Vec<String> => "filter_subjects", omit;
        /// How fast.
        replay_policy: ReplayPolicy => "replay_policy", keep;
        /// Bits a second.
        rate_limit_bps: u64 => "rate_limit_bps", omit;
        /// Share of acknowledgements sampled.
        sample_freq: String => "sample_freq", omit;
        /// Most waiting pull requests.
        max_waiting: i64 as "int" => "max_waiting", omit;
        /// Most unacknowledged messages.
        max_ack_pending: i64 as "int" => "max_ack_pending", omit;
        /// Flow control.
        flow_control: bool => "flow_control", omit;
        /// No payloads.
        headers_only: bool => "headers_only", omit;
        /// Largest pull batch.
        max_batch: i64 as "int" => "max_batch", omit;
        /// Longest pull.
        max_expires: Nanos => "max_expires", omit;
        /// Most bytes of a pull.
        max_bytes: i64 as "int" => "max_bytes", omit;
        /// Where a push consumer delivers.
        deliver_subject: String => "deliver_subject", omit;
        /// Queue group of a push consumer.
        deliver_group: String => "deliver_group", omit;
        /// Heartbeat of a push consumer.
        idle_heartbeat: Nanos => "idle_heartbeat", omit;
        /// Longest inactivity.
        inactive_threshold: Nanos => "inactive_threshold", omit;
        /// Copies.
        num_replicas: i64 as "int" => "num_replicas", keep;
        /// Keep the state in memory.
        mem_storage: bool => "mem_storage", omit;
        /// Internal consumer of a mirror or source.
        direct: bool => "direct", omit;
        /// Internal consumer of a mirror or source.
        sourcing: bool => "sourcing", omit;
        /// Free key-value pairs.
        metadata: BTreeMap<String, String> => "metadata", omit;
        /// No deliveries until then.
        pause_until: Option<GoTime> => "pause_until", omit;
        /// Priority groups.
        priority_groups: Vec<String> => "priority_groups", omit;
        /// Who is served.
        priority_policy: PriorityPolicy => "priority_policy", omit;
        /// How long a pin lasts.
        priority_timeout: Nanos => "priority_timeout", omit;
    }
}

go_struct! {
    /// A pair of sequences.
    pub struct SequenceInfo: "server.SequenceInfo" {
        /// Of the consumer.
        consumer_seq: u64 => "consumer_seq", keep;
        /// Of the stream.
        stream_seq: u64 => "stream_seq", keep;
        /// When it last moved.
        last_active: Option<GoTime> => "last_active", omit;
    }
}

go_struct! {
    /// Who is pinned in a priority group.
    pub struct PriorityGroupState: "server.PriorityGroupState" {
        /// The group.
        group: String => "group", keep;
        /// Pin id.
        pinned_client_id: String => "pinned_client_id", omit;
        /// Since when.
        pinned_ts: GoTime => "pinned_ts", keep;
    }
}

go_struct! {
    /// All about a consumer.
    pub struct ConsumerInfo: "server.ConsumerInfo" {
        /// Its stream.
        stream_name: String => "stream_name", keep;
        /// Its name.
        name: String => "name", keep;
        /// When it was made.
        created: GoTime => "created", keep;
        /// Configuration.
        config: ConsumerConfig => "config", keep;
        /// What was delivered last.
        delivered: SequenceInfo => "delivered", keep;
        /// Up to where all is acknowledged.
        ack_floor: SequenceInfo => "ack_floor", keep;
        /// Delivered and not acknowledged.
        num_ack_pending: i64 as "int" => "num_ack_pending", keep;
        /// Delivered more than once.
        num_redelivered: i64 as "int" => "num_redelivered", keep;
        /// Waiting pull requests.
        num_waiting: i64 as "int" => "num_waiting", keep;
        /// Not delivered yet.
        num_pending: u64 => "num_pending", keep;
        /// Where it runs.
        cluster: Option<ClusterInfo> => "cluster", omit;
        /// Whether somebody listens on the deliver subject.
        push_bound: bool => "push_bound", omit;
        /// Whether it is paused.
        paused: bool => "paused", omit;
        /// For how long still.
        pause_remaining: Nanos => "pause_remaining", omit;
        /// Time of the answer.
        ts: GoTime => "ts", keep;
        /// Priority groups.
        priority_groups: Vec<PriorityGroupState> => "priority_groups", omit;
    }
}

go_struct! {
    /// Body of CONSUMER.CREATE.
    pub struct CreateRequest: "server.CreateConsumerRequest" {
        /// The stream.
        stream_name: String => "stream_name", keep;
        /// The configuration.
        config: ConsumerConfig => "config", keep;
        /// What may be done.
        action: ConsumerAction => "action", omit;
        /// Refuse instead of correcting.
        pedantic: bool => "pedantic", omit;
    }
}
