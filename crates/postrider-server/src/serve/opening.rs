//! A connection that is given up if it does not say in time which protocol it speaks.
//!
//! Until that is known nothing else counts the time: the limits of HTTP/1 begin once it is not
//! HTTP/2, which takes up to as many bytes as the preface of HTTP/2 has.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// What a connection begins with that speaks HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that is given up if it does not say in time which protocol it speaks.
#[derive(Debug)]
pub(super) struct Opening {
    stream: TcpStream,
    /// None once it is known.
    deadline: Option<Pin<Box<Sleep>>>,
    /// So much of the preface has come.
    matched: usize,
}

impl Opening {
    pub(super) fn new(stream: TcpStream, limit: Duration) -> Self {
        Self { stream, deadline: Some(Box::pin(sleep(limit))), matched: 0 }
    }

    fn take_note(&mut self, bytes: &[u8]) {
        let expected = PREFACE.get(self.matched..).unwrap_or_default();
        self.matched += bytes.len();
        if bytes.is_empty() || !expected.starts_with(bytes) || self.matched >= PREFACE.len() {
            self.deadline = None;
        }
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(deadline) = &mut this.deadline else {
            return Pin::new(&mut this.stream).poll_read(ctx, buffer);
        };
        let begin = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(ctx, buffer) {
            Poll::Ready(read) => {
                this.take_note(buffer.filled().get(begin..).unwrap_or_default());
                Poll::Ready(read)
            },
            Poll::Pending => {
                ready!(deadline.as_mut().poll(ctx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            },
        }
    }
}

impl AsyncWrite for Opening {
    fn poll_write(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(ctx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(ctx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(ctx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(ctx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
