//! Where the records of a segment are read from: plain bytes, in memory or mapped, or blocks that are decoded when read.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::RECORDS_AT;
use super::blocks::Blocks;
use super::pool::Pool;
use crate::disk::DiskFile;
use crate::ids::Seq;

/// The records of a segment.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// The file's bytes as far as they are mapped, or the memory itself.
    Plain(Bytes),
    /// Compressed or encrypted.
    Blocks(Arc<Blocks>),
}

impl Default for Data {
    fn default() -> Self {
        Self::Plain(Bytes::new())
    }
}

impl Data {
    /// The file at `path` that has this content.
    ///
    /// # Errors
    /// When it is encrypted and the store has not its key.
    pub(crate) fn open(
        pool: &Arc<Pool>,
        path: &Path,
        id: (Seq, u32),
        content: Bytes,
    ) -> std::io::Result<Self> {
        if Blocks::are_in(&content) {
            return Ok(Self::Blocks(Arc::new(Blocks::open(pool, path, id, content)?)));
        }
        Ok(Self::Plain(content))
    }

    /// The same without bytes behind `len`: nothing of what a crash may have left there counts. Blocks tell by themselves.
    #[must_use]
    pub(crate) fn up_to(self, len: u64) -> Self {
        match self {
            Self::Plain(mut bytes) => {
                bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
                Self::Plain(bytes)
            }
            Self::Blocks(blocks) => {
                blocks.truncate(len);
                Self::Blocks(blocks)
            }
        }
    }

    /// Makes `records` readable at `at`, whether they are written or not.
    pub(crate) fn extend(&mut self, at: u64, records: &[Bytes]) {
        match self {
            Self::Plain(bytes) => {
                let mut longer = bytes.to_vec();
                longer.resize(usize::try_from(at).unwrap_or(0), 0);
                records.iter().for_each(|r| longer.extend_from_slice(r));
                *bytes = longer.into();
            }
            Self::Blocks(blocks) => blocks.hold(at, records),
        }
    }

    /// What lies at `at`, at least up to the end of the record there.
    pub(crate) fn from(&self, at: usize) -> Option<Bytes> {
        match self {
            Self::Plain(bytes) => (at < bytes.len()).then(|| bytes.slice(at..)),
            Self::Blocks(blocks) => blocks.get(at as u64),
        }
    }

    /// Runs of records, with the place of each.
    pub(crate) fn runs(&self) -> Box<dyn Iterator<Item = (u64, Bytes)> + '_> {
        match self {
            Self::Plain(bytes) => {
                let start = usize::try_from(RECORDS_AT).unwrap_or(0).min(bytes.len());
                Box::new(std::iter::once((RECORDS_AT, bytes.slice(start..))))
            }
            Self::Blocks(blocks) => Box::new(blocks.runs()),
        }
    }

    /// Goes over to another mapping of the same file, of which no page has been read. Stays with this one if there is none.
    pub(crate) fn map_anew(&mut self, file: &dyn DiskFile) {
        match self {
            Self::Plain(bytes) => {
                if let Ok(anew) = file.map(bytes.len()) {
                    *bytes = anew;
                }
            }
            Self::Blocks(blocks) => blocks.map_anew(file),
        }
    }

    /// The place behind the last byte.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Self::Plain(bytes) => bytes.len() as u64,
            Self::Blocks(blocks) => blocks.end(),
        }
    }

    /// The blocks, if it has any.
    pub(crate) fn blocks(&self) -> Option<Arc<Blocks>> {
        match self {
            Self::Plain(_) => None,
            Self::Blocks(blocks) => Some(Arc::clone(blocks)),
        }
    }

    /// Bytes of memory that it takes to find records in it.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Blocks(blocks) => blocks.memory_bytes(),
        }
    }

    /// Whether it is encrypted.
    pub(crate) fn is_sealed(&self) -> bool {
        self.blocks().is_some_and(|blocks| blocks.is_sealed())
    }
}
