//! Connections to brokers through the address guard, and why there is none.

use std::{fmt, net::SocketAddr, sync::Arc};

use postrider_core::{outcome::Failure, target::Target, template::TemplateError};
use postrider_engine::{Guard, GuardError, Peer, QueueError, Report};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
    time::Instant,
};
use tokio_rustls::TlsConnector;

/// Why a message was not accepted, for people; without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub failure: Failure,
    pub reason: String,
    pub address: Option<SocketAddr>,
}

impl Fault {
    pub(crate) fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self { failure, reason: reason.into(), address: None }
    }

    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    /// A template that cannot be rendered for a message.
    pub(crate) fn template(field: &str, error: &TemplateError) -> Self {
        Self::new(Failure::Rejected, format!("`{field}` cannot be rendered: {error}"))
    }
}

impl From<GuardError> for Fault {
    fn from(GuardError { failure, reason, address }: GuardError) -> Self {
        Self { failure, reason, address }
    }
}

impl From<(Failure, &str)> for Fault {
    fn from((failure, reason): (Failure, &str)) -> Self {
        Self::new(failure, reason)
    }
}

impl From<Fault> for Report {
    fn from(Fault { failure, reason, address }: Fault) -> Self {
        Self::failed(failure, reason).at(address)
    }
}

impl From<Fault> for QueueError {
    fn from(Fault { failure, reason, .. }: Fault) -> Self {
        Self { failure, reason }
    }
}

/// A stream to a broker, with or without TLS.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Duplex for T {}

pub(crate) type Stream = Box<dyn Duplex>;

/// Where a broker is and how it is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address<'a> {
    pub host: &'a str,
    pub port: u16,
    /// The ports that brokers of this kind usually have.
    pub own_ports: &'a [u16],
    pub uses_tls: bool,
    /// Certificate authorities that are trusted instead of the installation's, in PEM.
    pub trusted: Option<&'a str>,
}

/// Connects to a broker, after its address was checked.
pub(crate) async fn open(
    guard: &Guard,
    target: Option<&Target>,
    to: Address<'_>,
) -> Result<(Stream, SocketAddr), Fault> {
    let peer = Peer { host: to.host, port: to.port, own_ports: to.own_ports };
    let (tcp, address) = guard.connect(peer, target).await?;
    if !to.uses_tls {
        return Ok((Box::new(tcp), address));
    }
    let connector = TlsConnector::from(guard.tls(to.trusted)?);
    let name = to.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(|_| {
        Fault::new(Failure::Misconfigured, "the host is not a name that a certificate can have")
    })?;
    let stream = connector.connect(name, tcp).await.map_err(|error| {
        let reason = format!(
            "TLS with the broker failed: {error}; check the port, the name in the certificate and \
             `trustedCertificates`"
        );
        Fault::new(Failure::Tls, reason).at(address)
    })?;
    Ok((Box::new(stream), address))
}

/// One connection that several calls share. The first that needs it opens it.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    slot: Mutex<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    current: Option<Arc<T>>,
    /// The last attempt that failed, and when.
    failed: Option<(Instant, Fault)>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { slot: Mutex::new(Slot { current: None, failed: None }) }
    }
}

impl<T> Shared<T> {
    /// The connection, if it is usable, or a new one. Calls that waited while an attempt failed
    /// fail with it, so that they do not try one after the other.
    pub(crate) async fn get(
        &self,
        is_usable: impl Fn(&T) -> bool,
        open: impl Future<Output = Result<T, Fault>>,
    ) -> Result<Arc<T>, Fault> {
        let since = Instant::now();
        let mut slot = self.slot.lock().await;
        if let Some(current) = slot.current.as_ref().filter(|current| is_usable(current)) {
            return Ok(Arc::clone(current));
        }
        if let Some((at, fault)) = &slot.failed
            && *at > since
        {
            return Err(fault.clone());
        }
        slot.current = None;
        match open.await {
            Ok(opened) => Ok(Arc::clone(slot.current.insert(Arc::new(opened)))),
            Err(fault) => {
                slot.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_share_a_connection_and_an_attempt_that_failed() {
        let attempts = AtomicUsize::new(0);
        let shared = Shared::default();
        let open = |succeeds: bool| {
            let attempts = &attempts;
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let count = attempts.fetch_add(1, Ordering::Relaxed);
                let fault = || Fault::new(Failure::Connect, "refused");
                if succeeds { Ok(count) } else { Err(fault()) }
            }
        };
        let failed = join_all((0..5).map(|_| shared.get(|_| true, open(false)))).await;
        assert!(failed.iter().all(Result::is_err));
        let opened = join_all((0..5).map(|_| shared.get(|_| true, open(true)))).await;
        assert!(opened.iter().all(|it| it.as_deref() == Ok(&1)));
        let again = shared.get(|current| *current > 1, open(true)).await;
        assert_eq!(again.as_deref(), Ok(&2));
    }
}
