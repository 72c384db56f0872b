//! The PROXY protocol header, versions 1 and 2, that a load balancer puts before the bytes of a client. Texts are the peer's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header of version 1, with its line end.
const V1_LEN_MAX: usize = 107;
/// Addresses and extensions of version 2, bytes; longer ones are nobody's but an attacker's.
const V2_BODY_LEN_MAX: usize = 2 * 1024;
const V1_START: &[u8] = b"PROXY ";
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD_LEN: usize = 16;
/// Address family and protocol: TCP over IPv4, over IPv6.
const STREAM: u8 = 0x01;
const INET: u8 = 0x10;
const INET6: u8 = 0x20;

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// More bytes are needed to say.
    Incomplete,
    /// No header.
    Absent,
    /// A header that names nobody: the connection is the proxy's own.
    Local {
        /// Bytes of the header.
        len: usize,
    },
    /// A header that names the client.
    Proxied {
        /// Where the client is.
        source: SocketAddr,
        /// Bytes of the header.
        len: usize,
    },
}

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// Version 1 with the wrong words.
    Format,
    /// Version 1 with what is no address.
    Address,
    /// Version 2 for datagrams, or for no protocol.
    NotStream,
    /// Version 2 with a version of its own.
    Version(u8),
    /// Version 2 with another command.
    Command(u8),
    /// Version 2 with another address family.
    Family(u8),
    /// Version 2 with fewer bytes than the family has.
    Short {
        /// 4 or 6.
        family: u8,
        /// Bytes there are.
        len: usize,
    },
    /// Version 2 with more than a header may have.
    Long,
}

impl std::fmt::Display for ProxyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Format => f.write_str("invalid PROXY protocol header: invalid v1 format"),
            Self::Address => f.write_str("invalid PROXY protocol header: invalid address"),
            Self::NotStream => {
                f.write_str("unsupported PROXY protocol feature: only STREAM protocol supported")
            }
            Self::Version(n) => write!(f, "invalid PROXY protocol version: {n:#04x}"),
            Self::Command(n) => write!(f, "unknown PROXY protocol command: {n:#04x}"),
            Self::Family(n) => write!(f, "unsupported PROXY protocol feature: address family {n:#04x}"),
            Self::Short { family, len } => write!(f, "IPv{family} address data too short: {len} bytes"),
            Self::Long => f.write_str("invalid PROXY protocol header: too long"),
        }
    }
}

impl std::error::Error for ProxyError {}

/// Reads what `bytes` begin with.
///
/// ```
/// use natterjack_proto::proxy_protocol::{Header, parse};
/// let header = parse(b"PROXY TCP4 10.1.2.3 10.9.9.9 1111 4222\r\nCONNECT {}\r\n").unwrap();
/// assert_eq!(header, Header::Proxied { source: "10.1.2.3:1111".parse().unwrap(), len: 40 });
/// assert_eq!(parse(b"CONNECT {}\r\n"), Ok(Header::Absent));
/// ```
///
/// # Errors
/// [`ProxyError`] for a header that makes no sense.
pub fn parse(bytes: &[u8]) -> Result<Header, ProxyError> {
    if bytes.starts_with(V1_START) {
        return v1(bytes);
    }
    if bytes.starts_with(V2_START) {
        return v2(bytes);
    }
    if V1_START.starts_with(bytes) || V2_START.starts_with(bytes) {
        return Ok(Header::Incomplete);
    }
    Ok(Header::Absent)
}

fn v1(bytes: &[u8]) -> Result<Header, ProxyError> {
    let Some(end) = memchr::memchr(b'\n', &bytes[..bytes.len().min(V1_LEN_MAX)]) else {
        return if bytes.len() < V1_LEN_MAX {
            Ok(Header::Incomplete)
        } else {
            Err(ProxyError::Format)
        };
    };
    let len = end + 1;
    let line = bytes[V1_START.len()..end]
        .strip_suffix(b"\r")
        .ok_or(ProxyError::Format)?;
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Format)?;
    let words: Vec<&str> = line.split(' ').collect();
    if words.first() == Some(&"UNKNOWN") {
        return Ok(Header::Local { len });
    }
    let ["TCP4" | "TCP6", source, _, port, _] = words[..] else {
        return Err(ProxyError::Format);
    };
    let ip: IpAddr = source.parse().map_err(|_| ProxyError::Address)?;
    let port: u16 = port.parse().map_err(|_| ProxyError::Address)?;
    if ip.is_ipv4() != (words[0] == "TCP4") {
        return Err(ProxyError::Address);
    }
    let source = SocketAddr::new(ip, port);
    Ok(Header::Proxied { source, len })
}

fn v2(bytes: &[u8]) -> Result<Header, ProxyError> {
    let Some(&[how, family, high, low]) = bytes.get(V2_START.len()..V2_HEAD_LEN) else {
        return Ok(Header::Incomplete);
    };
    let body_len = usize::from(u16::from_be_bytes([high, low]));
    if how >> 4 != 2 {
        return Err(ProxyError::Version(how >> 4));
    }
    if body_len > V2_BODY_LEN_MAX {
        return Err(ProxyError::Long);
    }
    let len = V2_HEAD_LEN + body_len;
    let Some(body) = bytes.get(V2_HEAD_LEN..len) else {
        return Ok(Header::Incomplete);
    };
    match how & 0x0f {
        0 => return Ok(Header::Local { len }),
        1 => {}
        other => return Err(ProxyError::Command(other)),
    }
    if family & 0x0f != STREAM {
        return Err(ProxyError::NotStream);
    }
    let short = |family| ProxyError::Short {
        family,
        len: body_len,
    };
    let (ip, ports) = match family & 0xf0 {
        INET => {
            let all = body.first_chunk::<12>().ok_or_else(|| short(4))?;
            (
                IpAddr::from(Ipv4Addr::new(all[0], all[1], all[2], all[3])),
                [all[8], all[9]],
            )
        }
        INET6 => {
            let source = body
                .first_chunk::<16>()
                .filter(|_| body.len() >= 36)
                .ok_or_else(|| short(6))?;
            (IpAddr::from(Ipv6Addr::from(*source)), [body[32], body[33]])
        }
        0 => return Ok(Header::Local { len }),
        other => return Err(ProxyError::Family(other)),
    };
    let source = SocketAddr::new(ip, u16::from_be_bytes(ports));
    Ok(Header::Proxied { source, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_body(how: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2_START, &[how, family], &len, body].concat()
    }

    const FOUR: [u8; 12] = [10, 1, 2, 3, 10, 9, 9, 9, 4, 87, 16, 126];

    #[test]
    fn both_versions_name_the_client() {
        for (bytes, source) in [
            (
                b"PROXY TCP4 10.1.2.3 10.9.9.9 1111 4222\r\n".to_vec(),
                "10.1.2.3:1111",
            ),
            (
                b"PROXY TCP6 2001:db8::1 2001:db8::2 1111 4222\r\n".to_vec(),
                "[2001:db8::1]:1111",
            ),
            (with_body(0x21, 0x11, &FOUR), "10.1.2.3:1111"),
            (
                with_body(0x21, 0x11, &[&FOUR[..], b"\x04\0\0"].concat()),
                "10.1.2.3:1111",
            ),
            (
                with_body(0x21, 0x21, &[&[0; 15][..], &[1], &[0; 16], &FOUR[8..]].concat()),
                "[::1]:1111",
            ),
        ] {
            let (source, len) = (source.parse().unwrap(), bytes.len());
            assert_eq!(
                parse(&[&bytes[..], b"PING\r\n"].concat()),
                Ok(Header::Proxied { source, len })
            );
            // However it is cut, nothing is said before the whole is there.
            for at in 0..len {
                assert_eq!(parse(&bytes[..at]), Ok(Header::Incomplete), "{at}");
            }
        }
    }

    #[test]
    fn nobody_is_named() {
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Ok(Header::Local { len: 15 }));
        assert_eq!(parse(&with_body(0x20, 0, b"")), Ok(Header::Local { len: 16 }));
        assert_eq!(parse(b"PUB a 0\r\n\r\n"), Ok(Header::Absent));
        assert_eq!(parse(b"\r\n\r\nPING\r\n"), Ok(Header::Absent));
    }

    #[test]
    fn refusals_in_the_peers_words() {
        for (bytes, text) in [
            (
                b"PROXY TCP4 10.1.2 10.9.9.9 1111 4222\r\n".to_vec(),
                "invalid PROXY protocol header: invalid address",
            ),
            (
                b"PROXY TCP4 10.1.2.3 10.9.9.9 1111 4222\n".to_vec(),
                "invalid PROXY protocol header: invalid v1 format",
            ),
            (
                b"PROXY TCP4 10.1.2.3\r\n".to_vec(),
                "invalid PROXY protocol header: invalid v1 format",
            ),
            (
                with_body(0x21, 0x12, &FOUR),
                "unsupported PROXY protocol feature: only STREAM protocol supported",
            ),
            (
                with_body(0x21, 0, b""),
                "unsupported PROXY protocol feature: only STREAM protocol supported",
            ),
            (
                with_body(0x22, 0x11, &FOUR),
                "unknown PROXY protocol command: 0x02",
            ),
            (
                with_body(0x21, 0x11, &FOUR[..6]),
                "IPv4 address data too short: 6 bytes",
            ),
        ] {
            assert_eq!(parse(&bytes).unwrap_err().to_string(), text);
        }
        assert!(parse(&[b'P'; 200]).is_ok());
        let endless = [V1_START, &[b'x'; 200]].concat();
        assert_eq!(parse(&endless), Err(ProxyError::Format));
    }
}
