//! Bodies packed the way who asked for them accepts, as in nats-server's `getAcceptEncoding`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use natterjack_proto::headers::{self, Headers};

/// What an asker accepts.
const ACCEPT: &str = "Accept-Encoding";
/// What it gets.
const CONTENT: &str = "Content-Encoding";
/// How a stream of Snappy's frames begins.
const SNAPPY_BEGIN: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// Most bytes in one of its frames, before packing.
const SNAPPY_FRAME_MAX: usize = 65_536;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `snappy`: frames.
    Snappy,
    /// `gzip`.
    Gzip,
    /// Not at all, as nothing is accepted that is known.
    Identity,
}

impl Encoding {
    /// What the header block `block` accepts; nothing when it does not say.
    pub(crate) fn accepted(block: &[u8]) -> Option<Self> {
        let value = Headers::new(block).get(ACCEPT)?.to_ascii_lowercase();
        let has = |name: &[u8]| memchr::memmem::find(&value, name).is_some();
        match () {
            () if value.is_empty() => None,
            () if has(b"snappy") || has(b"s2") => Some(Self::Snappy),
            () if has(b"gzip") => Some(Self::Gzip),
            () => Some(Self::Identity),
        }
    }

    const fn name(self) -> &'static [u8] {
        match self {
            Self::Snappy => b"snappy",
            Self::Gzip => b"gzip",
            Self::Identity => b"identity",
        }
    }

    /// The message with this body: its header block, which says how it is packed, then what came of `body`. With the
    /// length of the block.
    pub(crate) fn message(self, body: &[u8]) -> (usize, Vec<u8>) {
        let mut out = Vec::with_capacity(body.len() / 2);
        headers::start(&mut out);
        headers::push(&mut out, CONTENT, self.name());
        headers::finish(&mut out);
        let block = out.len();
        match self {
            Self::Identity => out.extend_from_slice(body),
            Self::Snappy => frames(&mut out, body),
            Self::Gzip => {
                let mut packer = GzEncoder::new(out, Compression::default());
                // A vector takes everything.
                let _taken = packer.write_all(body);
                out = packer.finish().unwrap_or_default();
            }
        }
        (block, out)
    }
}

/// Appends `body` as a stream of Snappy's frames.
fn frames(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(SNAPPY_BEGIN);
    for part in body.chunks(SNAPPY_FRAME_MAX) {
        let packed = minlz::s2::encode_snappy(part);
        let (kind, content) = if packed.len() < part.len() {
            (0_u8, &packed[..])
        } else {
            (1, part)
        };
        let length = u32::try_from(content.len() + 4).unwrap_or(u32::MAX);
        out.push(kind);
        out.extend_from_slice(&length.to_le_bytes()[..3]);
        out.extend_from_slice(&minlz::crc::crc(part).to_le_bytes());
        out.extend_from_slice(content);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn accepted(value: &str) -> Option<Encoding> {
        Encoding::accepted(format!("NATS/1.0\r\nAccept-Encoding: {value}\r\n\r\n").as_bytes())
    }

    #[test]
    fn what_is_accepted() {
        assert_eq!(Encoding::accepted(b""), None);
        assert_eq!(Encoding::accepted(b"NATS/1.0\r\n\r\n"), None);
        assert_eq!(accepted("GZIP"), Some(Encoding::Gzip));
        assert_eq!(accepted("gzip, snappy"), Some(Encoding::Snappy));
        assert_eq!(accepted("xs2y"), Some(Encoding::Snappy));
        assert_eq!(accepted("br"), Some(Encoding::Identity));
    }

    #[test]
    fn gzip_comes_back() {
        let body = "a body, a body, a body".repeat(9_000);
        let (block, message) = Encoding::Gzip.message(body.as_bytes());
        assert_eq!(&message[..block], b"NATS/1.0\r\nContent-Encoding: gzip\r\n\r\n");
        let mut back = String::new();
        flate2::read::GzDecoder::new(&message[block..])
            .read_to_string(&mut back)
            .unwrap();
        assert!(back == body && message.len() < body.len());
    }

    #[test]
    fn snappy_comes_back_in_frames() {
        let mut body: Vec<u8> = b"a body, a body".repeat(9_000);
        body.extend((0..200_u8).map(|n| n.wrapping_mul(97)));
        for body in [&body[..], b"{}", b"x"] {
            let (block, message) = Encoding::Snappy.message(body);
            let mut back = Vec::new();
            minlz::Reader::new(&message[block..])
                .read_to_end(&mut back)
                .unwrap();
            assert!(back == body);
        }
    }

    #[test]
    fn identity_is_the_body_itself() {
        let (block, message) = Encoding::Identity.message(b"{}");
        assert_eq!(&message[block..], b"{}");
    }
}
