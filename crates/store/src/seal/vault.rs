//! The store's key, and what it makes for each file: a key that is used for that file only.
//!
//! A file's key comes from the store's key, a random salt kept in the file, and what the file is. A piece carries the
//! number it was encrypted with. Who made the file counts; who opens it later draws at random, and never from the range that
//! counts: no number is used twice under one key, whatever a crash or a failed write makes somebody write again.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use aes_gcm::Aes256Gcm;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Cipher;

/// Bytes of a key of either cipher.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of the number a piece is encrypted with.
const NONCE_BYTES: usize = 12;
/// Bytes of the tag behind a piece.
const TAG_BYTES: usize = 16;
/// What a piece is longer for being encrypted.
pub(crate) const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;
/// Bytes of a [`FileKey`].
pub(crate) const FILE_KEY_BYTES: usize = 24;
/// Set in numbers that were drawn: they are never ones that were counted.
const DRAWN: u8 = 0x80;

const FILE_INFO: &[u8] = b"natterjack file 1";
const ID_INFO: &[u8] = b"natterjack store id 1";

/// Fills `N` bytes from the system's random numbers.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(io::Error::other)?;
    Ok(out)
}

/// A key made from another: HKDF-SHA256.
pub(super) fn derive(secret: &[u8], salt: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    // One block of output can always be had.
    let _fits = Hkdf::<Sha256>::new(Some(salt), secret).expand_multi_info(info, out.as_mut_slice());
    out
}

/// How a file is encrypted: cipher, which store's key, and the file's salt. Kept in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileKey {
    cipher: Cipher,
    store: u32,
    pub(crate) salt: [u8; 16],
}

impl FileKey {
    /// What a file that is not encrypted has in its place: nothing but a salt.
    pub(crate) fn salt_only() -> io::Result<[u8; FILE_KEY_BYTES]> {
        let mut out = [0; FILE_KEY_BYTES];
        out[8..].copy_from_slice(&random::<16>()?);
        Ok(out)
    }

    /// Cipher (1), zeros (3), id of the store's key (4), salt (16).
    pub(crate) fn to_bytes(self) -> [u8; FILE_KEY_BYTES] {
        let mut out = [0; FILE_KEY_BYTES];
        out[0] = self.cipher.to_byte();
        out[4..8].copy_from_slice(&self.store.to_le_bytes());
        out[8..].copy_from_slice(&self.salt);
        out
    }

    /// `None` for anything else, zeros among it.
    pub(crate) fn from_bytes(bytes: &[u8; FILE_KEY_BYTES]) -> Option<Self> {
        let [cipher, 0, 0, 0, rest @ ..] = bytes else {
            return None;
        };
        let (store, salt) = rest.split_first_chunk()?;
        Some(Self {
            cipher: Cipher::from_byte(*cipher)?,
            store: u32::from_le_bytes(*store),
            salt: salt.try_into().ok()?,
        })
    }
}

/// The store's key.
pub(crate) struct Vault {
    secret: Zeroizing<[u8; KEY_BYTES]>,
    /// Tells keys of different stores apart; says nothing about the key.
    store: u32,
    cipher: Cipher,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("cipher", &self.cipher)
            .finish_non_exhaustive()
    }
}

impl Vault {
    pub(crate) fn new(secret: Zeroizing<[u8; KEY_BYTES]>, cipher: Cipher) -> Self {
        let id = derive(secret.as_slice(), &[], &[ID_INFO]);
        let store = u32::from_le_bytes([id[0], id[1], id[2], id[3]]);
        Self {
            secret,
            store,
            cipher,
        }
    }

    fn file_key(&self, key: &FileKey, purpose: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        derive(self.secret.as_slice(), &key.salt, &[FILE_INFO, purpose])
    }

    /// A key for a new file. `purpose` is what the file is; it opens as that only.
    pub(crate) fn begin(&self, purpose: &[u8]) -> io::Result<(FileKey, Sealer)> {
        let key = FileKey {
            cipher: self.cipher,
            store: self.store,
            salt: random()?,
        };
        let sealer = Sealer::new(key.cipher, &self.file_key(&key, purpose), Some(AtomicU64::new(0)));
        Ok((key, sealer))
    }

    /// The key of a file that was made before; `None` when it was made with another store's key.
    pub(crate) fn open(&self, key: &FileKey, purpose: &[u8]) -> Option<Sealer> {
        let known = key.store == self.store;
        known.then(|| Sealer::new(key.cipher, &self.file_key(key, purpose), None))
    }

    #[cfg(test)]
    pub(super) fn secret(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }
}

enum Aead {
    ChaCha(Box<ChaCha20Poly1305>),
    Aes(Box<Aes256Gcm>),
}

/// Encrypts and decrypts the pieces of one file.
pub(crate) struct Sealer {
    aead: Aead,
    /// Pieces so far, for who made the file.
    counter: Option<AtomicU64>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    fn new(cipher: Cipher, key: &[u8; KEY_BYTES], counter: Option<AtomicU64>) -> Self {
        let aead = match cipher {
            Cipher::ChaCha20Poly1305 => Aead::ChaCha(Box::new(ChaCha20Poly1305::new(key.into()))),
            Cipher::Aes256Gcm => Aead::Aes(Box::new(Aes256Gcm::new(key.into()))),
        };
        Self { aead, counter }
    }

    /// For a key that comes from a salt drawn for one piece.
    pub(super) fn once(cipher: Cipher, key: &[u8; KEY_BYTES]) -> Self {
        Self::new(cipher, key, Some(AtomicU64::new(0)))
    }

    /// A number that was not used before under this key.
    fn nonce(&self) -> io::Result<[u8; NONCE_BYTES]> {
        let mut nonce = [0; NONCE_BYTES];
        match &self.counter {
            Some(counter) => {
                let n = counter.fetch_add(1, Ordering::Relaxed);
                nonce[..8].copy_from_slice(&n.to_le_bytes());
            }
            None => {
                nonce = random()?;
                nonce[NONCE_BYTES - 1] |= DRAWN;
            }
        }
        Ok(nonce)
    }

    /// Appends `plain`, encrypted for `place`, to `out`: number, text, tag; [`SEAL_BYTES`] longer.
    pub(crate) fn seal(&self, place: &[u8], plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let nonce = self.nonce()?;
        out.reserve(plain.len() + SEAL_BYTES);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let text = &mut out[start..];
        let tag: Result<[u8; TAG_BYTES], _> = match &self.aead {
            Aead::ChaCha(aead) => aead
                .encrypt_inout_detached(&nonce.into(), place, text.into())
                .map(Into::into),
            Aead::Aes(aead) => aead
                .encrypt_inout_detached(&nonce.into(), place, text.into())
                .map(Into::into),
        };
        let tag = tag.map_err(|_| io::Error::other("too large to be encrypted"))?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// What was sealed for `place`; `None` if this is not that, or not as it was.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let (text, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let mut plain = text.to_vec();
        let buffer = plain.as_mut_slice().into();
        let opened = match &self.aead {
            Aead::ChaCha(aead) => aead.decrypt_inout_detached(nonce.into(), place, buffer, tag.into()),
            Aead::Aes(aead) => aead.decrypt_inout_detached(nonce.into(), place, buffer, tag.into()),
        };
        opened.is_ok().then_some(plain)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn vault(cipher: Cipher) -> Vault {
        Vault::new(Zeroizing::new([7; KEY_BYTES]), cipher)
    }

    fn ciphers() -> impl Strategy<Value = Cipher> {
        prop_oneof![Just(Cipher::ChaCha20Poly1305), Just(Cipher::Aes256Gcm)]
    }

    proptest! {
        #[test]
        fn a_piece_opens_where_it_belongs_and_as_it_was(
            cipher in ciphers(), plain in proptest::collection::vec(any::<u8>(), 0..200), bit in any::<prop::sample::Index>(),
        ) {
            let vault = vault(cipher);
            let (key, sealer) = vault.begin(b"file 1").unwrap();
            let mut sealed = Vec::new();
            sealer.seal(b"here", &plain, &mut sealed).unwrap();
            prop_assert_eq!(sealed.len(), plain.len() + SEAL_BYTES);
            let found = FileKey::from_bytes(&key.to_bytes()).unwrap();
            let again = vault.open(&found, b"file 1").unwrap();
            prop_assert_eq!(again.open(b"here", &sealed), Some(plain));
            prop_assert_eq!(again.open(b"there", &sealed), None);
            prop_assert_eq!(vault.open(&found, b"file 2").unwrap().open(b"here", &sealed), None);
            let bit = bit.index(sealed.len() * 8);
            sealed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(again.open(b"here", &sealed), None);
        }
    }

    #[test]
    fn no_number_comes_twice() {
        let vault = vault(Cipher::Aes256Gcm);
        let (key, made) = vault.begin(b"file").unwrap();
        let opened = vault.open(&key, b"file").unwrap();
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(made.nonce().unwrap()));
            assert!(seen.insert(opened.nonce().unwrap()));
        }
    }

    #[test]
    fn another_stores_file_is_told_from_damage() {
        let (key, _) = vault(Cipher::Aes256Gcm).begin(b"file").unwrap();
        let other = Vault::new(Zeroizing::new([8; KEY_BYTES]), Cipher::Aes256Gcm);
        assert!(other.open(&key, b"file").is_none());
    }
}
