//! `$SYS.REQ.…`: pages and figures on request, and what an administrator has done: reload, send a client away.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::encoding::Encoding;
use super::options::Options;
use super::{events, say, server_info, stats};
use crate::account::Account;
use crate::conn::CloseReason;
use crate::monitor::{Refusal, accountz, cmdline, connz, facts, healthz, jsz};
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};
use crate::server::Server;
use crate::{lame_duck, reload};

/// What every account may ask of itself.
const OF_ONESELF: [&str; 3] = [
    "$SYS.REQ.ACCOUNT.PING.CONNZ",
    "$SYS.REQ.SERVER.PING.CONNZ",
    "$SYS.REQ.ACCOUNT.PING.STATZ",
];

/// Answers the system account's users.
pub(super) fn serve(server: &Server, account: &Account) {
    let nobody = Sub::service(b"$SYS.REQ.ACCOUNT.NSUBS", Arc::new(OfOtherServers));
    account.subscribe(&nobody);
    for subject in [
        "$SYS.REQ.SERVER.PING".to_owned(),
        "$SYS.REQ.SERVER.PING.*".to_owned(),
        format!("$SYS.REQ.SERVER.{}.*", server.id),
        "$SYS.REQ.ACCOUNT.*.*".to_owned(),
    ] {
        account.subscribe(&Sub::service(subject.as_bytes(), Arc::new(OfSystem)));
    }
    let subscribers = Sub::service(b"$SYS.DEBUG.SUBSCRIBERS", Arc::new(Subscribers));
    account.subscribe(&subscribers);
}

/// Answers what the users of any other account may ask.
pub(super) fn serve_others(account: &Account) {
    for subject in OF_ONESELF {
        account.subscribe(&Sub::service(subject.as_bytes(), Arc::new(OfOneself)));
    }
}

/// Where an answer goes.
struct Asker<'a> {
    lane: &'a mut Lane,
    reply: &'a [u8],
    /// What stands where the answer's own reply would: nothing at all for those that ask through an import.
    no_reply: Option<&'static [u8]>,
    /// How pages are to be packed; figures and errors never are.
    encoding: Option<Encoding>,
}

impl Asker<'_> {
    fn say(&mut self, body: &Value) {
        say(self.lane, self.reply, self.no_reply, body, None);
    }

    fn say_packed(&mut self, body: &Value) {
        say(self.lane, self.reply, self.no_reply, body, self.encoding);
    }

    fn answer(&mut self, page: Result<Value, Refusal>) {
        let server = server_info(&self.lane.server);
        match page {
            Ok(data) => self.say_packed(&json!({"server": server, "data": data})),
            Err((_, text)) => self.say(&json!({
                "server": server,
                "data": null,
                "error": {"code": 500, "description": text},
            })),
        }
    }

    /// The answer to something that was done, or why not.
    fn done(&mut self, outcome: Result<(), String>) {
        let mut body = json!({"server": server_info(&self.lane.server)});
        match outcome {
            Ok(()) => self.say_packed(&body),
            Err(text) => {
                body["error"] = json!({"code": 500, "description": text});
                self.say(&body);
            }
        }
    }

    fn refuse(&mut self, text: &str) {
        let server = server_info(&self.lane.server);
        let body = json!({"server": server, "error": {"code": 400, "description": text}});
        self.say(&body);
    }

    /// Does `make` in a task of its own and answers then.
    fn later<F: Future<Output = Result<Value, Refusal>> + Send + 'static>(
        &self,
        make: impl FnOnce(Arc<Server>) -> F + Send + 'static,
    ) {
        let (server, account) = (Arc::clone(&self.lane.server), Arc::clone(&self.lane.account));
        let (reply, no_reply, encoding) = (self.reply.to_vec(), self.no_reply, self.encoding);
        tokio::spawn(async move {
            let page = make(Arc::clone(&server)).await;
            let mut lane = Lane::new(&server, &account);
            Asker {
                lane: &mut lane,
                reply: &reply,
                no_reply,
                encoding,
            }
            .answer(page);
            lane.flush();
        });
    }
}

/// What is asked by the users of the system account.
#[derive(Debug)]
struct OfSystem;

impl Service for OfSystem {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let subject = String::from_utf8_lossy(message.subject);
        let mut tokens = subject.split('.').skip(2);
        let (about, who) = (tokens.next(), tokens.next().unwrap_or_default());
        let what = tokens.next().unwrap_or("STATSZ");
        let Some(reply) = message.reply else { return true };
        let mut asker = Asker {
            lane,
            reply,
            no_reply: Some(b""),
            encoding: Encoding::accepted(message.headers()),
        };
        if what == "IDZ" {
            let server = &asker.lane.server;
            let body = json!({"name": server.name, "host": server.options.host, "id": server.id});
            asker.say(&body);
            return true;
        }
        let body = message.payload();
        // Kicks and the like that nobody can read are not answered.
        let quiet = matches!(what, "KICK" | "LDM" | "CONNS");
        if matches!(what, "KICK" | "LDM") && body.is_empty() {
            return true;
        }
        let options = match Options::parse(what, body) {
            Ok(options) => options,
            Err(_) if quiet => return true,
            Err(text) => {
                asker.refuse(&text);
                return true;
            }
        };
        if !options.is_for(&asker.lane.server) {
            return true;
        }
        if about == Some("ACCOUNT") {
            return of_account(&mut asker, who, what, &options);
        }
        of_server(&mut asker, what, &options) || (who != "PING" && admin(&mut asker, what, &options))
    }
}

/// Answers what is asked of the server; `false` when there is no such page.
fn of_server(asker: &mut Asker<'_>, what: &str, options: &Options) -> bool {
    let server = Arc::clone(&asker.lane.server);
    let query = options.query(what, None);
    match what {
        "STATSZ" => asker.say(&stats::figures(&server)),
        "JSZ" => asker.later(async move |server| jsz::page(&server, &query).await),
        "HEALTHZ" => {
            let (status, body) = healthz::check(&server, &query);
            let mut data = json!({"status": body["status"], "status_code": status.as_u16()});
            if let Some(error) = body.get("error") {
                data["error"] = error.clone();
            }
            asker.answer(Ok(data));
        }
        "PROFILEZ" => asker.answer(Ok(
            json!({"profile": null, "error": "Profile name not specified"}),
        )),
        "EXPVARZ" => asker.answer(Ok(json!({"cmdline": cmdline()}))),
        "IPQUEUESZ" | "RAFTZ" => asker.answer(Ok(json!({}))),
        _ => match facts(&server, &format!("/{}", what.to_lowercase()), &query) {
            Some(page) => asker.answer(page),
            None => return false,
        },
    }
    true
}

/// Does what is asked; `false` when it is nothing that can be asked for.
fn admin(asker: &mut Asker<'_>, what: &str, options: &Options) -> bool {
    let server = Arc::clone(&asker.lane.server);
    let client = server.connection(options.number("cid"));
    let known = |none: &str| client.ok_or_else(|| none.to_owned());
    match what {
        "KICK" => {
            let known = known("no such client or leafnode id");
            asker.done(known.map(|conn| conn.close(CloseReason::Kicked)));
        }
        "LDM" => {
            let known = known("no such client id");
            asker.done(known.map(|conn| lame_duck::tell_one(&server, &conn)));
        }
        "RELOAD" => {
            let (account, reply) = (Arc::clone(&asker.lane.account), asker.reply.to_vec());
            let encoding = asker.encoding;
            // Reads files, which this task must not wait for.
            tokio::spawn(async move {
                let outcome = reload::reload(&server).await;
                let mut lane = Lane::new(&server, &account);
                Asker {
                    lane: &mut lane,
                    reply: &reply,
                    no_reply: Some(b""),
                    encoding,
                }
                .done(outcome);
                lane.flush();
            });
        }
        _ => return false,
    }
    true
}

/// Answers what is asked of the account `name`; `false` when there is no such page.
fn of_account(asker: &mut Asker<'_>, name: &str, what: &str, options: &Options) -> bool {
    let server = Arc::clone(&asker.lane.server);
    let account = server.accounts.get(name);
    match (what, account) {
        ("STATZ", _) if name == "PING" => {
            let (wanted, unused) = (options.texts("accounts"), options.switch("include_unused"));
            asker.answer(Ok(accountz::stats_of(&server, &wanted, unused)));
        }
        // Of accounts without clients nothing is told.
        ("STATZ", Some(account)) => {
            if account.clients.load(Relaxed) > 0 || options.switch("include_unused") {
                asker.answer(Ok(accountz::stats_of(&server, &[name.to_owned()], true)));
            }
        }
        ("CONNS", Some(account)) => {
            let other = options.text("acc");
            if (other.is_empty() || other == name) && account.clients.load(Relaxed) > 0 {
                asker.say(&events::connections(&server, &account));
            }
        }
        ("STATZ" | "CONNS", None) => {}
        ("INFO", _) => asker.answer(accountz::detail(&server, name)),
        ("JSZ", _) => {
            let (query, name) = (options.query(what, Some(name)), name.to_owned());
            asker.later(async move |server| jsz::of_account(&server, &name, &query).await);
        }
        // Told without saying who tells it.
        ("CONNZ", None) => {
            let query = options.query(what, None);
            asker.answer(connz::of_nobody(&query));
        }
        ("CONNZ" | "SUBSZ" | "LEAFZ", _) => {
            let mut query = options.query(what, Some(name));
            if what == "SUBSZ" {
                query.add("subs", "true");
            }
            if let Some(page) = facts(&server, &format!("/{}", what.to_lowercase()), &query) {
                asker.answer(page);
            }
        }
        _ => return false,
    }
    true
}

/// What only other servers ask: nobody gets an answer.
#[derive(Debug)]
struct OfOtherServers;

impl Service for OfOtherServers {
    fn on_message(&self, _message: &Routed<'_>, _lane: &mut Lane) -> bool {
        true
    }
}

/// What is asked by the users of an account about that.
#[derive(Debug)]
struct OfOneself;

impl Service for OfOneself {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let Some(reply) = message.reply else { return true };
        let name = lane.account.name.to_string();
        let what = if message.subject.ends_with(b"STATZ") {
            "STATZ"
        } else {
            "CONNZ"
        };
        let mut asker = Asker {
            lane,
            reply,
            no_reply: None,
            encoding: Encoding::accepted(message.headers()),
        };
        match Options::parse(what, message.payload()) {
            Ok(options) => of_account(&mut asker, &name, what, &options),
            Err(text) => {
                asker.refuse(&text);
                true
            }
        }
    }
}

/// How many listen on the subject, in the queue group if one is named, that the body says.
#[derive(Debug)]
struct Subscribers;

impl Service for Subscribers {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        // As in the peer, which takes the headers for part of the subject, who sends any gets no answer.
        let (Some(reply), 0) = (message.reply, message.headers_len) else {
            return true;
        };
        let mut words = message.payload().trim_ascii().split(|b| *b == b' ');
        let (subject, group) = (words.next().unwrap_or_default(), words.next());
        let found = lane.account.sublist.read().matches(subject);
        let queues = found
            .queues
            .iter()
            .filter(|q| group.is_none_or(|g| g == &*q.name));
        let members: usize = queues.map(|q| q.members.len()).sum();
        let count = members + if group.is_none() { found.plain.len() } else { 0 };
        lane.route(&Routed {
            subject: reply,
            reply: Some(b""),
            body: count.to_string().as_bytes(),
            ..Routed::default()
        });
        true
    }
}
