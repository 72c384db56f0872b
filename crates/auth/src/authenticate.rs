//! Who a client is: credentials against the configured directory. One decision for every kind of connection.

use std::collections::HashMap;
use std::sync::Arc;

use crate::permissions::Permissions;
use crate::{nkey, password};

/// Account of users that name no other.
pub const GLOBAL_ACCOUNT: &str = "$G";
/// The system account.
pub const SYSTEM_ACCOUNT: &str = "$SYS";

/// A configured user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// User name; empty for one that is known by its key.
    pub name: String,
    /// Public key `U…` of a user that signs instead of having a password.
    pub nkey: Option<String>,
    /// Password or bcrypt hash.
    pub password: String,
    /// Account the user belongs to.
    pub account: String,
    /// What the user may do; `None` is everything.
    pub permissions: Option<Arc<Permissions>>,
    /// Kinds of connection allowed, in capitals; empty allows all.
    pub connection_types: Vec<String>,
}

/// Everybody who may connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Users by name.
    pub users: HashMap<String, User>,
    /// Users by public key.
    pub nkeys: HashMap<String, User>,
    /// The one token.
    pub token: Option<String>,
    /// User of connections without credentials.
    pub no_auth_user: Option<String>,
    /// Permissions of connections that are nobody in particular (token, or no authorization at all).
    pub default_permissions: Option<Arc<Permissions>>,
}

/// What a client presents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// User name.
    pub user: Option<&'a str>,
    /// Password.
    pub password: Option<&'a str>,
    /// Token.
    pub token: Option<&'a str>,
    /// Public key.
    pub nkey: Option<&'a str>,
    /// Signature of the nonce by that key, base64.
    pub signature: Option<&'a str>,
    /// What the server gave it to sign.
    pub nonce: &'a str,
    /// Whether any other kind (JWT) was presented.
    pub other: bool,
}

impl Credentials<'_> {
    /// Whether nothing was presented.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.user.is_none()
            && self.password.is_none()
            && self.token.is_none()
            && self.nkey.is_none()
            && !self.other
    }
}

/// Who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User name or public key, or `None` for nobody in particular.
    pub user: Option<String>,
    /// Account.
    pub account: String,
    /// What it may do; `None` is everything.
    pub permissions: Option<Arc<Permissions>>,
}

impl Directory {
    /// Whether credentials are needed at all.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        self.token.is_some() || !self.users.is_empty() || !self.nkeys.is_empty()
    }

    /// Whether clients need something to sign.
    #[must_use]
    pub fn requires_nonce(&self) -> bool {
        !self.nkeys.is_empty()
    }

    fn anonymous(&self) -> Option<&User> {
        let name = self.no_auth_user.as_ref()?;
        self.users.get(name).or_else(|| self.nkeys.get(name))
    }

    /// Whether a client may skip its credentials.
    #[must_use]
    pub fn allows_anonymous(&self) -> bool {
        self.anonymous().is_some()
    }

    /// Decides who presents `credentials` on a connection of `kind` (`STANDARD`, `WEBSOCKET`…); `None` refuses.
    #[must_use]
    pub fn authenticate(&self, credentials: &Credentials<'_>, kind: &str) -> Option<Identity> {
        if !self.requires_auth() {
            return Some(self.nobody());
        }
        if credentials.is_empty()
            && let Some(user) = self.anonymous()
        {
            return admit(user, kind);
        }
        if let Some(key) = credentials.nkey
            && !self.nkeys.is_empty()
        {
            let user = self.nkeys.get(key)?;
            let signature = credentials.signature?;
            return nkey::has_signed(key, credentials.nonce, signature)
                .then(|| admit(user, kind))
                .flatten();
        }
        if let Some(token) = &self.token {
            let presented = credentials.token.unwrap_or_default();
            return password::matches(token, presented).then(|| self.nobody());
        }
        let user = self.users.get(credentials.user?)?;
        if !password::matches(&user.password, credentials.password.unwrap_or_default()) {
            return None;
        }
        admit(user, kind)
    }

    fn nobody(&self) -> Identity {
        Identity {
            user: None,
            account: GLOBAL_ACCOUNT.into(),
            permissions: self.default_permissions.clone(),
        }
    }
}

fn admit(user: &User, kind: &str) -> Option<Identity> {
    if !user.connection_types.is_empty()
        && !user.connection_types.iter().any(|t| t.eq_ignore_ascii_case(kind))
    {
        return None;
    }
    Some(Identity {
        user: user.nkey.clone().or_else(|| Some(user.name.clone())),
        account: user.account.clone(),
        permissions: user.permissions.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: &str, account: &str) -> (String, User) {
        let user = User {
            name: name.into(),
            password: password.into(),
            account: account.into(),
            ..User::default()
        };
        (name.into(), user)
    }

    fn with(user: &'static str, password: &'static str) -> Credentials<'static> {
        Credentials {
            user: Some(user),
            password: Some(password),
            ..Credentials::default()
        }
    }

    #[test]
    fn nothing_configured_admits_everybody() {
        let identity = Directory::default()
            .authenticate(&with("x", "y"), "STANDARD")
            .unwrap();
        assert_eq!((identity.user, identity.account.as_str()), (None, "$G"));
    }

    #[test]
    fn tokens() {
        let directory = Directory {
            token: Some("t".into()),
            ..Directory::default()
        };
        let token = |t| Credentials {
            token: Some(t),
            ..Credentials::default()
        };
        assert!(directory.authenticate(&token("t"), "STANDARD").is_some());
        assert!(directory.authenticate(&token("x"), "STANDARD").is_none());
        assert!(
            directory
                .authenticate(&Credentials::default(), "STANDARD")
                .is_none()
        );
    }

    #[test]
    fn users() {
        let mut directory = Directory {
            users: [user("a", "pa", "$G"), user("b", "pb", "B")].into(),
            ..Directory::default()
        };
        assert_eq!(
            directory
                .authenticate(&with("b", "pb"), "STANDARD")
                .unwrap()
                .account,
            "B"
        );
        assert!(directory.authenticate(&with("b", "pa"), "STANDARD").is_none());
        assert!(directory.authenticate(&with("c", "pa"), "STANDARD").is_none());
        assert!(
            directory
                .authenticate(&Credentials::default(), "STANDARD")
                .is_none()
        );
        directory.no_auth_user = Some("a".into());
        assert_eq!(
            directory
                .authenticate(&Credentials::default(), "STANDARD")
                .unwrap()
                .user
                .as_deref(),
            Some("a")
        );
        // Wrong credentials are not forgiven because an anonymous user exists.
        assert!(directory.authenticate(&with("a", "nope"), "STANDARD").is_none());
        assert!(
            directory
                .authenticate(
                    &Credentials {
                        other: true,
                        ..Credentials::default()
                    },
                    "STANDARD"
                )
                .is_none()
        );
    }

    #[test]
    fn keys() {
        let pair = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, [7; 32]).unwrap();
        let key = pair.public_key();
        let user = User {
            nkey: Some(key.clone()),
            account: "K".into(),
            ..User::default()
        };
        let directory = Directory {
            nkeys: [(key.clone(), user)].into(),
            ..Directory::default()
        };
        let signature = data_encoding::BASE64URL_NOPAD.encode(&pair.sign(b"nonce").unwrap());
        let asked = |key, signature, nonce| {
            let credentials = Credentials {
                nkey: Some(key),
                signature,
                nonce,
                ..Credentials::default()
            };
            directory.authenticate(&credentials, "STANDARD")
        };
        let identity = asked(&key, Some(&signature), "nonce").unwrap();
        assert_eq!(
            (identity.user.as_deref(), identity.account.as_str()),
            (Some(key.as_str()), "K")
        );
        assert!(asked(&key, Some(&signature), "other").is_none());
        assert!(asked(&key, Some("AAAA"), "nonce").is_none());
        assert!(asked(&key, None, "nonce").is_none());
        assert!(asked("UNKNOWN", Some(&signature), "nonce").is_none());
        assert!(
            directory
                .authenticate(&Credentials::default(), "STANDARD")
                .is_none()
        );
        assert!(directory.requires_nonce() && directory.requires_auth());
    }

    #[test]
    fn connection_types() {
        let mut entry = user("a", "pa", "$G");
        entry.1.connection_types = vec!["WEBSOCKET".into()];
        let directory = Directory {
            users: [entry].into(),
            no_auth_user: Some("a".into()),
            ..Directory::default()
        };
        assert!(directory.authenticate(&with("a", "pa"), "STANDARD").is_none());
        assert!(
            directory
                .authenticate(&Credentials::default(), "STANDARD")
                .is_none()
        );
        assert!(directory.authenticate(&with("a", "pa"), "WEBSOCKET").is_some());
    }
}
