//! The socket under a connection, as the few calls the connection needs. Never buffers.

use std::io::{self, IoSlice};

use arc_swap::ArcSwapOption;
use bytes::BytesMut;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

/// A connected stream, until it is shut down. TLS and websocket become further kinds.
///
/// Monitoring remembers connections that have ended, and routing may hold one for a moment longer: neither must keep a
/// file descriptor of the process.
#[derive(Debug)]
pub(crate) struct Io {
    stream: ArcSwapOption<TcpStream>,
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

#[cfg(test)]
thread_local! {
    /// Reads and writes of this thread.
    pub(crate) static CALLS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    /// Bytes of messages copied by this thread.
    pub(crate) static COPIED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts a call into the kernel, where tests want to know.
fn count_call() {
    #[cfg(test)]
    CALLS.set(CALLS.get() + 1);
}

/// Counts bytes of messages that are copied within the server, where tests want to know.
pub(super) fn count_copy(_bytes: usize) {
    #[cfg(test)]
    COPIED.set(COPIED.get() + _bytes as u64);
}

impl Io {
    /// Plain TCP.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self {
            stream: ArcSwapOption::from_pointee(stream),
        }
    }

    fn with<T>(&self, call: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        call(self.stream.load().as_deref().ok_or_else(gone)?)
    }

    /// Waits until the socket is ready for `interest`.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let stream = self.stream.load_full().ok_or_else(gone)?;
        stream.ready(interest).await
    }

    /// Reads what there is into `buffer`.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        count_call();
        self.with(|stream| stream.try_read(buffer))
    }

    /// Reads what there is into the spare capacity of `buffer`.
    pub(crate) fn try_read_buf(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        count_call();
        self.with(|stream| stream.try_read_buf(buffer))
    }

    /// Writes as much of `bytes` as the socket takes now.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        count_call();
        self.with(|stream| stream.try_write(bytes))
    }

    /// Writes as much of the slices as the socket takes now.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        count_call();
        self.with(|stream| stream.try_write_vectored(slices))
    }

    /// Ends both directions and lets go of the socket.
    pub(crate) fn shutdown(&self) {
        if let Some(stream) = self.stream.swap(None) {
            let _gone = socket2::SockRef::from(&*stream).shutdown(std::net::Shutdown::Both);
        }
    }
}
