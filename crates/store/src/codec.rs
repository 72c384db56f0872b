//! Fixed-width little-endian fields into and out of small files. Reading never panics: what is missing reads as an error.

/// Writes fields.
#[derive(Debug, Default)]
pub(crate) struct Out(pub(crate) Vec<u8>);

impl Out {
    pub(crate) fn u8(&mut self, n: u8) {
        self.0.push(n);
    }

    pub(crate) fn u32(&mut self, n: u32) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, n: i64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub(crate) fn len(&mut self, n: usize) {
        self.u32(u32::try_from(n).unwrap_or(u32::MAX));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

/// Reads fields; every method gives `None` behind the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct In<'a>(pub(crate) &'a [u8]);

impl<'a> In<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    pub(crate) fn count(&mut self) -> Option<usize> {
        self.u32().and_then(|n| usize::try_from(n).ok())
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.count()?;
        if len > self.0.len() {
            return None;
        }
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(head)
    }
}

/// Bytes of magic, length and checksum before a sealed content.
pub(crate) const SEAL_BYTES: usize = 24;

/// Puts magic, length and checksum before a small file's content.
pub(crate) fn seal(magic: [u8; 8], content: &[u8]) -> Vec<u8> {
    let mut out = to_be_sealed(content.len());
    out.0.extend_from_slice(content);
    seal_in_place(magic, out)
}

/// Room for a content of `len` bytes behind its seal: large ones are not copied.
pub(crate) fn to_be_sealed(len: usize) -> Out {
    let mut out = Vec::with_capacity(SEAL_BYTES + len);
    out.resize(SEAL_BYTES, 0);
    Out(out)
}

/// Seals what was begun by [`to_be_sealed`].
pub(crate) fn seal_in_place(magic: [u8; 8], out: Out) -> Vec<u8> {
    let Out(mut file) = out;
    let len = (file.len() - SEAL_BYTES) as u64;
    file[0..8].copy_from_slice(&magic);
    file[8..16].copy_from_slice(&len.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&file[0..16]);
    hasher.update(&file[SEAL_BYTES..]);
    let crc = u64::from(hasher.finalize());
    file[16..24].copy_from_slice(&crc.to_le_bytes());
    file
}

/// The content of a sealed file, if it is whole and intact.
pub(crate) fn unseal(magic: [u8; 8], file: &[u8]) -> Option<&[u8]> {
    let mut fields = In(file);
    let (found, len, crc) = (fields.take::<8>()?, fields.u64()?, fields.u64()?);
    let content = fields.0.get(..usize::try_from(len).ok()?)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(file.get(0..16)?);
    hasher.update(content);
    (found == magic && u64::from(hasher.finalize()) == crc).then_some(content)
}
