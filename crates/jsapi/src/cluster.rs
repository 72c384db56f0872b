//! Where a stream or consumer runs. Data only.

use crate::go_time::Nanos;
use crate::json::go_struct;

go_struct! {
    /// One replica.
    pub struct PeerInfo: "server.PeerInfo" {
        /// Server name.
        name: String => "name", keep;
        /// Whether it has caught up.
        current: bool => "current", keep;
        /// Whether it is away.
        offline: bool => "offline", omit;
        /// Since it was last heard.
        active: Nanos => "active", keep;
        /// Entries behind.
        lag: u64 => "lag", omit;
        /// Peer id.
        peer: String => "peer", keep;
    }
}

go_struct! {
    /// A group and its members.
    pub struct ClusterInfo: "server.ClusterInfo" {
        /// Cluster name.
        name: String => "name", omit;
        /// Raft group.
        raft_group: String => "raft_group", omit;
        /// Leading server.
        leader: String => "leader", omit;
        /// The others.
        replicas: Vec<PeerInfo> => "replicas", omit;
    }
}
