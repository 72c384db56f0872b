//! Bodies of API requests other than configurations. Data only.

use crate::consumer::ConsumerConfig;
use crate::go_time::{GoTime, Nanos};
use crate::json::go_struct;
use crate::stream::{Placement, StreamConfig, StreamState};

go_struct! {
    /// STREAM.NAMES and STREAM.LIST.
    pub struct StreamList: "server.JSApiStreamNamesRequest" {
        /// Entries to skip.
        offset: i64 as "int" => "offset", keep;
        /// Only streams that keep this subject.
        subject: String => "subject", omit;
    }
}

go_struct! {
    /// STREAM.INFO.
    pub struct StreamInfoRequest: "server.JSApiStreamInfoRequest" {
        /// Subjects to skip.
        offset: i64 as "int" => "offset", keep;
        /// List deleted sequences.
        deleted_details: bool => "deleted_details", omit;
        /// Count messages of these subjects.
        subjects_filter: String => "subjects_filter", omit;
    }
}

go_struct! {
    /// STREAM.PURGE.
    pub struct Purge: "server.JSApiStreamPurgeRequest" {
        /// Up to this sequence, exclusive.
        seq: u64 => "seq", omit;
        /// Only these subjects.
        filter: String => "filter", omit;
        /// Leave so many.
        keep: u64 => "keep", omit;
    }
}

go_struct! {
    /// STREAM.MSG.GET and DIRECT.GET.
    pub struct MsgGet: "server.JSApiMsgGetRequest" {
        /// This sequence, or the first at or behind it.
        seq: u64 => "seq", omit;
        /// The last of this subject.
        last_by_subj: String => "last_by_subj", omit;
        /// The next of these subjects.
        next_by_subj: String => "next_by_subj", omit;
        /// So many.
        batch: i64 as "int" => "batch", omit;
        /// At most so many bytes.
        max_bytes: i64 as "int" => "max_bytes", omit;
        /// The first at or after this time.
        start_time: Option<GoTime> => "start_time", omit;
        /// The last of each of these subjects.
        multi_last: Vec<String> => "multi_last", omit;
        /// As of this sequence.
        up_to_seq: u64 => "up_to_seq", omit;
        /// As of this time.
        up_to_time: Option<GoTime> => "up_to_time", omit;
        /// Without headers.
        no_hdr: bool => "no_hdr", omit;
    }
}

go_struct! {
    /// STREAM.MSG.DELETE.
    pub struct MsgDelete: "server.JSApiMsgDeleteRequest" {
        /// The sequence.
        seq: u64 => "seq", keep;
        /// Leave the bytes on disk.
        no_erase: bool => "no_erase", omit;
    }
}

go_struct! {
    /// CONSUMER.NAMES and CONSUMER.LIST.
    pub struct ConsumerList: "server.JSApiConsumersRequest" {
        /// Entries to skip.
        offset: i64 as "int" => "offset", keep;
    }
}

go_struct! {
    /// CONSUMER.PAUSE.
    pub struct Pause: "server.JSApiConsumerPauseRequest" {
        /// Until then.
        pause_until: Option<GoTime> => "pause_until", omit;
    }
}

go_struct! {
    /// CONSUMER.UNPIN.
    pub struct Unpin: "server.JSApiConsumerUnpinRequest" {
        /// The group.
        group: String => "group", keep;
    }
}

go_struct! {
    /// CONSUMER.RESET.
    pub struct Reset: "server.JSApiConsumerResetRequest" {
        /// Next sequence to deliver; 0 is behind the ack floor.
        seq: u64 => "seq", omit;
    }
}

go_struct! {
    /// STREAM.SNAPSHOT.
    pub struct Snapshot: "server.JSApiStreamSnapshotRequest" {
        /// Where the chunks go.
        deliver_subject: String => "deliver_subject", keep;
        /// Leave consumers out.
        no_consumers: bool => "no_consumers", omit;
        /// Bytes of a chunk.
        chunk_size: i64 as "int" => "chunk_size", omit;
        /// Bytes in flight.
        window_size: i64 as "int" => "window_size", omit;
        /// Check messages first.
        jsck: bool => "jsck", omit;
    }
}

go_struct! {
    /// STREAM.RESTORE.
    pub struct Restore: "server.JSApiStreamRestoreRequest" {
        /// Configuration to restore under.
        config: StreamConfig => "config", keep;
        /// State of the snapshot.
        state: StreamState => "state", keep;
    }
}

go_struct! {
    /// Requests that name a peer.
    pub struct Peer: "server.JSApiStreamRemovePeerRequest" {
        /// Server name or peer id.
        peer: String => "peer", keep;
        /// Peer id.
        peer_id: String => "peer_id", omit;
    }
}

go_struct! {
    /// Leader step-down.
    pub struct StepDown: "server.JSApiLeaderStepdownRequest" {
        /// Where the new leader should be.
        placement: Option<Placement> => "placement", omit;
    }
}

go_struct! {
    /// A pull: body of MSG.NEXT and of `+NXT`.
    pub struct Pull: "server.JSApiConsumerGetNextRequest" {
        /// How long to wait.
        expires: Nanos => "expires", omit;
        /// Most messages.
        batch: i64 as "int" => "batch", omit;
        /// Most bytes.
        max_bytes: i64 as "int" => "max_bytes", omit;
        /// Do not wait.
        no_wait: bool => "no_wait", omit;
        /// Heartbeat while waiting.
        idle_heartbeat: Nanos => "idle_heartbeat", omit;
        /// Priority group.
        group: String => "group", omit;
        /// Overflow: at least so many pending.
        min_pending: i64 => "min_pending", omit;
        /// Overflow: at least so many unacknowledged.
        min_ack_pending: i64 => "min_ack_pending", omit;
        /// Pin id.
        id: String => "id", omit;
        /// Priority, 0 first.
        priority: i64 as "int" => "priority", omit;
        /// Accepted and not acted upon, as in the peer.
        failover: bool => "failover", omit;
    }
}

go_struct! {
    /// STREAM.TEMPLATE.CREATE.
    pub struct Template: "server.StreamTemplateConfig" {
        /// Its name.
        name: String => "name", keep;
        /// Configuration of the streams it makes.
        config: Option<StreamConfig> => "config", keep;
        /// Most streams.
        max_streams: u64 as "uint32" => "max_streams", keep;
    }
}

go_struct! {
    /// A consumer inside a snapshot.
    pub struct StoredConsumer: "server.FileConsumerInfo" {
        /// When it was made.
        created: GoTime => "Created", keep;
        /// Its name.
        name: String => "Name", keep;
        /// Configuration.
        config: ConsumerConfig => "config", keep;
    }
}
