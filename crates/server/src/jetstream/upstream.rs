//! Follows the origins of mirrors and of streams with sources: one task for each carries what a stream wants to know to the
//! origin's owner, and what was found back. Decides nothing.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use natterjack_jetstream::source::{Ask, Next};
use tokio::time::timeout;

use super::account::JsAccount;
use super::stream::Stream;
use crate::clock;

/// An origin that says nothing is asked again after this long, so that its silence can be told from its absence.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    loop {
        let wanted = key.clone();
        let next = stream
            .ask(move |owner| owner.group.ask_upstream(&wanted, clock::now()))
            .await;
        match next {
            Some(Next::Read(ask)) => {
                if read(&stream, &account, &key, *ask).await.is_none() {
                    break;
                }
            }
            Some(Next::Wait(ns)) => {
                let _elapsed = timeout(Duration::from_nanos(ns), pending::<()>()).await;
            }
            Some(Next::Gone) => {
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
    let key = key.to_owned();
    let Some(origin) = account.stream(&ask.stream) else {
        return stream
            .ask(move |owner| owner.group.upstream_missing(&key, clock::now()))
            .await;
    };
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
