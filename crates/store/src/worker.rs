//! A thread that does the store's unhurried work: copying records to segments, sealing, compacting, checkpoints. Jobs run
//! one after the other in the order they were given.

use std::sync::Arc;
use std::sync::mpsc;

use parking_lot::Mutex;

type Job = Box<dyn FnOnce() + Send>;

/// Where a job leaves its outcome.
#[derive(Debug)]
pub(crate) struct Outcome<T>(Arc<Mutex<Option<T>>>);

impl<T> Outcome<T> {
    /// The outcome, once the job has ended. Gives it away.
    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().take()
    }
}

#[derive(Debug)]
pub(crate) struct Worker {
    sender: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Worker {
    pub(crate) fn start() -> std::io::Result<Self> {
        // unbounded: every stream has a few jobs in flight at most, and waits for them before it gives more.
        let (sender, receiver) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || {
            for job in receiver {
                job();
            }
        })?;
        Ok(Self {
            sender: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues `job`.
    pub(crate) fn submit<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
        let slot = Arc::new(Mutex::new(None));
        let result = Arc::clone(&slot);
        let job: Job = Box::new(move || {
            let outcome = job();
            *result.lock() = Some(outcome);
        });
        if let Some(sender) = &*self.sender.lock() {
            let _ended = sender.send(job);
        }
        Outcome(slot)
    }

    /// Waits until all jobs given so far have ended.
    pub(crate) fn drain(&self) {
        let (sender, receiver) = mpsc::sync_channel::<()>(1);
        let _slot = self.submit(move || {
            let _gone = sender.send(());
        });
        let _ended = receiver.recv();
    }

    pub(crate) fn stop(&self) {
        drop(self.sender.lock().take());
        let thread = self.thread.lock().take();
        // What runs on the thread may hold the last reference to all this; it ends by itself then.
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}
