//! Accepting connections.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use natterjack_proto::{ServerError, encode};
use tokio::net::{TcpListener, TcpStream};

use crate::conn::io::Io;
use crate::conn::{CloseReason, Conn, serve};
use crate::server::Server;
use crate::spawn::contained;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Listens on `host` and `port`; -1 takes a free one.
///
/// # Errors
/// A text for the log, as Go words it.
pub(crate) fn bind(host: &str, port: i32) -> Result<TcpListener, String> {
    open(host, port).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => "bind: address already in use".to_owned(),
            ErrorKind::AddrNotAvailable => "bind: cannot assign requested address".to_owned(),
            ErrorKind::PermissionDenied => "bind: permission denied".to_owned(),
            _ => error.to_string(),
        };
        format!("{:?}", format!("listen tcp {host}:{port}: {why}"))
    })
}

fn open(host: &str, port: i32) -> std::io::Result<TcpListener> {
    let port = u16::try_from(port).unwrap_or(0);
    let address: SocketAddr = match host.parse() {
        Ok(ip) => SocketAddr::new(ip, port),
        Err(_) => std::net::ToSocketAddrs::to_socket_addrs(&(host, port))?
            .next()
            .ok_or_else(|| std::io::Error::other(format!("{host}: no such host")))?,
    };
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts clients until the server ends.
pub(crate) async fn accept(server: Arc<Server>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => admit(&server, stream, address),
            Err(error) => {
                tracing::error!("Error accepting a client: {error}");
                tokio::task::yield_now().await;
            }
        }
    }
}

fn admit(server: &Arc<Server>, stream: TcpStream, address: SocketAddr) {
    let _unsupported = stream.set_nodelay(true);
    let limits = &server.options.limits;
    let conn = Arc::new(Conn::new(
        server.next_conn_id(),
        Io::tcp(stream),
        address,
        server.first_account(),
        (limits.max_pending_bytes, limits.write_retry),
    ));
    if server.on_opened(&conn) {
        let (owner, gone) = (Arc::clone(server), Arc::clone(&conn));
        contained(serve(Arc::clone(server), conn), move || {
            gone.abandon();
            owner.on_closed(&gone, CloseReason::ProtocolViolation, 0);
        });
        return;
    }
    let mut out = Vec::new();
    server.info_for(&conn, false).encode(&mut out);
    encode::err(&mut out, &ServerError::MaximumConnections);
    let _gone = conn.io.try_write(&out);
    conn.close(CloseReason::MaxConnectionsExceeded);
    conn.io.shutdown();
    server.on_closed(&conn, CloseReason::MaxConnectionsExceeded, 0);
}
