//! The hello of a connection: INFO, CONNECT, PING, PONG. Leaves the socket ready; reads no message.

use bytes::BytesMut;
use natterjack_proto::{Info, ServerOp, ServerParser, Step, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::ConnectError;
use crate::limits;
use crate::options::{ConnectOptions, Server};

/// A connection that is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) stream: TcpStream,
    /// What came behind the hello.
    pub(crate) rest: BytesMut,
    pub(crate) info: Box<Info>,
}

/// Connects to the first of `servers` that lets us in.
pub(crate) async fn first_of(servers: &[Server], options: &ConnectOptions) -> Result<Ready, ConnectError> {
    let mut last = ConnectError::Address(String::new());
    for server in servers {
        match one(server, options).await {
            Ok(ready) => return Ok(ready),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to `server`, within the time the options give.
pub(crate) async fn one(server: &Server, options: &ConnectOptions) -> Result<Ready, ConnectError> {
    match tokio::time::timeout(options.connect_timeout, hello(server, options)).await {
        Ok(done) => done,
        Err(_) => Err(ConnectError::Timeout(options.connect_timeout)),
    }
}

async fn hello(server: &Server, options: &ConnectOptions) -> Result<Ready, ConnectError> {
    let mut stream = TcpStream::connect(&server.address).await?;
    stream.set_nodelay(true)?;
    let mut rest = BytesMut::with_capacity(limits::READ_BYTES);
    let mut info = loop {
        match next(&mut stream, &mut rest).await? {
            Hello::Info(info) => break info,
            Hello::Refused(text) => return Err(ConnectError::Refused(text)),
            Hello::Pong | Hello::Ping | Hello::Other => {}
        }
    };
    if info.tls_required {
        return Err(ConnectError::TlsRequired);
    }
    let mut out = Vec::with_capacity(512);
    options.connect_for(server).encode(&mut out);
    out.extend_from_slice(encode::PING);
    stream.write_all(&out).await?;
    loop {
        match next(&mut stream, &mut rest).await? {
            Hello::Pong => return Ok(Ready { stream, rest, info }),
            Hello::Info(newer) => info = newer,
            Hello::Refused(text) => return Err(ConnectError::Refused(text)),
            Hello::Ping => stream.write_all(encode::PONG).await?,
            Hello::Other => {}
        }
    }
}

/// What may come before the connection is ready.
enum Hello {
    Info(Box<Info>),
    Refused(String),
    Ping,
    Pong,
    Other,
}

async fn next(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<Hello, ConnectError> {
    loop {
        let (found, used) = match ServerParser::default().parse(buffer) {
            Step::Op { op, len } => (read(&op)?, len),
            Step::Incomplete { .. } => {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
                continue;
            }
            Step::Fail(error) => return Err(ConnectError::Protocol(error.to_string())),
        };
        drop(buffer.split_to(used));
        return Ok(found);
    }
}

fn read(op: &ServerOp<'_>) -> Result<Hello, ConnectError> {
    Ok(match op {
        ServerOp::Info { json } => {
            let info = Info::parse(json).map_err(|error| ConnectError::Protocol(error.to_string()))?;
            Hello::Info(Box::new(info))
        }
        ServerOp::Err { text } => Hello::Refused(String::from_utf8_lossy(text).into_owned()),
        ServerOp::Ping => Hello::Ping,
        ServerOp::Pong => Hello::Pong,
        ServerOp::Msg(_) | ServerOp::Ok => Hello::Other,
    })
}
