//! Operations to bytes, appended to a caller's buffer. Allocates nothing besides that buffer's growth.

use crate::errors::ServerError;

/// `PING\r\n`.
pub const PING: &[u8] = b"PING\r\n";
/// `PONG\r\n`.
pub const PONG: &[u8] = b"PONG\r\n";
/// `+OK\r\n`.
pub const OK: &[u8] = b"+OK\r\n";
/// The line end.
pub const CRLF: &[u8] = b"\r\n";

/// Appends `n` in decimal.
pub fn number(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends `MSG subject ` or, with headers, `HMSG subject `: the part all receivers of a message share.
pub fn msg_head(out: &mut Vec<u8>, subject: &[u8], with_headers: bool) {
    out.extend_from_slice(if with_headers { b"HMSG " } else { b"MSG " });
    out.extend_from_slice(subject);
    out.push(b' ');
}

/// Appends what follows the subscription id: ` [reply] [header size] size\r\n`.
pub fn msg_tail(out: &mut Vec<u8>, reply: Option<&[u8]>, headers_len: Option<usize>, total: usize) {
    out.push(b' ');
    if let Some(reply) = reply {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    if let Some(headers) = headers_len {
        number(out, headers);
        out.push(b' ');
    }
    number(out, total);
    out.extend_from_slice(CRLF);
}

/// Appends a whole `PUB`, or `HPUB` when `headers` is not empty.
pub fn publish(out: &mut Vec<u8>, subject: &[u8], reply: Option<&[u8]>, headers: &[u8], payload: &[u8]) {
    let with_headers = !headers.is_empty();
    out.extend_from_slice(if with_headers { b"HPUB " } else { b"PUB " });
    out.extend_from_slice(subject);
    msg_tail(
        out,
        reply,
        with_headers.then_some(headers.len()),
        headers.len() + payload.len(),
    );
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(CRLF);
}

/// Appends `SUB subject [queue] sid`.
pub fn sub(out: &mut Vec<u8>, subject: &[u8], queue: Option<&[u8]>, sid: &[u8]) {
    out.extend_from_slice(b"SUB ");
    out.extend_from_slice(subject);
    out.push(b' ');
    if let Some(queue) = queue {
        out.extend_from_slice(queue);
        out.push(b' ');
    }
    out.extend_from_slice(sid);
    out.extend_from_slice(CRLF);
}

/// Appends `UNSUB sid [max]`.
pub fn unsub(out: &mut Vec<u8>, sid: &[u8], max: Option<usize>) {
    out.extend_from_slice(b"UNSUB ");
    out.extend_from_slice(sid);
    if let Some(max) = max {
        out.push(b' ');
        number(out, max);
    }
    out.extend_from_slice(CRLF);
}

/// Appends `-ERR 'text'`.
pub fn err(out: &mut Vec<u8>, error: &ServerError) {
    out.extend_from_slice(b"-ERR '");
    out.extend_from_slice(error.text().as_bytes());
    out.extend_from_slice(b"'\r\n");
}
