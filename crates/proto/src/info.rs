//! The `INFO` a server sends. Field order and omissions are the peer's; `natterjack` is ours and comes last.

use serde::{Deserialize, Serialize};

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip predicates take references"
)]
fn is_false(b: &bool) -> bool {
    !*b
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip predicates take references"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What a server tells about itself. Empty optional fields are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the wire format has that many flags"
)]
pub struct Info {
    /// Public server key, `N…`.
    pub server_id: String,
    /// Configured name, or the id.
    pub server_name: String,
    /// Version of the peer whose behaviour is spoken; clients gate features on it.
    pub version: String,
    /// Protocol version, 1 to clients.
    pub proto: i32,
    /// Short commit hash.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_commit: String,
    /// Language and compiler version of the server.
    pub go: String,
    /// Listen host.
    pub host: String,
    /// Listen port.
    pub port: u16,
    /// Whether headers are supported.
    pub headers: bool,
    /// Whether credentials are needed.
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    /// Whether TLS is needed.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    /// Whether client certificates are verified.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    /// Whether TLS is possible.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_available: bool,
    /// Largest headers plus payload, bytes.
    pub max_payload: i64,
    /// Whether JetStream is on.
    #[serde(skip_serializing_if = "is_false")]
    pub jetstream: bool,
    /// Number of this connection.
    #[serde(skip_serializing_if = "is_zero")]
    pub client_id: u64,
    /// Address the client was seen under.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_ip: String,
    /// Bytes to sign for nkey authentication.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// Cluster name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// JetStream domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Other addresses to connect to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect_urls: Vec<String>,
    /// Lame duck mode: the server is about to stop.
    #[serde(skip_serializing_if = "is_false")]
    pub ldm: bool,
    /// This INFO follows CONNECT and says what the connection is bound to.
    #[serde(skip_serializing_if = "is_false")]
    pub connect_info: bool,
    /// Account the connection is bound to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remote_account: String,
    /// Whether that is the system account.
    #[serde(skip_serializing_if = "is_false")]
    pub acc_is_sys: bool,
    /// JetStream API level.
    #[serde(skip_serializing_if = "is_zero")]
    pub api_lvl: u64,
    /// Public curve key of the server, `X…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub xkey: String,
    /// Version of Natterjack, empty on other servers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub natterjack: String,
}

impl Info {
    /// Appends `INFO {json} \r\n`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"INFO ");
        let encoded = serde_json::to_writer(&mut *out, self);
        debug_assert!(encoded.is_ok(), "a struct of plain fields always encodes");
        out.extend_from_slice(b" \r\n");
    }

    /// Reads the JSON of an `INFO`.
    ///
    /// # Errors
    /// When it is no JSON object or a field has another type.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_order_and_omissions_are_the_peers() {
        let info = Info {
            server_id: "N1".into(),
            server_name: "n".into(),
            version: "2.15.1".into(),
            proto: 1,
            git_commit: "b2fd3ef".into(),
            go: "go1.27.2".into(),
            host: "0.0.0.0".into(),
            port: 4222,
            headers: true,
            max_payload: 1_048_576,
            jetstream: true,
            client_id: 5,
            client_ip: "127.0.0.1".into(),
            api_lvl: 5,
            xkey: "XB".into(),
            ..Info::default()
        };
        let mut out = Vec::new();
        info.encode(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "INFO {\"server_id\":\"N1\",\"server_name\":\"n\",\"version\":\"2.15.1\",\"proto\":1,\"git_commit\":\"b2fd3ef\",\
             \"go\":\"go1.27.2\",\"host\":\"0.0.0.0\",\"port\":4222,\"headers\":true,\"max_payload\":1048576,\
             \"jetstream\":true,\"client_id\":5,\"client_ip\":\"127.0.0.1\",\"api_lvl\":5,\"xkey\":\"XB\"} \r\n"
        );
    }
}
