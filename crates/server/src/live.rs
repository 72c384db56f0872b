//! What of a server may change while it runs: the options and the directory in force. Applies nothing by itself.

use std::sync::{Arc, LazyLock};

use natterjack_auth::{Directory, User};
use natterjack_config::{Options, options};
use natterjack_subject::names::random_name;

use crate::account::{Account, AccountLimits, Accounts, GLOBAL_ACCOUNT, SYSTEM_ACCOUNT};
use crate::jetstream::domain::mappings;

/// Options in force and what follows from them. Tasks keep the one they saw until the server has another.
#[derive(Debug)]
pub(crate) struct Live {
    /// The options.
    pub(crate) options: Options,
    /// Who may connect.
    pub(crate) directory: Directory,
}

impl Live {
    /// What follows from `options`.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            directory: directory(&options),
            options,
        }
    }

    /// Whether a client must say who it is.
    pub(crate) fn is_locked(&self) -> bool {
        self.directory.requires_auth() && !self.directory.allows_anonymous()
    }

    /// Whether clients are told to say who they are. Where only the system account has users they are told so although
    /// they need not, as by the peer.
    pub(crate) fn asks_who(&self) -> bool {
        self.is_locked() || self.options.names_only_the_system_account()
    }
}

/// Who everybody is that does not say so, where only the system account has users. The same at each reload, so that
/// nobody has to leave.
static EVERYBODY: LazyLock<User> = LazyLock::new(|| {
    let token = |length| {
        let mut letters = String::new();
        random_name(length, &mut rand::random, &mut letters);
        letters
    };
    User {
        name: format!("nats-{}", token(8)),
        password: token(32),
        account: GLOBAL_ACCOUNT.into(),
        ..User::default()
    }
});

fn directory(options: &Options) -> Directory {
    let authorization = &options.authorization;
    let mut directory = Directory {
        token: authorization.token.clone(),
        no_auth_user: options.no_auth_user.clone(),
        default_permissions: authorization.default_permissions.clone(),
        ..Directory::default()
    };
    if let Some(name) = &authorization.user {
        let user = User {
            name: name.clone(),
            password: authorization.password.clone().unwrap_or_default(),
            account: GLOBAL_ACCOUNT.into(),
            permissions: authorization.default_permissions.clone(),
            ..User::default()
        };
        directory.users.insert(name.clone(), user);
    }
    let listed = options.accounts.iter().flat_map(|account| {
        let default = account.default_permissions.clone();
        account.users.iter().map(move |u| (u, default.clone()))
    });
    let own = authorization
        .users
        .iter()
        .map(|u| (u, authorization.default_permissions.clone()));
    for (user, default) in own.chain(listed) {
        let mut user = user.clone();
        user.permissions = user.permissions.or(default);
        if user.account.is_empty() {
            user.account = GLOBAL_ACCOUNT.into();
        }
        match user.nkey.clone() {
            Some(key) => directory.nkeys.insert(key, user),
            None => directory.users.insert(user.name.clone(), user),
        };
    }
    if options.names_only_the_system_account() {
        directory.no_auth_user = Some(EVERYBODY.name.clone());
        directory.users.insert(EVERYBODY.name.clone(), EVERYBODY.clone());
    }
    directory
}

fn limits(configured: &options::Account) -> AccountLimits {
    AccountLimits {
        max_connections: configured.max_connections,
        max_subscriptions: configured.max_subscriptions,
        max_payload: configured.max_payload_bytes,
    }
}

/// The accounts of `options`, and the one of everybody who has no other.
pub(crate) fn accounts(options: &Options) -> (Accounts, Arc<Account>) {
    let cache = !options.no_sublist_cache;
    let accounts = Accounts::default();
    let global = accounts.add(Account::new(GLOBAL_ACCOUNT, cache));
    if !options.no_system_account {
        let system = match options.system_account.as_str() {
            "" => SYSTEM_ACCOUNT,
            name => name,
        };
        accounts.add(Account::new(system, cache));
    }
    update(&accounts, options);
    (accounts, global)
}

/// Brings `accounts` to what `options` say; gives those that are new. One that is not configured any more stays, empty of
/// users: whoever holds its subjects or streams may finish.
pub(crate) fn update(accounts: &Accounts, options: &Options) -> Vec<Arc<Account>> {
    let mut fresh = Vec::new();
    let domain = &options.jetstream.domain;
    if let Some(global) = accounts.get(GLOBAL_ACCOUNT) {
        let theirs = options.default_domains.get(GLOBAL_ACCOUNT);
        global.set_mappings(mappings(&options.mappings, domain, theirs));
    }
    for configured in &options.accounts {
        let account = accounts.get(&configured.name).unwrap_or_else(|| {
            let account = accounts.add(Account::new(&configured.name, !options.no_sublist_cache));
            fresh.push(Arc::clone(&account));
            account
        });
        let theirs = options.default_domains.get(&configured.name);
        account.set_mappings(mappings(&configured.mappings, domain, theirs));
        account.trace.store(configured.trace.clone().map(Arc::new));
        *account.limits.lock() = limits(configured);
    }
    fresh
}
