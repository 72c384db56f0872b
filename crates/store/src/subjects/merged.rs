//! Several layers read as one, in order: of a subject in more than one, the newest says how it is.

use super::Damaged;
use super::block::Known;
use super::rows::Rows;
use super::run::Cursor;

/// A layer being read.
#[derive(Debug)]
pub(super) enum Layer<'a> {
    Table {
        table: &'a Rows,
        /// What is left, the next at the end.
        rest: Vec<u32>,
    },
    Run(Cursor),
}

impl<'a> Layer<'a> {
    /// `table`, from the first of the ordered entries on.
    pub(super) fn table(table: &'a Rows, mut ordered: Vec<u32>) -> Self {
        ordered.reverse();
        Self::Table { table, rest: ordered }
    }

    fn history(&self) -> &[u8] {
        match self {
            Self::Table { table, rest } => rest.last().map_or(&[], |n| table.history(*n)),
            Self::Run(cursor) => cursor.history(),
        }
    }

    fn at(&self) -> Option<(&[u8], Known)> {
        match self {
            Self::Table { table, rest } => rest.last().map(|n| (table.text(*n), table.known(*n))),
            Self::Run(cursor) => cursor.known.map(|known| (cursor.text.as_slice(), known)),
        }
    }

    fn advance(&mut self) -> Result<(), Damaged> {
        match self {
            Self::Table { rest, .. } => {
                rest.pop();
                Ok(())
            }
            Self::Run(cursor) => cursor.advance(),
        }
    }
}

/// Layers read together.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    /// The newest first.
    layers: Vec<Layer<'a>>,
}

impl<'a> Merged<'a> {
    pub(super) const fn new(newest_first: Vec<Layer<'a>>) -> Self {
        Self { layers: newest_first }
    }

    /// The next subject: its text into `text`, its history into `history`, what the newest layer says of it, and as [`Known::below`] what the oldest
    /// that has it takes the place of.
    pub(super) fn next(
        &mut self,
        text: &mut Vec<u8>,
        history: &mut Vec<u8>,
    ) -> Result<Option<Known>, Damaged> {
        text.clear();
        history.clear();
        let mut first: Option<&[u8]> = None;
        for (found, _) in self.layers.iter().filter_map(Layer::at) {
            if first.is_none_or(|first| found < first) {
                first = Some(found);
            }
        }
        let Some(first) = first else { return Ok(None) };
        text.extend_from_slice(first);
        let mut merged: Option<Known> = None;
        for layer in &mut self.layers {
            let Some(known) = layer.at().filter(|(t, _)| *t == text.as_slice()).map(|at| at.1) else {
                continue;
            };
            if merged.is_none() {
                history.extend_from_slice(layer.history());
            }
            merged = Some(Known {
                below: known.below,
                state: merged.map_or(known.state, |m| m.state),
            });
            layer.advance()?;
        }
        Ok(merged)
    }
}
