//! The socket under a connection, as the few calls the connection needs. Never buffers.

use std::io::{self, IoSlice};

use bytes::BytesMut;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

/// A connected stream. TLS and websocket become further variants.
#[derive(Debug)]
pub(crate) enum Io {
    /// Plain TCP.
    Tcp(TcpStream),
}

#[cfg(test)]
thread_local! {
    /// Reads and writes of this thread.
    pub(crate) static CALLS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts a call into the kernel, where tests want to know.
fn count_call() {
    #[cfg(test)]
    CALLS.set(CALLS.get() + 1);
}

impl Io {
    /// Waits until the socket is ready for `interest`.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
        }
    }

    /// Reads what there is into `buffer`.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        count_call();
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
        }
    }

    /// Reads what there is into the spare capacity of `buffer`.
    pub(crate) fn try_read_buf(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        count_call();
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buffer),
        }
    }

    /// Writes as much of `bytes` as the socket takes now.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        count_call();
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
        }
    }

    /// Writes as much of the slices as the socket takes now.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        count_call();
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Ends both directions, so that the other side sees the end even while something here still refers to the socket.
    pub(crate) fn shutdown(&self) {
        match self {
            Self::Tcp(stream) => {
                let _gone = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Both);
            }
        }
    }
}
