//! The socket of a connection, with its slot.
//!
//! The slot is part of the stream and not of the task that serves HTTP, because after an upgrade
//! another task owns the socket, which still counts as a connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::registry::Slot;

/// The socket of a connection, with its slot.
#[derive(Debug)]
pub(super) struct ConnectionStream {
    pub(super) socket: TcpStream,
    pub(super) slot: Slot,
}

impl Drop for ConnectionStream {
    /// Resets the connection if the client has not read everything. The kernel would otherwise keep
    /// the unread bytes until its own timeout.
    fn drop(&mut self) {
        if self.slot.activity.sent_if_unsent().is_some()
            && let Err(error) = self.socket.set_zero_linger()
        {
            tracing::debug!(%error, "connection with unread bytes was not reset");
        }
    }
}

impl AsyncRead for ConnectionStream {
    fn poll_read(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(ctx, buffer)
    }
}

impl AsyncWrite for ConnectionStream {
    fn poll_write(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(ctx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(ctx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(ctx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(ctx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
