//! Follows the origins of mirrors and of streams with sources: one task for each carries what a stream wants to know to the
//! origin's owner, and what was found back. Decides nothing.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use natterjack_jetstream::source::{Ask, Next, Request, is_own_api, removal};
use natterjack_jsapi::stream::{Retention, StreamConfig, StreamSource};
use tokio::time::timeout;

use super::account::JsAccount;
use super::crossing::{self, Copying};
use super::stream::Stream;
use crate::clock;

/// An origin that says nothing is asked again after this long, so that its silence can be told from its absence.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether an origin is a stream of this account: it is not said to be elsewhere, or is called by the name of the server's
/// own domain.
pub(super) fn is_local(source: &StreamSource, account: &JsAccount) -> bool {
    let domain = &account.jetstream.server.options.jetstream.domain;
    let external = source.external.as_ref();
    external.is_none_or(|external| is_own_api(&external.api, domain))
}

/// Whether `source`, where messages stay whoever has them, is just read.
fn is_read(source: &StreamSource, origin: &Stream) -> bool {
    source.consumer.is_none() && origin.config().retention == Retention::Limits
}

/// What removes the consumer by which a stream copies from `source`, if there is one of its own.
fn made_for(
    source: &StreamSource,
    is_mirror: bool,
    account: &JsAccount,
    config: &StreamConfig,
) -> Option<Request> {
    let reads = || {
        account
            .stream(&source.name)
            .is_none_or(|origin| is_read(source, &origin))
    };
    if is_local(source, account) && reads() {
        return None;
    }
    removal(source, is_mirror, account.copier(config))
}

/// What `config` copies from, and whether that is as a mirror.
fn origins(config: &StreamConfig) -> impl Iterator<Item = (&StreamSource, bool)> {
    let mirror = config.mirror.iter().map(|origin| (origin, true));
    mirror.chain(config.sources.iter().map(|origin| (origin, false)))
}

/// A stream does not copy by the consumer that `request` removes any more: it goes, unless it serves by another edit.
fn stopped(stream: &Stream, account: &JsAccount, request: &Request) {
    let config = stream.config();
    let mut used =
        origins(&config).filter_map(|(source, is_mirror)| made_for(source, is_mirror, account, &config));
    if !used.any(|other| other == *request) {
        crossing::tell(account, request);
    }
}

/// A stream was deleted: what was made for it goes.
pub(super) fn forget(stream: &Stream, account: &JsAccount) {
    let config = stream.config();
    for (source, is_mirror) in origins(&config) {
        if let Some(request) = made_for(source, is_mirror, account, &config) {
            crossing::tell(account, &request);
        }
    }
}

/// Starts what the configuration of `stream` asks for and is not running.
pub(super) fn follow(stream: &Arc<Stream>, account: &JsAccount) {
    let config = stream.config();
    let wanted = config.mirror.iter().chain(&config.sources);
    for key in wanted.map(natterjack_jetstream::source::index_name) {
        let Some(account) = account.jetstream.account(&account.account.name) else {
            return;
        };
        if stream.following.lock().insert(key.clone()) {
            tokio::spawn(run(Arc::clone(stream), account, key));
        }
    }
}

async fn run(stream: Arc<Stream>, account: Arc<JsAccount>, key: String) {
    let mut last: Option<Request> = None;
    loop {
        let wanted = key.clone();
        let next = stream.ask(move |owner| owner.ask_upstream(&wanted)).await;
        match next {
            Some(Next::Read(ask)) => {
                let made = made_for(&ask.source, ask.is_mirror, &account, &stream.config());
                // An edit of other sources may have given it another name.
                if let Some(before) = last.take_if(|before| made.as_ref() != Some(before)) {
                    stopped(&stream, &account, &before);
                }
                last = made;
                if read(&stream, &account, &key, *ask).await.is_none() {
                    break;
                }
            }
            Some(Next::Wait(ns)) => {
                let _elapsed = timeout(Duration::from_nanos(ns), pending::<()>()).await;
            }
            Some(Next::Gone) => {
                if let Some(before) = &last {
                    stopped(&stream, &account, before);
                }
                stream.following.lock().remove(&key);
                // It may have come back while it went.
                follow(&stream, &account);
                break;
            }
            None => break,
        }
    }
}

/// Carries one question and its answer; `None` when the stream that asks has ended.
async fn read(stream: &Stream, account: &JsAccount, key: &str, ask: Ask) -> Option<()> {
    let copying = Copying { stream, account, key };
    if !is_local(&ask.source, account) {
        return copying.run(&ask).await;
    }
    let Some(origin) = account.stream(&ask.source.name) else {
        let key = key.to_owned();
        return stream
            .ask(move |owner| owner.group.upstream_missing(&key, clock::now()))
            .await;
    };
    if !is_read(&ask.source, &origin) {
        return copying.run(&ask).await;
    }
    let key = key.to_owned();
    let mut woken = pin!(origin.followers.notified());
    woken.as_mut().enable();
    let Some(page) = origin.ask(move |owner| owner.group.read_page(&ask)).await else {
        return stream
            .ask(move |owner| owner.group.upstream_missing(&key, clock::now()))
            .await;
    };
    let idle = page.messages.is_empty();
    stream.ask(move |owner| owner.take_page(&key, &page)).await?;
    if idle {
        let _either = timeout(LOOK_EVERY, woken).await;
    }
    Some(())
}
