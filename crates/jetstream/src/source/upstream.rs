//! One origin of a mirror or of a stream with sources: what to ask of it next, and how it is doing. Reaches nobody: the
//! driver carries what is asked to the origin, and what was found back.

use natterjack_jsapi::stream::{ApiErrorJson, SourceInfo, StreamSource};
use natterjack_jsapi::{ApiError, Nanos, errors};
use natterjack_store::{Message, Seq};
use natterjack_subject::transform::Transform;
use natterjack_subject::{Filter, FilterSet};

use super::index_name;
use crate::clock::Now;

/// Between attempts to reach an origin that was not there, nanoseconds.
const RETRY_NS: u64 = 1_000_000_000;
/// The longest time between them.
const RETRY_NS_MAX: u64 = 10_000_000_000;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this sequence, or the first behind it.
    Seq(u64),
    /// At the first message stored at this time or later, nanoseconds.
    Time(i64),
}

/// What is asked of an origin.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The origin as the configuration names it.
    pub source: StreamSource,
    /// Whether a mirror asks.
    pub is_mirror: bool,
    /// Where to begin.
    pub start: Start,
    /// Which messages.
    pub filters: FilterSet,
    /// Whether that is behind what was taken before.
    pub resumes: bool,
    /// Whether this is the first question, or the first since something went wrong.
    pub begins: bool,
    /// Which origin that was; empty if it was never reached.
    pub identity: String,
}

/// What to do next for an origin.
#[derive(Debug, Clone)]
pub enum Next {
    /// Ask it.
    Read(Box<Ask>),
    /// Nothing for so many nanoseconds.
    Wait(u64),
    /// It is not an origin any more.
    Gone,
}

/// What an origin answered.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Where it begins: as it was asked. A page that was asked before something was taken back says otherwise.
    pub start: Option<Start>,
    /// Which origin this is: another after it was deleted and made again.
    pub identity: String,
    /// The last sequence in front of where reading begins there; `None` on a page that goes on.
    pub behind: Option<Seq>,
    /// Messages, in order.
    pub messages: Vec<Message>,
    /// Messages that follow.
    pub pending: u64,
}

/// How far an origin was followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Its last sequence that was taken.
    pub seq: u64,
    /// Which origin that was.
    pub identity: String,
}

/// The driver's side of one origin.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) config: StreamSource,
    pub(crate) key: String,
    pub(crate) is_mirror: bool,
    filters: FilterSet,
    transforms: Vec<(Filter, Option<Transform>)>,
    pub(crate) at: Position,
    /// The last sequence in front of where reading began: what comes later is wanted, whenever it is from.
    began: Option<Seq>,
    /// Its last sequence that was kept: what nobody wanted is not.
    kept: u64,
    lag: u64,
    heard_ns: Option<u64>,
    error: Option<ApiError>,
    fails: u32,
    retry_at: u64,
}

fn filter(subject: &str) -> Filter {
    Filter::parse(subject.as_bytes()).unwrap_or_else(|_| Filter::all())
}

impl Upstream {
    pub(crate) fn new(config: StreamSource, is_mirror: bool, at: Position) -> Self {
        let transforms: Vec<_> = config
            .subject_transforms
            .iter()
            .map(|t| {
                let wanted = if t.dest.is_empty() {
                    None
                } else {
                    Transform::new(&t.src, &t.dest).ok()
                };
                (filter(&t.src), wanted)
            })
            .collect();
        let filters = if transforms.is_empty() {
            FilterSet::new(vec![filter(&config.filter_subject)])
        } else {
            FilterSet::new(transforms.iter().map(|(f, _)| f.clone()).collect())
        };
        Self {
            key: index_name(&config),
            config,
            is_mirror,
            filters,
            transforms,
            at,
            began: None,
            kept: 0,
            lag: 0,
            heard_ns: None,
            error: None,
            fails: 0,
            retry_at: 0,
        }
    }

    /// What to ask next.
    pub(crate) fn ask(&self, now: Now) -> Next {
        if self.retry_at > now.mono_ns {
            return Next::Wait(self.retry_at - now.mono_ns);
        }
        Next::Read(Box::new(Ask {
            source: self.config.clone(),
            is_mirror: self.is_mirror,
            start: self.start(),
            filters: self.filters.clone(),
            resumes: self.at.seq > 0,
            begins: self.heard_ns.is_none() || self.error.is_some(),
            identity: self.at.identity.clone(),
        }))
    }

    fn start(&self) -> Start {
        match (self.config.opt_start_time, self.began) {
            _ if self.at.seq > 0 => Start::Seq(self.at.seq + 1),
            _ if self.config.opt_start_seq > 0 => Start::Seq(self.config.opt_start_seq),
            (Some(_), Some(began)) => Start::Seq(began.next().0),
            (Some(time), None) => Start::Time(time.0),
            (None, _) => Start::Seq(1),
        }
    }

    /// The origin is not there.
    pub(crate) fn on_missing(&mut self, now: Now) {
        self.fail(now, errors::STREAM_NOT_FOUND);
    }

    /// Something went wrong; it is tried again later.
    pub(crate) fn fail(&mut self, now: Now, error: ApiError) {
        self.error = Some(error);
        self.began = None;
        self.fails = self.fails.saturating_add(1);
        let wait = RETRY_NS.saturating_mul(u64::from(self.fails)).min(RETRY_NS_MAX);
        self.retry_at = now.mono_ns.saturating_add(wait);
    }

    /// The origin answered. Returns whether its messages follow what was taken before; if not, reading starts over.
    pub(crate) fn on_page(&mut self, now: Now, page: &Page) -> bool {
        if page.start.is_some_and(|start| start != self.start()) {
            return false;
        }
        self.heard_ns = Some(now.mono_ns);
        self.error = None;
        self.fails = 0;
        self.lag = page.pending + page.messages.len() as u64;
        let follows = self.is_mirror || self.at.identity == page.identity || self.at.identity.is_empty();
        if !follows {
            self.at.seq = 0;
            self.began = None;
        } else if page.behind.is_some() {
            self.began = page.behind;
        }
        if self.at.identity != page.identity {
            self.at.identity.clone_from(&page.identity);
        }
        follows
    }

    /// Reading went on up to `at` before this began.
    pub(crate) fn resume(&mut self, at: Position) {
        self.kept = at.seq;
        self.at = at;
    }

    /// Message `seq` of the origin is dealt with.
    pub(crate) fn took(&mut self, seq: u64, is_kept: bool) {
        self.at.seq = seq;
        if is_kept {
            self.kept = seq;
        }
        self.lag = self.lag.saturating_sub(1);
    }

    /// Whether the origin has hardly anything that is not here.
    pub(crate) fn is_close(&self) -> bool {
        self.heard_ns.is_some() && self.lag < 10
    }

    /// What `subject` is called here, if the origin's transforms say so.
    pub(crate) fn rename(&self, subject: &[u8], random: u64) -> Option<Vec<u8>> {
        let (_, transform) = self.transforms.iter().find(|(f, _)| f.matches(subject))?;
        transform.as_ref()?.apply(subject, &mut || random)
    }

    /// The header that says where a message came from.
    pub(crate) fn source_header(&self, seq: u64, subject: &[u8]) -> String {
        let (name, lists) = self.key.split_once(' ').unwrap_or((&self.key, "> >"));
        let subject = String::from_utf8_lossy(subject);
        let mut header = format!("{name} {seq} {lists} {subject}");
        // An origin of an older server does not say which stream it is.
        if !self.at.identity.is_empty() {
            header.push(' ');
            header.push_str(&self.at.identity);
        }
        header
    }

    /// How it is doing, as the API shows it.
    pub(crate) fn info(&self, now: Now) -> SourceInfo {
        let since = |at: u64| i64::try_from(now.mono_ns.saturating_sub(at)).unwrap_or(i64::MAX);
        SourceInfo {
            name: self.config.name.clone(),
            external: self.config.external.clone(),
            lag: self.lag,
            seq: if self.is_mirror { 0 } else { self.kept },
            active: Nanos(self.heard_ns.map_or(-1, since)),
            error: self.error.as_ref().map(ApiErrorJson::from),
            // The peer shows the filter of a mirror only once it was asked.
            filter_subject: if self.is_mirror && self.heard_ns.is_none() && self.error.is_none() {
                String::new()
            } else {
                self.config.filter_subject.clone()
            },
            subject_transforms: self.config.subject_transforms.clone(),
        }
    }
}

/// Which origin a message came from and how far that was, from its header.
pub(crate) fn parse_source_header(text: &[u8]) -> Option<(String, Position)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split(' ');
    let (name, seq) = (parts.next()?, parts.next()?.parse().ok()?);
    let (filters, destinations, _) = (parts.next()?, parts.next()?, parts.next()?);
    let identity = parts.next().unwrap_or_default().to_owned();
    Some((
        format!("{name} {filters} {destinations}"),
        Position { seq, identity },
    ))
}

#[cfg(test)]
mod tests {
    use natterjack_jsapi::GoTime;

    use super::*;

    fn source(filter: &str) -> StreamSource {
        StreamSource {
            name: "O".into(),
            filter_subject: filter.into(),
            ..StreamSource::default()
        }
    }

    fn start(upstream: &Upstream, now: Now) -> Option<Start> {
        match upstream.ask(now) {
            Next::Read(ask) => Some(ask.start),
            _ => None,
        }
    }

    #[test]
    fn reading_goes_on_behind_what_was_taken() {
        let mut upstream = Upstream::new(source("o.1"), false, Position::default());
        assert_eq!(start(&upstream, Now::at(1)), Some(Start::Seq(1)));
        let page = Page {
            identity: "one".into(),
            pending: 3,
            ..Page::default()
        };
        assert!(upstream.on_page(Now::at(1), &page));
        upstream.took(4, true);
        assert_eq!(start(&upstream, Now::at(2)), Some(Start::Seq(5)));
        let header = upstream.source_header(4, b"o.1");
        assert_eq!(header, "O 4 o.1 > o.1 one");
        let read = parse_source_header(header.as_bytes()).unwrap();
        assert_eq!(read, (upstream.key.clone(), upstream.at.clone()));
        // The origin was made again: it is read from its beginning.
        let page = Page {
            identity: "two".into(),
            ..Page::default()
        };
        assert!(!upstream.on_page(Now::at(3), &page));
        assert_eq!(start(&upstream, Now::at(3)), Some(Start::Seq(1)));
    }

    #[test]
    fn a_start_time_says_only_where_to_begin() {
        let later = StreamSource {
            opt_start_time: Some(GoTime(1_000)),
            ..source("")
        };
        let mut upstream = Upstream::new(later, false, Position::default());
        assert_eq!(start(&upstream, Now::at(1)), Some(Start::Time(1_000)));
        let page = Page {
            behind: Some(Seq(6)),
            ..Page::default()
        };
        assert!(upstream.on_page(Now::at(1), &page));
        assert_eq!(start(&upstream, Now::at(2)), Some(Start::Seq(7)));
        upstream.on_missing(Now::at(2));
        assert_eq!(start(&upstream, Now::at(2 + RETRY_NS)), Some(Start::Time(1_000)));
    }

    #[test]
    fn an_origin_that_is_not_there_is_tried_again_later() {
        let mut upstream = Upstream::new(source(""), false, Position::default());
        upstream.on_missing(Now::at(0));
        assert!(matches!(upstream.ask(Now::at(0)), Next::Wait(RETRY_NS)));
        assert_eq!(start(&upstream, Now::at(RETRY_NS)), Some(Start::Seq(1)));
        let info = upstream.info(Now::at(0));
        assert_eq!((info.active.0, info.error.map(|e| e.err_code)), (-1, Some(10059)));
    }
}
