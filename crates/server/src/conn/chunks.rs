//! Pieces of a connection's backlog: copied or shared bytes, and writing them to the socket. Decides nothing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::io::Io;

/// Iovecs handed to one `writev`.
const IOV_MAX: usize = 256;
/// Buffers kept per worker thread for connections that have something to say.
const POOL_BUFFERS_MAX: usize = 64;
/// A pooled queue has room for this many chunks at most.
const POOL_QUEUE_MAX: usize = 1024;
/// A pooled buffer keeps at most this capacity, bytes.
const POOL_BUFFER_BYTES_MAX: usize = 256 * 1024;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static QUEUES: RefCell<Vec<VecDeque<Chunk>>> = const { RefCell::new(Vec::new()) };
}

/// An empty queue of chunks.
pub(super) fn queue_take() -> VecDeque<Chunk> {
    QUEUES.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps an emptied queue for the next flush.
pub(super) fn queue_give(queue: VecDeque<Chunk>) {
    if !queue.is_empty() || queue.capacity() == 0 || queue.capacity() > POOL_QUEUE_MAX {
        return;
    }
    QUEUES.with_borrow_mut(|queues| {
        if queues.len() < POOL_BUFFERS_MAX {
            queues.push(queue);
        }
    });
}

pub(super) fn pool_take() -> Vec<u8> {
    POOL.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(4096))
}

fn pool_give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > POOL_BUFFER_BYTES_MAX {
        return;
    }
    buffer.clear();
    POOL.with_borrow_mut(|pool| {
        if pool.len() < POOL_BUFFERS_MAX {
            pool.push(buffer);
        }
    });
}

/// One piece.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Ours alone.
    Copied(Vec<u8>),
    /// Shared with others.
    Shared(Bytes),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Copied(buffer) => buffer,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// How far a write came.
pub(super) struct Progress {
    /// Bytes the socket took.
    pub(super) taken: usize,
    /// Bytes of the first remaining chunk that are gone.
    pub(super) written: usize,
}

/// Writes until the socket would block; what it took is gone from `chunks`.
pub(super) fn write_chunks(
    io: &Io,
    chunks: &mut VecDeque<Chunk>,
    mut written: usize,
) -> io::Result<Progress> {
    let mut taken = 0;
    while let Some(first) = chunks.front() {
        let result = if chunks.len() == 1 {
            io.try_write(&first.as_slice()[written..])
        } else {
            let mut iov = [IoSlice::new(&[]); IOV_MAX];
            let mut n = 0;
            for (slot, chunk) in iov.iter_mut().zip(chunks.iter()) {
                let skip = if n == 0 { written } else { 0 };
                *slot = IoSlice::new(&chunk.as_slice()[skip..]);
                n += 1;
            }
            io.try_write_vectored(&iov[..n])
        };
        match result {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                taken += n;
                written = drop_written(chunks, written + n);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(Progress { taken, written })
}

/// Drops whole chunks covered by `n` written bytes; returns how much of the first remaining chunk is gone.
fn drop_written(chunks: &mut VecDeque<Chunk>, mut n: usize) -> usize {
    while let Some(first) = chunks.front() {
        let len = first.as_slice().len();
        if n < len {
            break;
        }
        n -= len;
        if let Some(Chunk::Copied(buffer)) = chunks.pop_front() {
            pool_give(buffer);
        }
    }
    n
}
