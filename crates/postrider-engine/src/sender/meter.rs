//! A connection whose received bytes are measured.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Measures received bytes.
pub(super) trait Meter {
    /// Whether other tasks of the thread have to run before more is read.
    fn must_yield(&mut self) -> bool {
        false
    }

    /// Bytes were read; `bytes` is empty if no data is available or the connection has ended. An
    /// error ends the connection.
    fn received(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A connection and its meter.
#[derive(Debug)]
pub(super) struct Metered<S, M> {
    stream: S,
    meter: M,
}

impl<S, M> Metered<S, M> {
    pub(super) fn new(stream: S, meter: M) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin, M: Meter + Unpin> AsyncRead for Metered<S, M> {
    fn poll_read(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.meter.must_yield() {
            ctx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(ctx, buffer);
        this.meter.received(buffer.filled().get(before..).unwrap_or_default())?;
        polled
    }
}

impl<S: AsyncWrite + Unpin, M: Unpin> AsyncWrite for Metered<S, M> {
    fn poll_write(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(ctx, bytes)
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

    fn poll_flush(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(ctx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(ctx)
    }
}
