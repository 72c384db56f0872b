//! How much was asked for and has not come, and when to ask for more. Counts only; what is said to the server is not its
//! business.

use super::ConsumeOptions;
use super::signal::Over;
use crate::jetstream::error::PullError;

/// So many messages of so many bytes together. Without a limit in bytes the bytes are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// What a continuous pull wants and has asked for.
#[derive(Debug)]
pub(super) struct Demand {
    most: Amount,
    low: Amount,
    out: Amount,
    weighed: bool,
}

impl Demand {
    /// Of what the options say; none of it is asked for yet.
    pub(super) fn new(options: &ConsumeOptions) -> Result<Self, PullError> {
        let most = Amount {
            messages: options.max_messages,
            bytes: options.max_bytes.unwrap_or(0),
        };
        let low = Amount {
            messages: options.threshold_messages.unwrap_or(most.messages / 2),
            bytes: options.threshold_bytes.unwrap_or(most.bytes / 2),
        };
        let invalid = |text: &str| Err(PullError::Invalid(text.into()));
        if most.messages == 0 || options.max_bytes == Some(0) {
            return invalid("a batch of none");
        }
        if low.messages >= most.messages || (low.bytes > 0 && low.bytes >= most.bytes) {
            return invalid("a threshold must be below what it is the threshold of");
        }
        Ok(Self {
            most,
            low,
            out: Amount::default(),
            weighed: options.max_bytes.is_some(),
        })
    }

    /// What to ask for now, if there is enough to ask for.
    pub(super) fn more(&self) -> Option<Amount> {
        let low =
            self.out.messages <= self.low.messages || (self.weighed && self.out.bytes <= self.low.bytes);
        let more = Amount {
            messages: self.most.messages.saturating_sub(self.out.messages),
            bytes: self.most.bytes.saturating_sub(self.out.bytes),
        };
        // A pull without a byte left would count as one without a limit.
        (low && more.messages > 0 && (more.bytes > 0 || !self.weighed)).then_some(more)
    }

    /// So much was asked for.
    pub(super) const fn asked(&mut self, more: Amount) {
        self.out.messages = self.out.messages.saturating_add(more.messages);
        self.out.bytes = self.out.bytes.saturating_add(more.bytes);
    }

    /// A message of so many bytes came.
    pub(super) const fn came(&mut self, bytes: usize) {
        self.out.messages = self.out.messages.saturating_sub(1);
        self.out.bytes = self.out.bytes.saturating_sub(bytes);
    }

    /// So many messages will not come, and how large they are nobody knows.
    pub(super) const fn lost(&mut self, messages: usize) {
        self.out.messages = self.out.messages.saturating_sub(messages);
        self.out.bytes = 0;
    }

    /// A pull ended.
    pub(super) fn over(&mut self, over: &Over) {
        let left = |out: usize, undelivered: Option<usize>| out.saturating_sub(undelivered.unwrap_or(out));
        self.out.messages = left(self.out.messages, over.messages);
        self.out.bytes = left(self.out.bytes, over.bytes);
    }

    /// Whether a pull that ended like this had all there is to ask for, so that asking again would end the same way.
    pub(super) fn is_hopeless(&self, over: &Over) -> bool {
        over.too_large && over.bytes.is_none_or(|bytes| bytes >= self.most.bytes)
    }

    /// Nothing that was asked for will come.
    pub(super) fn forget(&mut self) {
        self.out = Amount::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(messages: usize, bytes: usize) -> Amount {
        Amount { messages, bytes }
    }

    #[test]
    fn more_is_asked_for_at_the_threshold() {
        let options = ConsumeOptions {
            max_messages: 10,
            threshold_messages: Some(3),
            ..ConsumeOptions::default()
        };
        let mut demand = Demand::new(&options).unwrap();
        assert_eq!(demand.more(), Some(amount(10, 0)));
        demand.asked(amount(10, 0));
        for _ in 0..6 {
            demand.came(100);
            assert_eq!(demand.more(), None);
        }
        demand.came(100);
        assert_eq!(demand.more(), Some(amount(7, 0)));
        demand.asked(amount(7, 0));
        demand.over(&Over {
            messages: Some(3),
            ..Over::default()
        });
        assert_eq!((demand.more(), demand.out), (None, amount(7, 0)));
        demand.forget();
        assert_eq!(demand.more(), Some(amount(10, 0)));
    }

    #[test]
    fn bytes_have_a_threshold_of_their_own() {
        let options = ConsumeOptions {
            max_messages: 100,
            max_bytes: Some(1000),
            ..ConsumeOptions::default()
        };
        let mut demand = Demand::new(&options).unwrap();
        demand.asked(demand.more().unwrap());
        demand.came(499);
        assert_eq!(demand.more(), None);
        demand.came(1);
        assert_eq!(demand.more(), Some(amount(2, 500)));
        let over = Over {
            messages: Some(98),
            bytes: Some(500),
            too_large: true,
        };
        assert!(!demand.is_hopeless(&over));
        demand.over(&over);
        assert_eq!(demand.more(), Some(amount(100, 1000)));
        assert!(demand.is_hopeless(&Over {
            bytes: Some(1000),
            ..over
        }));
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused() {
        let options = ConsumeOptions::default;
        for wrong in [
            ConsumeOptions {
                max_messages: 0,
                ..options()
            },
            ConsumeOptions {
                max_bytes: Some(0),
                ..options()
            },
            ConsumeOptions {
                threshold_messages: Some(500),
                ..options()
            },
            ConsumeOptions {
                max_bytes: Some(9),
                threshold_bytes: Some(9),
                ..options()
            },
            ConsumeOptions {
                threshold_bytes: Some(9),
                ..options()
            },
        ] {
            assert!(
                matches!(Demand::new(&wrong), Err(PullError::Invalid(_))),
                "{wrong:?}"
            );
        }
    }
}
