//! The `CONNECT` a client sends, read as the peer's Go decoder would: names in any case, unknown names ignored, a wrong
//! type refused, absent fields at their defaults.

use serde::Serialize;
use serde_json::{Map, Value};

/// Why a `CONNECT` is refused. The connection closes without a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Not JSON, or not an object.
    #[error("{0}")]
    Syntax(String),
    /// A field of another type.
    #[error("json: cannot unmarshal {found} into Go struct field ClientOpts.{field} of type {expected}")]
    Type {
        /// JSON type found.
        found: &'static str,
        /// Field name.
        field: &'static str,
        /// Go type expected.
        expected: &'static str,
    },
}

/// Options of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the wire format has that many flags"
)]
pub struct Connect {
    /// Answer each operation with `+OK`.
    pub verbose: bool,
    /// Check subjects of publishes.
    pub pedantic: bool,
    /// Deliver the connection's own messages to it.
    pub echo: bool,
    /// The client wants TLS.
    pub tls_required: bool,
    /// User name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
    /// Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
    /// Public user key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey: Option<String>,
    /// Signature over the nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
    /// User JWT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<String>,
    /// Signature of a trusted proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_sig: Option<String>,
    /// Connection name.
    pub name: String,
    /// Client language.
    pub lang: String,
    /// Client version.
    pub version: String,
    /// Client protocol: 0, or 1 for asynchronous INFO.
    pub protocol: i64,
    /// Retired: any value is refused.
    #[serde(skip)]
    pub account: String,
    /// Retired: any value is refused.
    #[serde(skip)]
    pub new_account: bool,
    /// The client understands headers.
    pub headers: bool,
    /// The client wants to be told when nobody listens.
    pub no_responders: bool,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            tls_required: false,
            user: None,
            pass: None,
            auth_token: None,
            nkey: None,
            sig: None,
            jwt: None,
            proxy_sig: None,
            name: String::new(),
            lang: String::new(),
            version: String::new(),
            protocol: 0,
            account: String::new(),
            new_account: false,
            headers: false,
            no_responders: false,
        }
    }
}

impl Connect {
    /// Reads the JSON of a `CONNECT` over the defaults.
    ///
    /// # Errors
    /// [`ConnectError`] with the text the peer logs.
    pub fn parse(json: &[u8]) -> Result<Self, ConnectError> {
        Self::default().updated(json)
    }

    /// Reads a repeated `CONNECT` over the options in force: what it does not name stays, as in the peer.
    ///
    /// # Errors
    /// [`ConnectError`] with the text the peer logs.
    pub fn updated(mut self, json: &[u8]) -> Result<Self, ConnectError> {
        let value: Value = serde_json::from_slice(json).map_err(|e| {
            let text = if e.is_eof() {
                "unexpected end of JSON input".into()
            } else {
                e.to_string()
            };
            ConnectError::Syntax(text)
        })?;
        let Value::Object(map) = value else {
            return Err(ConnectError::Syntax(
                "json: cannot unmarshal into Go value of type server.ClientOpts".into(),
            ));
        };
        let fields = Fields(map);
        fields.flag("verbose", &mut self.verbose)?;
        fields.flag("pedantic", &mut self.pedantic)?;
        fields.flag("echo", &mut self.echo)?;
        fields.flag("tls_required", &mut self.tls_required)?;
        fields.flag("new_account", &mut self.new_account)?;
        fields.flag("headers", &mut self.headers)?;
        fields.flag("no_responders", &mut self.no_responders)?;
        fields.secret("user", &mut self.user)?;
        fields.secret("pass", &mut self.pass)?;
        fields.secret("auth_token", &mut self.auth_token)?;
        fields.secret("nkey", &mut self.nkey)?;
        fields.secret("sig", &mut self.sig)?;
        fields.secret("jwt", &mut self.jwt)?;
        fields.secret("proxy_sig", &mut self.proxy_sig)?;
        fields.text("name", &mut self.name)?;
        fields.text("lang", &mut self.lang)?;
        fields.text("version", &mut self.version)?;
        fields.text("account", &mut self.account)?;
        fields.integer("protocol", &mut self.protocol)?;
        Ok(self)
    }

    /// Appends `CONNECT {json}\r\n`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"CONNECT ");
        let encoded = serde_json::to_writer(&mut *out, self);
        debug_assert!(encoded.is_ok(), "a struct of plain fields always encodes");
        out.extend_from_slice(b"\r\n");
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.get(name).or_else(|| {
            self.0
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    fn flag(&self, field: &'static str, into: &mut bool) -> Result<(), ConnectError> {
        match self.get(field) {
            None => Ok(()),
            Some(Value::Bool(b)) => {
                *into = *b;
                Ok(())
            }
            Some(other) => Err(mismatch(other, field, "bool")),
        }
    }

    fn text(&self, field: &'static str, into: &mut String) -> Result<(), ConnectError> {
        match self.get(field) {
            None => Ok(()),
            Some(Value::String(s)) => {
                s.clone_into(into);
                Ok(())
            }
            Some(other) => Err(mismatch(other, field, "string")),
        }
    }

    fn secret(&self, field: &'static str, into: &mut Option<String>) -> Result<(), ConnectError> {
        let mut value = String::new();
        self.text(field, &mut value)?;
        if self.get(field).is_some() {
            *into = Some(value).filter(|v| !v.is_empty());
        }
        Ok(())
    }

    fn integer(&self, field: &'static str, into: &mut i64) -> Result<(), ConnectError> {
        match self.get(field) {
            None => Ok(()),
            Some(Value::Number(n)) => match n.as_i64() {
                Some(n) => {
                    *into = n;
                    Ok(())
                }
                None => Err(ConnectError::Type {
                    found: "number",
                    field,
                    expected: "int",
                }),
            },
            Some(other) => Err(mismatch(other, field, "int")),
        }
    }
}

fn mismatch(found: &Value, field: &'static str, expected: &'static str) -> ConnectError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    ConnectError::Type {
        found,
        field,
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_keep_the_defaults() {
        let connect = Connect::parse(b"{}").unwrap();
        assert!(connect.verbose && connect.pedantic && connect.echo && !connect.headers);
        let connect = Connect::parse(br#"{"VERBOSE":false,"Echo":null,"unknown":[1]}"#).unwrap();
        assert!(!connect.verbose && connect.echo);
    }

    #[test]
    fn refusals_have_the_peers_texts() {
        let text = |json: &[u8]| Connect::parse(json).unwrap_err().to_string();
        assert_eq!(text(b""), "unexpected end of JSON input");
        assert_eq!(text(b"{"), "unexpected end of JSON input");
        assert_eq!(
            text(br#"{"verbose":"x"}"#),
            "json: cannot unmarshal string into Go struct field ClientOpts.verbose of type bool"
        );
        assert_eq!(
            text(br#"{"user":1}"#),
            "json: cannot unmarshal number into Go struct field ClientOpts.user of type string"
        );
    }

    #[test]
    fn encodes_what_it_parses() {
        let mut out = Vec::new();
        let connect = Connect {
            user: Some("u".into()),
            headers: true,
            ..Connect::default()
        };
        connect.encode(&mut out);
        let json = out.strip_prefix(b"CONNECT ").unwrap();
        assert_eq!(Connect::parse(json).unwrap(), connect);
    }
}
