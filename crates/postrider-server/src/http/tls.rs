//! TLS on the API's listener, with a certificate that is read again when its files change.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    task,
    time::MissedTickBehavior,
};
use tokio_rustls::{Accept, TlsAcceptor};
use tokio_util::sync::CancellationToken;

/// Time between two looks at the files.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);

/// What is offered to clients, best first.
const HTTP_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)", .0.display())]
    NoKey(PathBuf),
    #[error("{} is not valid PEM", .0.display())]
    Pem(PathBuf),
    #[error("the key in {} cannot be used with the certificate in {}", key.display(), certificate.display())]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
}

/// TLS for a listener. Copies share the certificate.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: Arc<Files>,
    requested: Arc<Notify>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Reads the certificate with its chain, and its key.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or if they do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsFileError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let stamp = files.stamp();
        let certified = files.load()?;
        let state = State { certified: Arc::new(certified), stamp };
        let current = Arc::new(Current(Mutex::new(state)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = HTTP_PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            current,
            files: Arc::new(files),
            requested: Arc::default(),
        })
    }

    /// Has the files read again now.
    pub fn reload(&self) {
        self.requested.notify_one();
    }

    /// Reads the files again whenever they have changed, until `stop`. Files that cannot be used
    /// are logged, and the previous certificate stays in use.
    pub async fn follow_files(self, stop: CancellationToken) {
        let mut checks = tokio::time::interval(CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_requested = tokio::select! {
                () = stop.cancelled() => return,
                () = self.requested.notified() => true,
                _ = checks.tick() => false,
            };
            let tls = self.clone();
            // Files may be on a network.
            if let Err(error) = task::spawn_blocking(move || tls.check(is_requested)).await {
                tracing::error!(%error, "certificate files were not checked");
            }
        }
    }

    /// Reads the files if they have changed or if that is requested.
    fn check(&self, is_requested: bool) {
        // Taken before the files are read: a change in between is noticed by the next check.
        let stamp = self.files.stamp();
        if !is_requested && stamp == self.current.lock().stamp {
            return;
        }
        let loaded = self.files.load();
        let mut current = self.current.lock();
        current.stamp = stamp;
        let certificate = self.files.certificate.display();
        match loaded {
            Ok(certified) => {
                current.certified = Arc::new(certified);
                tracing::info!(%certificate, "new TLS certificate is in use");
            },
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "TLS certificate was not replaced; the previous one stays in use"
            ),
        }
    }

    /// Begins the handshake of a connection.
    pub(super) fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Accept<S> {
        self.acceptor.accept(stream)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificate in use.
struct Current(Mutex<State>);

struct State {
    certified: Arc<CertifiedKey>,
    stamp: [Stamp; 2],
}

impl Current {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.lock().certified))
    }
}

/// The files of a certificate.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What changes when a file does: its time of modification and its size; nothing if it is missing.
type Stamp = Option<(SystemTime, u64)>;

impl Files {
    fn stamp(&self) -> [Stamp; 2] {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    fn load(&self) -> Result<CertifiedKey, TlsFileError> {
        let pem = read(&self.certificate)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.map_err(|_| TlsFileError::Pem(self.certificate.clone()))?;
        if chain.is_empty() {
            return Err(TlsFileError::NoCertificate(self.certificate.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| {
            let is_missing = matches!(error, pem::Error::NoItemsFound);
            let path = self.key.clone();
            if is_missing { TlsFileError::NoKey(path) } else { TlsFileError::Pem(path) }
        })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsFileError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    fs::read(path).map_err(|source| TlsFileError::Read { path: path.to_owned(), source })
}
