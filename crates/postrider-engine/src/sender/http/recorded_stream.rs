//! An HTTP/1 connection whose received bytes are recorded.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::recorder::Recorder;
use crate::sender::receive_budget::ReceiveBudget;

/// A connection whose received bytes are recorded.
#[derive(Debug)]
pub(super) struct RecordedStream<S> {
    stream: S,
    recorder: Recorder,
    budget: ReceiveBudget,
    is_cut_short: bool,
}

impl<S> RecordedStream<S> {
    pub(super) fn new(stream: S, recorder: Recorder, budget: ReceiveBudget) -> Self {
        Self { stream, recorder, budget, is_cut_short: false }
    }

    /// Hides a write error. A receiver may respond and close before it has read the whole request,
    /// and after a write error the HTTP library would not read that response. If there is no
    /// response, reading fails too.
    fn sent<T>(&mut self, polled: Poll<io::Result<T>>, all: T) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(Err(_)) => {
                self.is_cut_short = true;
                self.recorder.lock().is_cut_short = true;
                Poll::Ready(Ok(all))
            },
            Poll::Ready(Ok(_)) | Poll::Pending => polled,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RecordedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(ctx, buffer);
        let received = buffer.filled().get(before..).unwrap_or_default();
        if !received.is_empty() {
            let informational = this.recorder.lock().push(received);
            this.budget.check_informational(informational)?;
        }
        match polled {
            // TLS ended without close_notify. A truncated response is still noticed, unless it ends
            // with the connection.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(()))
            },
            Poll::Ready(_) | Poll::Pending => polled,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RecordedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_cut_short {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut this.stream).poll_write(ctx, bytes);
        this.sent(polled, bytes.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let all = slices.iter().map(|it| it.len()).sum();
        if this.is_cut_short {
            return Poll::Ready(Ok(all));
        }
        let polled = Pin::new(&mut this.stream).poll_write_vectored(ctx, slices);
        this.sent(polled, all)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_cut_short {
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut this.stream).poll_flush(ctx);
        this.sent(polled, ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(ctx)
    }
}
