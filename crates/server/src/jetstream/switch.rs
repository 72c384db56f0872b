//! JetStream of the whole server on and off: at the start, and when a reload says so. What is on disk stays there.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::JetStream;
use super::services;
use super::stream::Stream;
use crate::banner;
use crate::live::Live;
use crate::server::Server;

/// Starts JetStream as it is configured now.
///
/// # Errors
/// Why it cannot be; then it is off. The text is for the log.
pub(crate) fn on(server: &Arc<Server>) -> Result<(), String> {
    tracing::info!("Starting JetStream");
    let since = Instant::now();
    if server.live.load().options.storage().is_none() {
        tracing::warn!("Temporary storage directory used, data could be lost on system reboot");
    }
    let jetstream = JetStream::open(server)?;
    banner::jetstream(&jetstream);
    // Known from here on, so that whoever turns it off finds it, however far it came.
    server.set_jetstream(Some(Arc::clone(&jetstream)));
    jetstream.start()?;
    tracing::info!("Took {:?} to start JetStream", since.elapsed());
    Ok(())
}

/// Brings JetStream to what the configuration says now. A start that fails leaves it off, as the peer does.
pub(crate) async fn turn(server: &Arc<Server>) {
    if server.live.load().options.jetstream.enabled {
        tracing::info!("Restarting JetStream");
        let started = Arc::clone(server);
        // Reads what is there, which takes its time.
        let done = spawn_blocking(move || on(&started)).await;
        let Err(why) = done.unwrap_or_else(|e| Err(e.to_string())) else {
            return;
        };
        tracing::warn!("Can't start JetStream: {why}");
        // The next reload finds it off, and tries again.
        let mut options = server.live.load().options.clone();
        options.jetstream.enabled = false;
        server.live.store(Arc::new(Live::new(options)));
    }
    if let Some(jetstream) = server.set_jetstream(None) {
        tracing::info!("Initiating JetStream Shutdown...");
        jetstream.retire().await;
        tracing::info!("JetStream Shutdown");
    }
}

impl JetStream {
    /// Stops, and lets go of everything, so that it can be opened again.
    async fn retire(&self) {
        let mut serving = std::mem::take(&mut *self.serving.lock());
        for (account, sub) in &serving.subs {
            account.unsubscribe(sub);
        }
        for account in self.accounts() {
            for sub in std::mem::take(&mut *account.traps.lock()).into_values().flatten() {
                account.account.unsubscribe(&sub);
            }
            for stream in account.held() {
                services::silence(&stream, &account.account);
            }
        }
        for task in &serving.tasks {
            task.abort();
        }
        for task in serving.tasks.drain(..) {
            let _aborted = task.await;
        }
        self.stop().await;
        for account in self.accounts() {
            let streams = std::mem::take(&mut *account.streams.write());
            for stream in streams.into_values() {
                end(&stream).await;
            }
        }
        // They hold this, as this holds them.
        self.accounts.lock().clear();
        drop(self.lock.lock().take());
    }
}

/// Ends the task of a stream. What it has on disk stays.
async fn end(stream: &Arc<Stream>) {
    let (sender, receiver) = oneshot::channel();
    stream.call(move |owner| owner.end(sender));
    drop(receiver.await);
}
