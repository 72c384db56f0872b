//! Tasks whose end by a mistake of ours is never silent.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::task::JoinHandle;

use crate::log::FATAL;

/// Runs a task nobody can do without: if it panics, the process ends, so that whoever watches it starts it anew. A stream
/// that answers nobody any more would be worse.
pub(crate) fn vital(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            tracing::error!(target: FATAL, "{name} ended by a panic: the server stops");
            std::process::abort();
        }
    })
}

/// Runs a task of one connection: if it panics, `clean_up` takes the connection away, and all others go on.
pub(crate) fn contained(
    task: impl Future<Output = ()> + Send + 'static,
    clean_up: impl FnOnce() + Send + 'static,
) {
    tokio::spawn(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            tracing::error!("A connection ended by a panic: please report it with the lines above");
            clean_up();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_cleaned_up_after() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        contained(async { panic!("on purpose") }, move || {
            let _received = sender.send(());
        });
        receiver.await.unwrap();
    }
}
