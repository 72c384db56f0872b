//! Bytes that several streams may hold together: those of an account, those of the server. Each stream counts what it holds
//! and what is on its way to it; all of them see the sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use natterjack_jsapi::ApiError;

/// A limit with what is used of it.
#[derive(Debug)]
pub struct Usage {
    used: AtomicU64,
    /// [`u64::MAX`] is no limit.
    max: AtomicU64,
    error: ApiError,
    /// Whether the message that crosses it is still taken.
    lets_cross: bool,
}

impl Usage {
    /// A limit of `max` bytes, or none; `error` is what a publisher hears beyond it.
    #[must_use]
    pub fn new(max: Option<u64>, error: ApiError) -> Self {
        Self {
            used: AtomicU64::new(0),
            max: AtomicU64::new(bound(max)),
            error,
            lets_cross: false,
        }
    }

    /// The same, but the message that crosses it is still taken: so the peer counts what all accounts hold together.
    #[must_use]
    pub const fn crossed_once(mut self) -> Self {
        self.lets_cross = true;
        self
    }

    /// From here on at most `max` bytes, or any number. What is there already stays, even if it is more.
    pub fn limit(&self, max: Option<u64>) {
        self.max.store(bound(max), Ordering::Relaxed);
    }

    /// The most that it may be; [`u64::MAX`] is no limit.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

fn bound(max: Option<u64>) -> u64 {
    max.unwrap_or(u64::MAX)
}

/// What one stream takes of the limits it stands under. Given back when it is dropped.
#[derive(Debug, Default)]
pub struct Charge {
    limits: Vec<Arc<Usage>>,
    charged: u64,
}

impl Charge {
    /// Nothing yet, under `limits`, the first of which is looked at first.
    #[must_use]
    pub const fn new(limits: Vec<Arc<Usage>>) -> Self {
        Self { limits, charged: 0 }
    }

    /// Whether so many bytes more are allowed.
    ///
    /// # Errors
    /// Of the first limit that is in the way.
    pub fn check(&self, more: u64) -> Result<(), ApiError> {
        for limit in &self.limits {
            let more = if limit.lets_cross { 0 } else { more };
            if limit.used().saturating_add(more) > limit.max() {
                return Err(limit.error.clone());
            }
        }
        Ok(())
    }

    /// The stream takes so many bytes more.
    pub fn add(&mut self, more: u64) {
        for limit in &self.limits {
            limit.used.fetch_add(more, Ordering::Relaxed);
        }
        self.charged = self.charged.saturating_add(more);
    }

    /// The stream takes `bytes` now.
    pub fn set(&mut self, bytes: u64) {
        for limit in &self.limits {
            if bytes >= self.charged {
                limit.used.fetch_add(bytes - self.charged, Ordering::Relaxed);
            } else {
                limit.used.fetch_sub(self.charged - bytes, Ordering::Relaxed);
            }
        }
        self.charged = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use natterjack_jsapi::errors;

    use super::*;

    #[test]
    fn streams_share_what_there_is() {
        let account = Arc::new(Usage::new(Some(100), errors::ACCOUNT_RESOURCES_EXCEEDED));
        let server = Arc::new(Usage::new(Some(150), errors::INSUFFICIENT_RESOURCES));
        let mut one = Charge::new(vec![Arc::clone(&account), Arc::clone(&server)]);
        let mut other = Charge::new(vec![Arc::clone(&server)]);
        one.set(60);
        assert_eq!(one.check(40), Ok(()));
        assert_eq!(one.check(41), Err(errors::ACCOUNT_RESOURCES_EXCEEDED));
        other.set(80);
        assert_eq!(one.check(11), Err(errors::INSUFFICIENT_RESOURCES));
        drop(other);
        one.set(10);
        assert_eq!((account.used(), server.used()), (10, 10));
    }

    #[test]
    fn a_limit_that_changes_holds_for_what_is_held_already() {
        let account = Arc::new(Usage::new(Some(100), errors::ACCOUNT_RESOURCES_EXCEEDED));
        let mut one = Charge::new(vec![Arc::clone(&account)]);
        one.set(60);
        account.limit(Some(50));
        assert_eq!(one.check(0), Err(errors::ACCOUNT_RESOURCES_EXCEEDED));
        one.set(40);
        assert_eq!(one.check(10), Ok(()));
        account.limit(None);
        assert_eq!(one.check(1 << 40), Ok(()));
    }
}
