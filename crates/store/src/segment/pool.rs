//! What all compressed and encrypted segments of a store share, and how a file of them is encrypted.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::SEALED_MAGIC;
use super::bulk::Bulk;
use super::cache::BlockCache;
use super::index::Opened;
use crate::damage::Damage;
use crate::seal::{self, FILE_KEY_BYTES, FileKey, Sealer, Vault};

/// What all segments of a store share.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// The store's key, if it is encrypted.
    pub(crate) vault: Option<Arc<Vault>>,
    pub(super) cache: BlockCache,
    pub(super) bulk: Bulk,
    pub(super) opened: Opened,
    pub(super) damage: Arc<Damage>,
    /// Number of the next segment.
    pub(super) next: AtomicU64,
}

impl Pool {
    pub(crate) fn new(vault: Option<Arc<Vault>>, damage: Arc<Damage>) -> Self {
        Self {
            vault,
            damage,
            ..Self::default()
        }
    }

    /// What was found damaged so far.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.damage.reports()
    }
}

/// Salt or key of a file, as its blocks carry it.
#[derive(Debug, Clone)]
pub(super) struct Seal {
    pub(super) key: [u8; FILE_KEY_BYTES],
    pub(super) sealer: Option<Arc<Sealer>>,
}

impl Seal {
    /// For a new file.
    pub(super) fn begin(pool: &Pool, path: &Path) -> io::Result<Self> {
        let Some(vault) = &pool.vault else {
            let key = FileKey::salt_only()?;
            return Ok(Self { key, sealer: None });
        };
        let (key, sealer) = vault.begin(&seal::purpose(SEALED_MAGIC, path))?;
        Ok(Self {
            key: key.to_bytes(),
            sealer: Some(Arc::new(sealer)),
        })
    }

    /// As found in the file.
    pub(super) fn open(pool: &Pool, path: &Path, key: [u8; FILE_KEY_BYTES]) -> io::Result<Self> {
        let Some(known) = FileKey::from_bytes(&key) else {
            return Ok(Self { key, sealer: None });
        };
        let purpose = seal::purpose(SEALED_MAGIC, path);
        let Some(sealer) = pool.vault.as_ref().and_then(|v| v.open(&known, &purpose)) else {
            let text = format!(
                "{} is encrypted with a key that KEYS does not hold",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        };
        Ok(Self {
            key,
            sealer: Some(Arc::new(sealer)),
        })
    }
}
