//! STREAM.NAMES and STREAM.LIST.

use std::sync::Arc;

use natterjack_jsapi::request::StreamList;
use natterjack_jsapi::response::{self, Page};
use natterjack_subject::collides;

use super::{Desk, Request};
use crate::clock;
use crate::jetstream::stream::Stream;

/// Names of a page.
const NAMES_MAX: u64 = 1024;
/// Streams of a page.
const STREAMS_MAX: u64 = 256;

/// The part of `all` that begins at `offset`.
pub(super) fn page<T: Clone>(all: &[T], offset: i64, limit: u64) -> (Page, Vec<T>) {
    let total = all.len() as u64;
    let offset = u64::try_from(offset).unwrap_or(0).min(total);
    let items = all
        .iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .cloned()
        .collect();
    (Page { total, offset, limit }, items)
}

impl Desk {
    fn matching(&self, wanted: &StreamList) -> Vec<Arc<Stream>> {
        let subject = wanted.subject.as_bytes();
        let keeps = |s: &Arc<Stream>| {
            subject.is_empty()
                || s.config()
                    .subjects
                    .iter()
                    .any(|own| collides(own.as_bytes(), subject))
        };
        self.account.streams().into_iter().filter(keeps).collect()
    }

    fn read_list(&mut self, request: &Request, kind: &str) -> Option<StreamList> {
        let root = if kind == "stream_list_response" {
            "JSApiStreamListRequest"
        } else {
            "JSApiStreamNamesRequest"
        };
        match request.parse(root, self.account.strict()) {
            Ok(wanted) => Some(wanted),
            Err(error) => {
                self.refuse(request, kind, &error);
                None
            }
        }
    }

    pub(super) fn stream_names(&mut self, request: &Request) {
        let kind = "stream_names_response";
        let Some(wanted) = self.read_list(request, kind) else {
            return;
        };
        let all: Vec<String> = self.matching(&wanted).iter().map(|s| s.name.clone()).collect();
        let (at, names) = page(&all, wanted.offset, NAMES_MAX);
        let names = Some(names).filter(|n| !n.is_empty());
        let mut out = Vec::new();
        response::names(&mut out, kind, &at, "streams", names.as_deref());
        self.answer(request, &out);
    }

    pub(super) async fn stream_list(&mut self, request: &Request) {
        let kind = "stream_list_response";
        let Some(wanted) = self.read_list(request, kind) else {
            return;
        };
        let all = self.matching(&wanted);
        let (at, streams) = page(&all, wanted.offset, STREAMS_MAX);
        let mut infos = Vec::with_capacity(streams.len());
        for stream in streams {
            let info = stream.ask(|owner| {
                let mut info = owner.group.info(clock::now());
                info.config = owner.group.stream().config().clone();
                info
            });
            infos.extend(info.await);
        }
        let mut out = Vec::new();
        response::records(&mut out, kind, &at, "streams", &infos);
        self.answer(request, &out);
    }
}
