//! The file that holds the store's key, encrypted with the operator's. Kept twice; both copies are on disk before anything
//! is written with the key. To change the operator's key, or the cipher, only this file is written again.

use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use super::vault::{KEY_BYTES, SEAL_BYTES, Sealer, Vault, derive, random};
use super::{Cipher, Encryption, Key};
use crate::codec;
use crate::damage::Damage;
use crate::disk::{Disk, read_file, replace_file};

const MAGIC: [u8; 8] = *b"NJKEYS01";
/// The two copies.
pub(crate) const KEY_NAMES: [&str; 2] = ["KEYS", "KEYS.copy"];
const INFO: &[u8] = b"natterjack keys 1";
const SALT_BYTES: usize = 32;

/// The store's key.
type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// Salt, cipher, the store's key sealed.
fn encode(secret: &[u8; KEY_BYTES], key: &Key, cipher: Cipher) -> io::Result<Vec<u8>> {
    let salt: [u8; SALT_BYTES] = random()?;
    let mut out = salt.to_vec();
    out.push(cipher.to_byte());
    sealer(key, &salt, cipher).seal(&[], secret, &mut out)?;
    Ok(codec::seal(MAGIC, &out))
}

fn sealer(key: &Key, salt: &[u8], cipher: Cipher) -> Sealer {
    Sealer::once(cipher, &derive(key.as_bytes(), salt, &[INFO]))
}

/// What a copy says.
enum Copy<'a> {
    Intact(&'a [u8; SALT_BYTES], Cipher, &'a [u8]),
    Damaged,
}

fn decode(file: &[u8]) -> Copy<'_> {
    let fields = codec::unseal(MAGIC, file).and_then(|content| {
        let (salt, rest) = content.split_first_chunk::<SALT_BYTES>()?;
        let (cipher, sealed) = rest.split_first()?;
        let whole = sealed.len() == KEY_BYTES + SEAL_BYTES;
        Some((salt, Cipher::from_byte(*cipher)?, sealed)).filter(|_| whole)
    });
    match fields {
        Some((salt, cipher, sealed)) => Copy::Intact(salt, cipher, sealed),
        None => Copy::Damaged,
    }
}

fn open_with(copy: &Copy<'_>, key: &Key) -> Option<Secret> {
    let Copy::Intact(salt, cipher, sealed) = copy else {
        return None;
    };
    let opened = Zeroizing::new(sealer(key, *salt, *cipher).open(&[], sealed)?);
    opened.as_slice().try_into().ok().map(Zeroizing::new)
}

fn refuse(kind: io::ErrorKind, text: &str) -> io::Error {
    io::Error::new(kind, text)
}

/// The copies that are there, as they are.
struct Found(Vec<(&'static str, Vec<u8>)>);

impl Found {
    fn read(disk: &dyn Disk, root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for name in KEY_NAMES {
            match read_file(disk, &root.join(name)) {
                Ok(file) => files.push((name, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(files))
    }

    fn copies(&self) -> impl Iterator<Item = Copy<'_>> {
        self.0.iter().map(|(_, file)| decode(file))
    }

    /// The store's key; `None` for a store that is not encrypted.
    fn unlock(&self, encryption: Option<&Encryption>) -> io::Result<Option<Secret>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let Some(encryption) = encryption else {
            let text = "the store is encrypted and no key is set: encryption not enabled";
            return Err(refuse(io::ErrorKind::PermissionDenied, text));
        };
        let keys = std::iter::once(&encryption.key).chain(&encryption.previous);
        for key in keys {
            if let Some(secret) = self.copies().find_map(|c| open_with(&c, key)) {
                return Ok(Some(secret));
            }
        }
        if self.copies().all(|c| matches!(c, Copy::Damaged)) {
            let text = "the store is encrypted, and no copy of KEYS is intact";
            return Err(refuse(io::ErrorKind::InvalidData, text));
        }
        let text = "the store is encrypted with another key: unable to recover keys";
        Err(refuse(io::ErrorKind::PermissionDenied, text))
    }

    /// Whether both copies are as `encryption` wants them.
    fn is_settled(&self, encryption: &Encryption) -> bool {
        let settled = |c: Copy<'_>| {
            let right = matches!(c, Copy::Intact(_, cipher, _) if cipher == encryption.cipher);
            right && open_with(&c, &encryption.key).is_some()
        };
        self.0.len() == KEY_NAMES.len() && self.copies().all(settled)
    }
}

/// The vault of the store in `root`, made if there is none yet; `None` for a store that is not encrypted. Nothing is
/// changed unless the key is right.
///
/// # Errors
/// When there is an encrypted store and the keys do not open it, and as the disk says.
pub(crate) fn open(
    disk: &dyn Disk,
    root: &Path,
    encryption: Option<&Encryption>,
    damage: &Damage,
) -> io::Result<Option<Vault>> {
    let found = Found::read(disk, root)?;
    let secret = found.unlock(encryption)?;
    let Some(encryption) = encryption else {
        return Ok(None);
    };
    let secret = match secret {
        Some(secret) => secret,
        None => Zeroizing::new(random()?),
    };
    for (name, file) in &found.0 {
        if matches!(decode(file), Copy::Damaged) {
            let path = root.join(name);
            damage.note(format!(
                "{}: does not verify; the other copy is used",
                path.display()
            ));
        }
    }
    if !found.is_settled(encryption) {
        let file = encode(&secret, &encryption.key, encryption.cipher)?;
        for name in KEY_NAMES {
            replace_file(disk, &root.join(name), &file)?;
        }
    }
    Ok(Some(Vault::new(secret, encryption.cipher)))
}

/// The same, changing nothing.
///
/// # Errors
/// As [`open`].
pub(crate) fn look(
    disk: &dyn Disk,
    root: &Path,
    encryption: Option<&Encryption>,
) -> io::Result<Option<Vault>> {
    let secret = Found::read(disk, root)?.unlock(encryption)?;
    let cipher = encryption.map_or_else(Cipher::default, |e| e.cipher);
    Ok(secret.map(|secret| Vault::new(secret, cipher)))
}

/// Whether there is a copy of the file, whatever is in it.
///
/// # Errors
/// As the disk says.
pub(crate) fn exist(disk: &dyn Disk, root: &Path) -> io::Result<bool> {
    Found::read(disk, root).map(|found| !found.0.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Crash, SimDisk};

    const ROOT: &str = "/s";

    fn with(key: &str, previous: Option<&str>, cipher: Cipher) -> Encryption {
        Encryption {
            key: Key::new(key),
            previous: previous.map(Key::new),
            cipher,
        }
    }

    fn try_open(disk: &SimDisk, encryption: Option<&Encryption>) -> Result<Option<[u8; KEY_BYTES]>, String> {
        let opened = open(disk, Path::new(ROOT), encryption, &Damage::default());
        opened
            .map(|vault| vault.map(|v| *v.secret()))
            .map_err(|e| e.to_string())
    }

    fn made() -> (SimDisk, [u8; KEY_BYTES]) {
        let disk = SimDisk::default();
        crate::disk::make_dir(&disk, Path::new(ROOT)).unwrap();
        assert_eq!(try_open(&disk, None), Ok(None));
        let secret = try_open(&disk, Some(&with("one", None, Cipher::default())));
        (disk, secret.unwrap().unwrap())
    }

    #[test]
    fn the_key_opens_and_others_are_refused() {
        let (disk, secret) = made();
        let before = disk.content(&Path::new(ROOT).join("KEYS"));
        let one = with("one", None, Cipher::default());
        assert_eq!(try_open(&disk, Some(&one)), Ok(Some(secret)));
        let wrong = try_open(&disk, Some(&with("two", None, Cipher::default()))).unwrap_err();
        assert_eq!(
            wrong,
            "the store is encrypted with another key: unable to recover keys"
        );
        let none = try_open(&disk, None).unwrap_err();
        assert_eq!(
            none,
            "the store is encrypted and no key is set: encryption not enabled"
        );
        assert_eq!(disk.content(&Path::new(ROOT).join("KEYS")), before);
    }

    #[test]
    fn a_key_is_changed_whatever_a_crash_leaves() {
        let (disk, secret) = made();
        let start = disk.operations();
        let rotate = with("two", Some("one"), Cipher::Aes256Gcm);
        assert_eq!(try_open(&disk, Some(&rotate)), Ok(Some(secret)));
        let two = with("two", None, Cipher::Aes256Gcm);
        assert_eq!(try_open(&disk, Some(&two)), Ok(Some(secret)));
        assert!(try_open(&disk, Some(&with("one", None, Cipher::default()))).is_err());
        for operations in start..=disk.operations() {
            for crash in [Crash::Lose, Crash::Keep, Crash::Seed(operations as u64)] {
                let left = disk.crash(operations, crash);
                assert_eq!(
                    try_open(&left, Some(&rotate)),
                    Ok(Some(secret)),
                    "{crash:?} {operations}"
                );
                assert_eq!(try_open(&left, Some(&two)), Ok(Some(secret)));
            }
        }
    }

    #[test]
    fn one_damaged_copy_costs_nothing_and_two_are_told() {
        let (disk, secret) = made();
        let one = with("one", None, Cipher::default());
        let [first, second] = KEY_NAMES.map(|name| Path::new(ROOT).join(name));
        assert!(disk.flip(&first, 40, 1));
        assert_eq!(try_open(&disk, Some(&one)), Ok(Some(secret)));
        assert!(disk.flip(&first, 40, 1) && disk.flip(&second, 60, 3));
        let text = try_open(&disk, Some(&one)).unwrap_err();
        assert!(text.contains("no copy of KEYS is intact"), "{text}");
    }
}
