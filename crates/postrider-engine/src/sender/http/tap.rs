//! Watches the bytes of an HTTP/1 connection, so that a status that came is known whatever
//! happens to the rest of the response.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{HEADERS_MAX, head};
use crate::sender::allowance::Allowance;

/// What was received in response to the request under way, up to the end of its head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Recording>>);

#[derive(Debug, Default)]
pub(super) struct Recording {
    phase: Phase,
    /// The head of the final response, and what came in the same read.
    pub(super) bytes: Vec<u8>,
    /// Anything was received, be it an interim response.
    pub(super) has_begun: bool,
    /// A part of the request could not be sent.
    pub(super) is_cut_short: bool,
    /// Interim responses that were skipped.
    informational: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No request is under way; what comes is for the HTTP library to judge.
    #[default]
    Idle,
    Head,
    Body,
}

impl Recorder {
    /// A request is about to be sent.
    pub(super) fn begin(&self) {
        let is_cut_short = self.lock().is_cut_short;
        *self.lock() = Recording { phase: Phase::Head, is_cut_short, ..Recording::default() };
    }

    /// The response has been read; whether the connection can be used for another request.
    pub(super) fn finish(&self) -> bool {
        let mut recording = self.lock();
        let bytes = std::mem::take(&mut recording.bytes);
        let is_whole = std::mem::take(&mut recording.phase) == Phase::Body;
        is_whole && !recording.is_cut_short && head::is_unambiguous(&bytes)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    /// Records bytes; how many interim responses there were so far.
    fn push(&mut self, received: &[u8]) -> usize {
        self.has_begun |= !received.is_empty();
        if self.phase != Phase::Head {
            return self.informational;
        }
        let searched = self.bytes.len();
        let room = (HEADERS_MAX as usize).saturating_sub(searched);
        self.bytes.extend_from_slice(received.get(..room).unwrap_or(received));
        self.skip_interim(searched);
        self.informational
    }

    /// Drops the heads of interim responses, and notices the end of the final one.
    fn skip_interim(&mut self, mut searched: usize) {
        let mut begin = 0;
        loop {
            let bytes = self.bytes.get(begin..).unwrap_or_default();
            let blank = bytes.iter().take_while(|it| matches!(it, b'\r' | b'\n')).count();
            begin += blank;
            let bytes = bytes.get(blank..).unwrap_or_default();
            let Some(end) = head::end(bytes, searched.saturating_sub(blank)) else { break };
            if !head::begins_interim(bytes) {
                self.phase = Phase::Body;
                break;
            }
            self.informational += 1;
            (begin, searched) = (begin + end, 0);
        }
        self.bytes.drain(..begin);
    }
}

/// A connection that is watched.
#[derive(Debug)]
pub(super) struct Tap<S> {
    stream: S,
    recorder: Recorder,
    allowance: Allowance,
    is_cut_short: bool,
}

impl<S> Tap<S> {
    pub(super) fn new(stream: S, recorder: Recorder, allowance: Allowance) -> Self {
        Self { stream, recorder, allowance, is_cut_short: false }
    }

    /// Hides an error of sending: receivers may respond and close before they have read all
    /// of a request, and the HTTP library would not look for their response any more. If there
    /// is none, reading fails too.
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

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
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
            this.allowance.check_informational(informational)?;
        }
        match polled {
            // TLS ended without close_notify. A response that is too short is still noticed,
            // unless the end of the connection is all that marks its end.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(()))
            },
            Poll::Ready(_) | Poll::Pending => polled,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_holds_the_head_of_the_final_response() {
        const FINAL: &str = "HTTP/1.1 200 OK\r\nx: y\r\n\r\n";
        for (received, expected) in [
            (FINAL.to_owned(), FINAL.to_owned()),
            (format!("\r\n\n{FINAL}"), FINAL.to_owned()),
            (format!("HTTP/1.1 100 Continue\r\n\r\n{FINAL}"), FINAL.to_owned()),
            (format!("{}{FINAL}", "HTTP/1.1 103\nlink: x\n\n".repeat(3)), FINAL.to_owned()),
            ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), String::new()),
            ("HTTP/1.1 200 OK\r\nx: ".to_owned(), "HTTP/1.1 200 OK\r\nx: ".to_owned()),
        ] {
            for step in 1..=received.len() {
                let recorder = Recorder::default();
                recorder.begin();
                for part in received.as_bytes().chunks(step) {
                    recorder.lock().push(part);
                }
                let recorded = String::from_utf8_lossy(&recorder.lock().bytes).into_owned();
                assert_eq!(recorded, expected, "{received:?} in parts of {step}");
                assert_eq!(recorder.finish(), expected == FINAL, "{received:?}");
            }
        }
    }

    #[test]
    fn a_recording_is_bounded() {
        let recorder = Recorder::default();
        recorder.lock().push(b"before");
        recorder.begin();
        for _ in 0..5 {
            recorder.lock().push(&[b'x'; 16_000]);
        }
        assert_eq!(recorder.lock().bytes.len(), HEADERS_MAX as usize);
        assert!(!recorder.finish());
        assert!(recorder.lock().bytes.is_empty());
    }
}
