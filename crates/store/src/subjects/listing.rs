//! Subjects in order, those of a filter, and how many messages there are of those that start alike: over all layers.

use std::ops::ControlFlow;
use std::sync::Arc;

use natterjack_subject::Filter;

use super::merged::{Layer, Merged};
use super::run::Cursor;
use super::{Damaged, SubjectState, Subjects, live};

impl Subjects {
    /// Calls `each` for every subject behind `after` that passes `filter`, in order.
    pub(crate) fn for_each(
        &mut self,
        filter: &Filter,
        after: &[u8],
        each: &mut dyn FnMut(&[u8], SubjectState) -> ControlFlow<()>,
    ) -> Result<(), Damaged> {
        if filter.is_literal() {
            if after < filter.as_bytes()
                && let Some(state) = self.get(filter.as_bytes())?
            {
                let _done = each(filter.as_bytes(), state);
            }
            return Ok(());
        }
        self.table.sort();
        let prefix = filter.literal_prefix();
        let from = prefix.max(after);
        if self.frozen.is_none() && self.runs.is_empty() {
            self.for_each_in_table(filter, after, each);
            return Ok(());
        }
        let mut merged = Merged::new(self.layers(from)?);
        let (mut text, mut history) = (Vec::new(), Vec::new());
        while let Some(known) = merged.next(&mut text, &mut history)? {
            if !text.starts_with(prefix) {
                break;
            }
            if let Some(state) = live(known)
                && text.as_slice() > after
                && filter.matches(&text)
                && each(&text, state).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn for_each_in_table(
        &self,
        filter: &Filter,
        after: &[u8],
        each: &mut dyn FnMut(&[u8], SubjectState) -> ControlFlow<()>,
    ) {
        let prefix = filter.literal_prefix();
        for n in self.table.sorted_from(prefix.max(after)) {
            let text = self.table.text(n);
            if !text.starts_with(prefix) {
                break;
            }
            if let Some(state) = live(self.table.known(n))
                && text > after
                && filter.matches(text)
                && each(text, state).is_break()
            {
                break;
            }
        }
    }

    /// All layers from the first text not before `from` on, the newest first.
    fn layers(&self, from: &[u8]) -> Result<Vec<Layer<'_>>, Damaged> {
        let mut layers = vec![Layer::table(
            self.table.rows(),
            self.table.sorted_from(from).collect(),
        )];
        if let Some(frozen) = &self.frozen {
            layers.push(Layer::table(frozen.rows(), frozen.rows().ordered_from(from)));
        }
        for run in self.runs.iter().rev() {
            layers.push(Layer::Run(Cursor::new(Arc::clone(run), from)?));
        }
        Ok(layers)
    }

    /// Messages of the subjects that start with `prefix`.
    pub(crate) fn count_prefix(&mut self, prefix: &[u8]) -> Result<u64, Damaged> {
        self.table.sort();
        let in_table = self.table.sorted_from(prefix);
        let alike = in_table.take_while(|n| self.table.text(*n).starts_with(prefix));
        let mut count: i64 = alike.map(|n| self.table.known(n).gain()).sum();
        count += self.frozen.as_ref().map_or(0, |f| f.rows().gain(prefix));
        for run in &self.runs {
            count += run.gain(prefix)?;
        }
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
