//! Encryption of what the store writes. The operator's key opens the store's own key (`keys`), and from that every file
//! gets a key of its own (`vault`): changing the operator's key rewrites one small file and nothing else.
//!
//! Whoever writes files of its own into a store calls [`Vault::begin`] for each new file, puts the [`FileKey`] where it
//! will be found again in the clear, and passes every piece (a block of a few kilobytes, say) through [`Sealer::seal`] with
//! the piece's place as `place`: it opens there and nowhere else, with the sealer that [`Vault::open`] makes from the
//! [`FileKey`]. Small files that are written at once go through [`seal_file`] and [`unseal_file`]. Without a key the vault
//! is `None`, and the same two functions write what they are given.

mod keys;
mod vault;

use std::fmt;
use std::io;
use std::path::Path;

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::codec;

pub(crate) use keys::{exist as keys_exist, look as look_at_vault, open as open_vault};
pub(crate) use vault::{FILE_KEY_BYTES, FileKey, SEAL_BYTES, Sealer, Vault};

/// First bytes of an encrypted small file.
const SEALED_MAGIC: [u8; 8] = *b"NJSEAL01";

/// How data is encrypted. Either can be read at any time; what is written uses the one that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cipher {
    /// ChaCha20-Poly1305.
    #[default]
    ChaCha20Poly1305,
    /// AES-256-GCM.
    Aes256Gcm,
}

impl Cipher {
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::ChaCha20Poly1305 => 1,
            Self::Aes256Gcm => 2,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::ChaCha20Poly1305),
            2 => Some(Self::Aes256Gcm),
            _ => None,
        }
    }
}

/// The operator's key: a text of any length. Wiped from memory when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// The key whose text this is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.as_bytes().to_vec()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Settings of encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Opens the store, or will from now on.
    pub key: Key,
    /// Opened it until now, when the key is being changed.
    pub previous: Option<Key>,
    /// For what is written from now on.
    pub cipher: Cipher,
}

/// What a file is, by its place: its folder and its name without ending. Copies of one file are the same.
pub(crate) fn purpose(magic: [u8; 8], path: &Path) -> Vec<u8> {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    let name = path.file_stem().unwrap_or_default();
    let parts = [
        &magic[..],
        folder.as_encoded_bytes(),
        b"/",
        name.as_encoded_bytes(),
    ];
    parts.concat()
}

/// The small file at `path` with `content`, encrypted if there is a vault. It opens at that path only.
///
/// # Errors
/// When the system gives no random numbers.
pub(crate) fn seal_file(
    vault: Option<&Vault>,
    magic: [u8; 8],
    path: &Path,
    content: &[u8],
) -> io::Result<Vec<u8>> {
    let Some(vault) = vault else {
        return Ok(codec::seal(magic, content));
    };
    let (key, sealer) = vault.begin(&purpose(magic, path))?;
    let mut out = key.to_bytes().to_vec();
    sealer.seal(&[], content, &mut out)?;
    Ok(codec::seal(SEALED_MAGIC, &out))
}

/// The content of the small file at `path`, if it is whole, intact, and the one it is taken for. What was written before
/// there was a vault reads with one; it is not copied.
pub(crate) fn unseal_file(vault: Option<&Vault>, magic: [u8; 8], path: &Path, file: &Bytes) -> Option<Bytes> {
    if let Some(content) = codec::unseal(magic, file) {
        return Some(file.slice_ref(content));
    }
    let (head, sealed) = codec::unseal(SEALED_MAGIC, file)?.split_first_chunk::<FILE_KEY_BYTES>()?;
    let sealer = vault?.open(&FileKey::from_bytes(head)?, &purpose(magic, path))?;
    sealer.open(&[], sealed).map(Bytes::from)
}

/// Whether a small file is encrypted, by its first bytes.
pub(crate) fn is_sealed(file: &[u8]) -> bool {
    file.starts_with(&SEALED_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 8] = *b"NJTEST01";

    #[test]
    fn a_small_file_opens_at_its_place_only() {
        let vault = Vault::new(Zeroizing::new([7; 32]), Cipher::default());
        let path = Path::new("/s/streams/00000001/CHECKPOINT");
        let file = Bytes::from(seal_file(Some(&vault), MAGIC, path, b"content").unwrap());
        assert!(is_sealed(&file) && !file.windows(7).any(|w| w == b"content"));
        let open = |path: &str, vault| unseal_file(vault, MAGIC, Path::new(path), &file);
        let content = Some(Bytes::from_static(b"content"));
        assert_eq!(open("/s/streams/00000001/CHECKPOINT", Some(&vault)), content);
        assert_eq!(open("/s/streams/00000001/CHECKPOINT.copy", Some(&vault)), content);
        assert_eq!(open("/s/streams/00000002/CHECKPOINT", Some(&vault)), None);
        assert_eq!(open("/s/streams/00000001/CHECKPOINT", None), None);
        let plain = Bytes::from(seal_file(None, MAGIC, path, b"content").unwrap());
        assert_eq!(unseal_file(Some(&vault), MAGIC, path, &plain), content);
    }
}
