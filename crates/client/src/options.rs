//! How to connect, and to whom. Reads addresses; opens nothing.

use std::time::Duration;

use crate::error::ConnectError;
use crate::limits;
use natterjack_proto::Connect;

/// Who the client says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) token: Option<String>,
}

/// Options of a connection. Each method returns the options, so that they can be chained.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    pub(crate) name: String,
    pub(crate) credentials: Credentials,
    pub(crate) verbose: bool,
    pub(crate) pedantic: bool,
    pub(crate) echo: bool,
    pub(crate) inbox_prefix: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) ping_interval: Duration,
    /// Attempts to connect again; 0 means that a lost connection closes the client.
    pub(crate) reconnect_attempts: usize,
    pub(crate) reconnect_buffer_bytes: usize,
    pub(crate) subscription_messages: usize,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            name: String::new(),
            credentials: Credentials::default(),
            verbose: false,
            pedantic: false,
            echo: true,
            inbox_prefix: "_INBOX".into(),
            connect_timeout: limits::CONNECT_TIMEOUT,
            request_timeout: limits::REQUEST_TIMEOUT,
            ping_interval: limits::PING_INTERVAL,
            reconnect_attempts: limits::RECONNECT_ATTEMPTS,
            reconnect_buffer_bytes: limits::RECONNECT_BUFFER_BYTES,
            subscription_messages: limits::SUBSCRIPTION_MESSAGES,
        }
    }
}

impl ConnectOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Name of the connection, shown by the server's monitoring.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// User and password.
    #[must_use]
    pub fn user_password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials.user = Some(user.into());
        self.credentials.password = Some(password.into());
        self
    }

    /// A token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.credentials.token = Some(token.into());
        self
    }

    /// Let the server confirm each operation. Off by default; the client does not wait for these confirmations.
    #[must_use]
    pub const fn verbose(mut self, verbose: bool) -> Self {
        self.verbose = verbose;
        self
    }

    /// Let the server check subjects more strictly. Off by default.
    #[must_use]
    pub const fn pedantic(mut self, pedantic: bool) -> Self {
        self.pedantic = pedantic;
        self
    }

    /// Whether the client gets its own messages. On by default.
    #[must_use]
    pub const fn echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// What inboxes begin with; `_INBOX` by default.
    #[must_use]
    pub fn inbox_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.inbox_prefix = prefix.into();
        self
    }

    /// Longest one attempt to connect may take.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest a request waits for its answer.
    #[must_use]
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How often the client asks whether the server is still there.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Attempts to connect again after a connection was lost; 0 turns reconnecting off.
    #[must_use]
    pub const fn reconnect_attempts(mut self, attempts: usize) -> Self {
        self.reconnect_attempts = attempts;
        self
    }

    /// Bytes of messages kept while there is no connection. A publish beyond that fails.
    #[must_use]
    pub const fn reconnect_buffer_bytes(mut self, bytes: usize) -> Self {
        self.reconnect_buffer_bytes = bytes;
        self
    }

    /// Messages a subscription keeps for its reader. More are dropped, counted and reported.
    #[must_use]
    pub fn subscription_messages(mut self, messages: usize) -> Self {
        self.subscription_messages = messages.max(1);
        self
    }

    /// The `CONNECT` for `server`. What its address says about credentials wins.
    pub(crate) fn connect_for(&self, server: &Server) -> Connect {
        let credentials = server.credentials.as_ref().unwrap_or(&self.credentials);
        Connect {
            verbose: self.verbose,
            pedantic: self.pedantic,
            echo: self.echo,
            user: credentials.user.clone(),
            pass: credentials.password.clone(),
            auth_token: credentials.token.clone(),
            name: self.name.clone(),
            lang: "rust-natterjack".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: 1,
            headers: true,
            no_responders: true,
            ..Connect::default()
        }
    }
}

/// A server to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) credentials: Option<Credentials>,
}

impl Server {
    /// Reads `[nats://][user:password@|token@]host[:port]`.
    pub(crate) fn parse(text: &str) -> Result<Self, ConnectError> {
        let bad = || ConnectError::Address(text.to_owned());
        let rest = match text.trim().split_once("://") {
            None => text.trim(),
            Some(("nats", rest)) => rest,
            Some(("tls", _)) => return Err(ConnectError::TlsRequired),
            Some(_) => return Err(bad()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, host) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((who, host)) => (Some(credentials(who)), host),
        };
        let name_end = host.rfind(']').map_or(0, |end| end + 1);
        let (name, port) = match host[name_end..].rfind(':') {
            Some(colon) => (&host[..name_end + colon], &host[name_end + colon + 1..]),
            None => (host, "4222"),
        };
        if name.is_empty() || name.contains([' ', '/']) || port.parse::<u16>().is_err() {
            return Err(bad());
        }
        Ok(Self {
            address: format!("{name}:{port}"),
            credentials,
        })
    }

    /// Reads a list, separated by commas.
    pub(crate) fn parse_list(text: &str) -> Result<Vec<Self>, ConnectError> {
        text.split(',')
            .take(limits::SERVERS_MAX)
            .map(Self::parse)
            .collect()
    }
}

fn credentials(who: &str) -> Credentials {
    match who.split_once(':') {
        Some((user, password)) => Credentials {
            user: Some(user.into()),
            password: Some(password.into()),
            token: None,
        },
        None => Credentials {
            token: Some(who.into()),
            ..Credentials::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address = |text: &str| Server::parse(text).map(|s| s.address).ok();
        assert_eq!(address("localhost").as_deref(), Some("localhost:4222"));
        assert_eq!(address("nats://1.2.3.4:99/").as_deref(), Some("1.2.3.4:99"));
        assert_eq!(address("nats://[::1]:99").as_deref(), Some("[::1]:99"));
        assert_eq!(address("[::1]").as_deref(), Some("[::1]:4222"));
        for bad in ["", "nats://", "http://a", "a:b", ":4222", "a:99999"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_may_say_who() {
        let options = ConnectOptions::new().user_password("joe", "x");
        let connect = options.connect_for(&Server::parse("nats://ann:secret@h").unwrap());
        assert_eq!(
            (connect.user.as_deref(), connect.pass.as_deref()),
            (Some("ann"), Some("secret"))
        );
        let connect = options.connect_for(&Server::parse("tok@h").unwrap());
        assert_eq!((connect.user, connect.auth_token.as_deref()), (None, Some("tok")));
        let connect = options.connect_for(&Server::parse("h").unwrap());
        assert_eq!(connect.user.as_deref(), Some("joe"));
        assert_eq!(Server::parse_list("a,b:1").unwrap().len(), 2);
    }
}
