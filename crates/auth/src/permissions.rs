//! What a user may publish and subscribe to. One place for every rule: allowed is what some allow entry covers (or no
//! allow list exists) and no deny entry touches.

use natterjack_subject::{Filter, SubjectError, collides, is_subset};

/// Allowed and denied subjects of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectRules {
    /// What is allowed; `None` allows everything.
    pub allow: Option<Vec<Rule>>,
    /// What is denied.
    pub deny: Vec<Rule>,
}

/// One entry: a subject, for subscriptions optionally with a queue group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Subjects it covers.
    pub subject: Filter,
    /// Queue groups it covers; `None` is an entry for plain subscriptions (which covers queue groups as well).
    pub queue: Option<Filter>,
}

impl Rule {
    /// Reads `subject` or `subject queue`.
    ///
    /// # Errors
    /// [`SubjectError`] when either part is not valid.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        let mut parts = text.split_whitespace();
        let subject = Filter::parse(parts.next().unwrap_or_default().as_bytes())?;
        let queue = parts.next().map(|q| Filter::parse(q.as_bytes())).transpose()?;
        if parts.next().is_some() {
            return Err(SubjectError::Invalid);
        }
        Ok(Self { subject, queue })
    }
}

/// Permission to answer requests that were delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseRules {
    /// Replies to one request; negative is unlimited.
    pub max: i64,
    /// How long a request may be answered, nanoseconds; negative is for ever.
    pub expires_ns: i64,
}

impl Default for ResponseRules {
    /// One reply within two minutes.
    fn default() -> Self {
        Self {
            max: 1,
            expires_ns: 120_000_000_000,
        }
    }
}

/// All a user may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Publishing.
    pub publish: SubjectRules,
    /// Subscribing.
    pub subscribe: SubjectRules,
    /// Answering.
    pub responses: Option<ResponseRules>,
}

/// What is said of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeVerdict {
    /// Allowed.
    Allowed,
    /// Allowed, but messages on denied subjects must be kept from it.
    Filtered,
    /// Denied.
    Denied,
}

impl Permissions {
    /// Whether the literal `subject` may be published to.
    #[must_use]
    pub fn can_publish(&self, subject: &[u8]) -> bool {
        let rules = &self.publish;
        let allowed = rules
            .allow
            .as_ref()
            .is_none_or(|list| list.iter().any(|r| r.subject.matches(subject)));
        allowed && !rules.deny.iter().any(|r| r.subject.matches(subject))
    }

    /// Whether `subject` may be subscribed to, in `queue` if given.
    #[must_use]
    pub fn can_subscribe(&self, subject: &[u8], queue: Option<&[u8]>) -> SubscribeVerdict {
        let rules = &self.subscribe;
        if let Some(allow) = &rules.allow
            && !allowed_by(allow, subject, queue)
        {
            return SubscribeVerdict::Denied;
        }
        if denied_by(&rules.deny, subject, queue) {
            return SubscribeVerdict::Denied;
        }
        let touched = rules
            .deny
            .iter()
            .any(|r| concerns(r, queue) && collides(r.subject.as_bytes(), subject));
        if touched {
            SubscribeVerdict::Filtered
        } else {
            SubscribeVerdict::Allowed
        }
    }

    /// Whether a message on the literal `subject` may reach a filtered subscription in `queue`.
    #[must_use]
    pub fn can_deliver(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        !denied_by(&self.subscribe.deny, subject, queue)
    }
}

/// Whether a deny entry speaks of subscriptions in `queue`.
fn concerns(rule: &Rule, queue: Option<&[u8]>) -> bool {
    match (&rule.queue, queue) {
        (None, _) => true,
        (Some(wanted), Some(queue)) => is_subset(queue, wanted.as_bytes()),
        (Some(_), None) => false,
    }
}

/// Queue entries that cover the subject decide for subscriptions in a queue group; plain entries decide otherwise.
fn allowed_by(rules: &[Rule], subject: &[u8], queue: Option<&[u8]>) -> bool {
    let covering = || rules.iter().filter(|r| is_subset(subject, r.subject.as_bytes()));
    if let Some(queue) = queue
        && covering().any(|r| r.queue.is_some())
    {
        return covering().any(|r| r.queue.as_ref().is_some_and(|q| is_subset(queue, q.as_bytes())));
    }
    covering().any(|r| r.queue.is_none())
}

/// Any entry that covers the subject denies, a queue entry only its queue groups. A plain entry is never overruled.
fn denied_by(rules: &[Rule], subject: &[u8], queue: Option<&[u8]>) -> bool {
    rules
        .iter()
        .any(|r| is_subset(subject, r.subject.as_bytes()) && concerns(r, queue))
}

#[cfg(test)]
mod tests;
