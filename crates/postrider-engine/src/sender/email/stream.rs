//! The stream below the SMTP client: in plain text or in TLS, and limited in what is received.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// Most bytes that the server may send in reply to one command. The client limits the lines of a
/// reply, but waits for the end of each.
const MAX_RECEIVED: usize = 64 << 10;

/// After STARTTLS the server does not greet again, but the client expects it.
const GREETING: &[u8] = b"220 encrypted\r\n";

/// The connection to a server.
pub(super) struct SmtpStream {
    stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    address: SocketAddr,
    /// Read before the bytes of the stream.
    greeting: &'static [u8],
    /// Bytes that may be received until the next command.
    room: usize,
}

impl SmtpStream {
    pub(super) const fn plain(tcp: TcpStream, address: SocketAddr) -> Self {
        Self { stream: Either::Left(tcp), address, greeting: b"", room: MAX_RECEIVED }
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>, address: SocketAddr) -> Self {
        let stream = Either::Right(Box::new(tls));
        Self { stream, address, greeting: b"", room: MAX_RECEIVED }
    }

    /// After STARTTLS.
    pub(super) fn upgraded(tls: TlsStream<TcpStream>, address: SocketAddr) -> Self {
        Self { greeting: GREETING, ..Self::tls(tls, address) }
    }
}

impl fmt::Debug for SmtpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpStream").field("address", &self.address).finish_non_exhaustive()
    }
}

impl AsyncTokioStream for SmtpStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for SmtpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.greeting.is_empty() {
            let (now, later) = this.greeting.split_at(this.greeting.len().min(buffer.remaining()));
            buffer.put_slice(now);
            this.greeting = later;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let received = buffer.filled().len() - before;
        if received == 0 {
            let closed = "the server closed the connection";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, closed)));
        }
        let room = this.room.checked_sub(received);
        this.room = room.ok_or_else(|| io::Error::other("the reply is too long"))?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SmtpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.room = MAX_RECEIVED;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// A stream in plain text that is lent to a client until STARTTLS. The client's buffer, and with
/// it everything that was received in plain text, is dropped before TLS begins.
#[derive(Clone, Debug)]
pub(super) struct LentStream(Arc<Mutex<SmtpStream>>);

impl LentStream {
    pub(super) fn new(stream: SmtpStream) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// The stream, after the client was dropped.
    pub(super) fn into_tcp(self) -> Option<TcpStream> {
        let stream = Arc::into_inner(self.0)?.into_inner().unwrap_or_else(PoisonError::into_inner);
        match stream.stream {
            Either::Left(tcp) => Some(tcp),
            Either::Right(_) => None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SmtpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncTokioStream for LentStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.lock().address)
    }
}

impl AsyncRead for LentStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for LentStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx)
    }
}
