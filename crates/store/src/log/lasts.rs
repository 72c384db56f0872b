//! The last message of a subject, and of each subject that passes a filter, in memory that does not grow with their number.

use std::borrow::Cow;
use std::ops::ControlFlow;

use natterjack_subject::{Filter, FilterSet};

use super::StreamLog;
use crate::ids::Seq;
use crate::subjects::SubjectState;
use crate::traits::TooMany;

/// Subjects whose last message is looked for together.
const UNSURE_MAX: usize = 256;

/// How far a walk over last messages came.
#[derive(Default)]
struct Page {
    /// Subjects whose last message has to be looked for.
    unsure: Vec<Vec<u8>>,
    /// Where to go on, unless that was all.
    after: Option<Vec<u8>>,
    /// No more are wanted.
    is_enough: bool,
}

impl StreamLog {
    /// The oldest message of a literal subject.
    pub(super) fn first_of_subject(&self, subject: &[u8]) -> Option<Seq> {
        if let Some(oldest) = self.subjects.oldest(subject) {
            return Some(oldest);
        }
        let state = self.subject(subject)?;
        let filter = FilterSet::new(vec![Filter::parse(subject).ok()?]);
        self.find_next(&filter, state.first_bound).map(|m| m.seq())
    }

    pub(super) fn last_of_subject(&mut self, subject: &[u8]) -> Option<Seq> {
        let state = self.subject(subject)?;
        if !state.last_stale {
            return Some(state.last);
        }
        let filter = FilterSet::new(vec![Filter::parse(subject).ok()?]);
        let last = self.find_last(&filter, state.last)?;
        self.set_last_of_subject(subject, last);
        Some(last)
    }

    pub(super) fn last_of_each(
        &mut self,
        filter: &FilterSet,
        up_to: Seq,
        max: usize,
    ) -> Result<Vec<Seq>, TooMany> {
        let mut found = Vec::new();
        self.each_last(filter, up_to, &mut |last| {
            found.push(last);
            if found.len() > max {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if found.len() > max {
            return Err(TooMany);
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Calls `each` with the last message at or before `up_to` of every subject that passes `filter`. However many there
    /// are, only a page of subjects is held: those whose last message has to be looked for.
    pub(super) fn each_last(
        &mut self,
        filter: &FilterSet,
        up_to: Seq,
        each: &mut dyn FnMut(Seq) -> ControlFlow<()>,
    ) {
        for n in 0..filters_of(filter).len() {
            let mut after = Some(Vec::new());
            while let Some(behind) = after {
                let page = self.page_of_lasts((filter, n), &behind, up_to, each);
                let mut lasts = page.unsure.iter().filter_map(|s| self.last_before(s, up_to));
                if page.is_enough || lasts.any(|last| each(last).is_break()) {
                    return;
                }
                after = page.after;
            }
        }
    }

    /// Calls `each` for the subjects behind `behind` that the n-th filter is the first to let pass, as long as few of them
    /// have to be looked for.
    fn page_of_lasts(
        &mut self,
        (filter, n): (&FilterSet, usize),
        behind: &[u8],
        up_to: Seq,
        each: &mut dyn FnMut(Seq) -> ControlFlow<()>,
    ) -> Page {
        let mut page = Page::default();
        self.each_subject_once(filter, n, behind, &mut |text, state| {
            if !state.last_stale && state.last <= up_to {
                page.is_enough = each(state.last).is_break();
            } else {
                page.unsure.push(text.to_vec());
                page.after = (page.unsure.len() == UNSURE_MAX).then(|| text.to_vec());
            }
            if page.is_enough || page.after.is_some() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        page
    }

    /// The last message of `subject` at or before `up_to`.
    fn last_before(&mut self, subject: &[u8], up_to: Seq) -> Option<Seq> {
        if up_to >= self.last() {
            return self.last_of_subject(subject);
        }
        self.find_last(&FilterSet::new(vec![Filter::parse(subject).ok()?]), up_to)
    }

    /// Calls `each` for subjects behind `after` that pass the n-th filter and none before it, in order: with all filters,
    /// every subject comes once.
    pub(super) fn each_subject_once(
        &mut self,
        filter: &FilterSet,
        n: usize,
        after: &[u8],
        each: &mut dyn FnMut(&[u8], SubjectState) -> ControlFlow<()>,
    ) {
        let filters = filters_of(filter);
        self.each_subject_behind(&filters[n], after, &mut |text, state| {
            if filters[..n].iter().any(|earlier| earlier.matches(text)) {
                return ControlFlow::Continue(());
            }
            each(text, state)
        });
    }
}

/// The filters of a set, the one that lets all pass if there is none.
fn filters_of(filter: &FilterSet) -> Cow<'_, [Filter]> {
    if filter.is_all() {
        return Cow::Owned(vec![Filter::all()]);
    }
    Cow::Borrowed(filter.filters())
}
