//! Sends header names in upper case, which hyper cannot do. `postrider check` tests with it whether
//! receivers ignore the case.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that carries one request and converts its header names to upper case.
#[derive(Debug)]
pub(super) struct UpperCaseHeaders<S> {
    stream: S,
    position: Position,
}

/// Where in the request the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    FirstLine,
    /// The first byte of a line, which starts a name or ends the headers.
    LineStart,
    Name,
    Value,
    Body,
}

impl Position {
    /// The byte to send, and the position of the next one.
    fn step(self, byte: u8) -> (u8, Self) {
        match (self, byte) {
            (Self::Body, _) | (Self::LineStart, b'\r') => (byte, Self::Body),
            (Self::FirstLine | Self::Value, b'\n') => (byte, Self::LineStart),
            (Self::FirstLine | Self::Value, _) => (byte, self),
            (Self::LineStart | Self::Name, b':') => (byte, Self::Value),
            (Self::LineStart | Self::Name, _) => (byte.to_ascii_uppercase(), Self::Name),
        }
    }
}

impl<S> UpperCaseHeaders<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, position: Position::FirstLine }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for UpperCaseHeaders<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for UpperCaseHeaders<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut position = self.position;
        let mut positions = Vec::with_capacity(bytes.len());
        let mut sent = Vec::with_capacity(bytes.len());
        for byte in bytes {
            let (byte, next) = position.step(*byte);
            position = next;
            positions.push(position);
            sent.push(byte);
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, &sent))?;
        if let Some(last) = count.checked_sub(1) {
            self.position = positions[last];
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_header_names_become_upper_case() {
        let head = "POST /hook HTTP/1.1\r\nhost: a.test\r\nx-a: b: c\r\n\r\nbody: x\r\n";
        let mut position = Position::FirstLine;
        let sent = head.bytes().map(|byte| {
            let (byte, next) = position.step(byte);
            position = next;
            byte
        });
        let sent = String::from_utf8(sent.collect()).unwrap();
        assert_eq!(sent, "POST /hook HTTP/1.1\r\nHOST: a.test\r\nX-A: b: c\r\n\r\nbody: x\r\n");
    }
}
