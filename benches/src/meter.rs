//! Time, processor time and memory of one run.

use std::time::{Duration, Instant};

use crate::server::Server;

/// What one run came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Messages a second.
    pub rate: f64,
    /// Processor time of the server a message, microseconds.
    pub cpu_us: f64,
    /// The most memory of the server, MiB.
    pub peak_mib: f64,
    /// Half of the requests were answered sooner, microseconds; 0 where nothing waits for answers.
    pub p50_us: f64,
    /// All but a hundredth were.
    pub p99_us: f64,
}

/// A run under way.
#[derive(Debug)]
pub struct Meter<'a> {
    server: &'a Server,
    cpu_us: f64,
    since: Instant,
}

impl<'a> Meter<'a> {
    /// Begins now.
    #[must_use]
    pub fn start(server: &'a Server) -> Self {
        Self {
            server,
            cpu_us: server.cpu_us(),
            since: Instant::now(),
        }
    }

    /// Began when the server was started, at `since`.
    #[must_use]
    pub const fn of_whole_life(server: &'a Server, since: Instant) -> Self {
        Self {
            server,
            cpu_us: 0.0,
            since,
        }
    }

    /// Ends after `messages`.
    #[must_use]
    pub fn stop(&self, messages: u64) -> Sample {
        let seconds = self.since.elapsed().as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "no run has as many messages as a double has integers"
        )]
        let messages = messages.max(1) as f64;
        Sample {
            rate: messages / seconds,
            cpu_us: (self.server.cpu_us() - self.cpu_us) / messages,
            peak_mib: self.server.peak_mib(),
            ..Sample::default()
        }
    }
}

impl Sample {
    /// Adds what each request waited.
    #[must_use]
    pub fn with_waits(mut self, mut waits: Vec<Duration>) -> Self {
        waits.sort_unstable();
        let at = |share: usize| {
            let wait = waits.get(waits.len().saturating_sub(1) * share / 100);
            wait.map_or(0.0, |w| w.as_secs_f64() * 1e6)
        };
        (self.p50_us, self.p99_us) = (at(50), at(99));
        self
    }
}
