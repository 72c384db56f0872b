//! A subscription: who listens on what, and where its messages go. Holds no rule of routing.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use natterjack_subject::sublist::Subscriber;

use super::lane::Lane;
use super::message::Routed;
use crate::conn::Conn;

/// Something inside the server that takes messages.
pub(crate) trait Service: Send + Sync + Debug {
    /// Takes `message`, or says that nobody is there for it. Called from the publisher's task: must not wait.
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool;

    /// Takes a message whose trace the lane holds, when the service has something to say to the trace itself.
    fn on_traced(&self, _message: &Routed<'_>, _lane: &mut Lane) -> Option<bool> {
        None
    }
}

/// Where messages go.
#[derive(Debug)]
pub(crate) enum Target {
    /// A connection.
    Client(Arc<Conn>),
    /// The server itself.
    Service(Arc<dyn Service>),
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Sub {
    /// Unique in the server.
    pub(crate) id: u64,
    /// Subject or filter.
    pub(crate) subject: Box<[u8]>,
    /// Queue group.
    pub(crate) queue: Option<Box<[u8]>>,
    /// The client's name for it.
    pub(crate) sid: Box<[u8]>,
    /// Where its messages go.
    pub(crate) target: Target,
    /// Deliveries after which it ends; 0 never.
    pub(crate) max: AtomicU64,
    /// Deliveries so far.
    pub(crate) delivered: AtomicU64,
    /// Whether some of what matches must be kept from it.
    pub(crate) filtered: AtomicBool,
    /// Whether it has ended.
    pub(crate) closed: AtomicBool,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Sub {
    /// A subscription of a connection.
    pub(crate) fn client(
        conn: &Arc<Conn>,
        subject: &[u8],
        queue: Option<&[u8]>,
        sid: &[u8],
        filtered: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            sid: sid.into(),
            queue: queue.map(Into::into),
            filtered: AtomicBool::new(filtered),
            ..Self::to(subject, Target::Client(Arc::clone(conn)))
        })
    }

    /// A subscription of the server itself.
    pub(crate) fn service(subject: &[u8], service: Arc<dyn Service>) -> Arc<Self> {
        Arc::new(Self::to(subject, Target::Service(service)))
    }

    /// The same as a member of a queue group.
    pub(crate) fn queue_service(subject: &[u8], queue: &[u8], service: Arc<dyn Service>) -> Arc<Self> {
        Arc::new(Self {
            queue: Some(queue.into()),
            ..Self::to(subject, Target::Service(service))
        })
    }

    fn to(subject: &[u8], target: Target) -> Self {
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            subject: subject.into(),
            queue: None,
            sid: Box::default(),
            target,
            max: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            filtered: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// The connection behind it, if there is one.
    pub(crate) const fn conn(&self) -> Option<&Arc<Conn>> {
        match &self.target {
            Target::Client(conn) => Some(conn),
            Target::Service(_) => None,
        }
    }

    /// Whether it has had all the messages it asked for.
    pub(crate) fn is_exhausted(&self) -> bool {
        let max = self.max.load(Ordering::Relaxed);
        max > 0 && self.delivered.load(Ordering::Relaxed) >= max
    }
}

/// Handle of a subscription in a routing table.
#[derive(Debug, Clone)]
pub(crate) struct SubRef(pub(crate) Arc<Sub>);

impl Subscriber for SubRef {
    type Id = u64;

    fn id(&self) -> u64 {
        self.0.id
    }

    fn subject(&self) -> &[u8] {
        &self.0.subject
    }

    fn queue(&self) -> Option<&[u8]> {
        self.0.queue.as_deref()
    }
}
