//! Header names in capitals, which the HTTP library cannot write: names are the same in any
//! case, and a receiver has to see them so.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that turns the header names of the one request it carries into capitals.
#[derive(Debug)]
pub(super) struct Capitals<S> {
    stream: S,
    place: Place,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    FirstLine,
    /// The first byte of a line: a name begins, or the head ends.
    LineStart,
    Name,
    Value,
    Body,
}

impl Place {
    /// What the byte is sent as, and what the one after it belongs to.
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

impl<S> Capitals<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, place: Place::FirstLine }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Capitals<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Capitals<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut place = self.place;
        let mut places = Vec::with_capacity(bytes.len());
        let mut sent = Vec::with_capacity(bytes.len());
        for byte in bytes {
            let (byte, next) = place.step(*byte);
            place = next;
            places.push(place);
            sent.push(byte);
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, &sent))?;
        if let Some(last) = count.checked_sub(1) {
            self.place = places[last];
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
    fn names_become_capitals_and_nothing_else_does() {
        let head = "POST /hook HTTP/1.1\r\nhost: a.test\r\nx-a: b: c\r\n\r\nbody: x\r\n";
        let mut place = Place::FirstLine;
        let sent = head.bytes().map(|byte| {
            let (byte, next) = place.step(byte);
            place = next;
            byte
        });
        let sent = String::from_utf8(sent.collect()).unwrap();
        assert_eq!(sent, "POST /hook HTTP/1.1\r\nHOST: a.test\r\nX-A: b: c\r\n\r\nbody: x\r\n");
    }
}
