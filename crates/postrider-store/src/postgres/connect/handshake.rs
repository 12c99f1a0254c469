//! TLS handshakes with the database, with an error type of their own: the driver does not say
//! which of its errors come from one.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::ClientConfig;
use tokio_postgres::{
    Socket,
    tls::{MakeTlsConnect, TlsConnect},
};
use tokio_postgres_rustls::MakeRustlsConnect;

type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
type Connect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

/// Encrypts connections.
#[derive(Clone)]
pub(super) struct Tls {
    connector: MakeRustlsConnect,
    is_offered: Arc<AtomicBool>,
}

/// A TLS handshake that failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct HandshakeError(io::Error);

impl Tls {
    pub(super) fn new(config: ClientConfig) -> Self {
        Self { connector: MakeRustlsConnect::new(config), is_offered: Arc::default() }
    }

    /// Whether a server has offered encryption, now or before.
    pub(super) fn is_offered(&self) -> bool {
        self.is_offered.load(Ordering::Relaxed)
    }
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = Handshake;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Self::Error> {
        let connect = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.connector, host)?;
        Ok(Handshake { connect, is_offered: Arc::clone(&self.is_offered) })
    }
}

/// One handshake; the driver begins it when the server has offered encryption.
pub(super) struct Handshake {
    connect: Connect,
    is_offered: Arc<AtomicBool>,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Stream;
    type Error = HandshakeError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, HandshakeError>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        self.is_offered.store(true, Ordering::Relaxed);
        let handshake = self.connect.connect(stream);
        Box::pin(async move { handshake.await.map_err(HandshakeError) })
    }
}
