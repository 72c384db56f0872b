//! A bounded way into a task from many others: what arrives is taken as a whole. Producers beyond the bound are asked to
//! wait, by their own task, behind what they are at: nothing that was accepted from a socket is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A producer that was notified in vain looks again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Tells producers when to wait.
#[derive(Debug)]
pub(crate) struct Gate {
    bytes: AtomicUsize,
    limit: usize,
    opened: Notify,
    closed: AtomicBool,
}

impl Gate {
    /// Whether producers should wait.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.limit && !self.closed.load(Ordering::Relaxed)
    }

    /// Waits until there is room again.
    pub(crate) async fn wait(&self) {
        while self.is_full() {
            let _either = tokio::time::timeout(LOOK_AGAIN, self.opened.notified()).await;
        }
    }
}

/// What a mailbox holds.
pub(crate) trait Pile: Default {
    /// Whether nothing is there.
    fn is_empty(&self) -> bool;
}

/// A mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox<P> {
    pile: Mutex<P>,
    arrived: Notify,
    /// For producers.
    pub(crate) gate: Arc<Gate>,
}

impl<P: Pile> Mailbox<P> {
    /// An empty mailbox whose producers wait beyond `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            pile: Mutex::new(P::default()),
            arrived: Notify::new(),
            gate: Arc::new(Gate {
                bytes: AtomicUsize::new(0),
                limit,
                opened: Notify::new(),
                closed: AtomicBool::new(false),
            }),
        }
    }

    /// Lets `add` put something of `bytes` in. Returns whether the producer should wait before the next.
    pub(crate) fn push(&self, bytes: usize, add: impl FnOnce(&mut P)) -> bool {
        let (first, held) = {
            let mut pile = self.pile.lock();
            if self.gate.closed.load(Ordering::Relaxed) {
                drop(pile);
                // Whoever waits for what comes of it hears that nothing does.
                add(&mut P::default());
                return false;
            }
            let first = pile.is_empty();
            add(&mut pile);
            // Counted before anybody can take it: what is settled was always counted first.
            let before = self.gate.bytes.fetch_add(bytes, Ordering::Relaxed);
            (first, before.saturating_add(bytes))
        };
        if first {
            self.arrived.notify_one();
        }
        held > self.gate.limit
    }

    /// Takes everything by exchanging it for `empty`.
    pub(crate) fn take(&self, empty: &mut P) {
        std::mem::swap(&mut *self.pile.lock(), empty);
    }

    /// What was taken has been dealt with: `bytes` are free again.
    pub(crate) fn settle(&self, bytes: usize) {
        let before = self.gate.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if before > self.gate.limit && before - bytes <= self.gate.limit {
            self.gate.opened.notify_waiters();
        }
    }

    /// Nobody will take anything any more: what is there and what still comes is dropped, and producers need not wait.
    pub(crate) fn close(&self) {
        let left = {
            let mut pile = self.pile.lock();
            self.gate.closed.store(true, Ordering::Relaxed);
            std::mem::take(&mut *pile)
        };
        drop(left);
        self.gate.opened.notify_waiters();
    }

    /// Waits until something is there.
    pub(crate) async fn arrived(&self) {
        while self.pile.lock().is_empty() {
            self.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Weights(Vec<usize>);

    impl Pile for Weights {
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    #[derive(Debug, Default)]
    struct Senders(Vec<std::sync::mpsc::Sender<()>>);

    impl Pile for Senders {
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    #[test]
    fn who_waits_at_a_closed_mailbox_is_let_go() {
        let mailbox = Mailbox::<Senders>::new(1);
        let put = || {
            let (sender, receiver) = std::sync::mpsc::channel();
            (mailbox.push(2, |p| p.0.push(sender)), receiver)
        };
        let (waits, before) = put();
        mailbox.close();
        let (waits_still, after) = put();
        assert!(waits && !waits_still && !mailbox.gate.is_full());
        assert!(before.recv().is_err() && after.recv().is_err());
    }

    #[test]
    fn what_is_taken_at_once_was_counted() {
        const EACH: usize = 200_000;
        let mailbox = Arc::new(Mailbox::<Weights>::new(usize::MAX));
        let producers: Vec<_> = (0..2)
            .map(|_| {
                let mailbox = Arc::clone(&mailbox);
                std::thread::spawn(move || {
                    (0..EACH).for_each(|_| {
                        mailbox.push(7, |p| p.0.push(7));
                    })
                })
            })
            .collect();
        let mut taken = 0;
        let mut pile = Weights::default();
        while taken < 2 * EACH
            && !(producers.iter().all(|p| p.is_finished()) && mailbox.pile.lock().is_empty())
        {
            mailbox.take(&mut pile);
            taken += pile.0.len();
            let bytes = pile.0.drain(..).sum();
            mailbox.settle(bytes);
        }
        assert!(
            producers.into_iter().all(|p| p.join().is_ok()),
            "no producer may fail"
        );
        assert_eq!((taken, mailbox.gate.bytes.load(Ordering::Relaxed)), (2 * EACH, 0));
    }
}
