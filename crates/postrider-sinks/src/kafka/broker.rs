//! A connection to one broker: versions, authentication, requests.

use std::{
    io::Cursor,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use postrider_core::{
    kind::kafka::{Access, Login, Mechanism, Reaction, host_and_port, reaction},
    outcome::Failure,
    target::Target,
};
use postrider_engine::{Batcher, Guard};
use rskafka::{
    SaslError,
    client::{Credentials, SaslConfig},
    messenger::{Messenger, RequestError},
    protocol::{
        error::Error,
        messages::{MetadataRequest, ReadVersionedType, RequestBody, WriteVersionedType},
        primitives::{Boolean, Int16},
    },
};
use tokio::{io::BufStream, time::Instant};

use super::{
    produce::{Item, Written},
    watched::Watched,
};
use crate::{
    connection::{Address, open},
    failed::Failed,
    shared::{self, Shared},
};

/// The ports of Kafka's examples: without TLS, with TLS, with SASL.
const OWN_PORTS: [u16; 5] = [9092, 9093, 9094, 9095, 9096];

/// Most bytes of a response. Reading a queue gets at most a few partitions with 1 MiB each, and a
/// batch that is larger alone.
const MAX_RESPONSE: usize = 64 << 20;

/// A request that takes longer than this is given up, with its connection.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that was unused for this long is tried out first: the broker may have closed it,
/// and a message that is sent on it would have to be sent again.
const PROBED_AFTER: Duration = Duration::from_secs(1);

/// Most records that are written at once.
const MAX_RECORDS: usize = 1_000;

const CLIENT_ID: &str = "postrider";

/// On whose behalf brokers are called, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub guard: &'a Guard,
    pub target: Option<&'a Target>,
    pub access: Access<'a>,
}

/// A broker: its connection and the records that wait to be written to it.
#[derive(Debug)]
pub(super) struct Broker {
    /// `host:port`, as configured or advertised.
    name: String,
    connection: Shared<Connection>,
    pub batcher: Batcher<Item, Written>,
}

impl Broker {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            connection: Shared::new(),
            batcher: Batcher::new(MAX_RECORDS),
        }
    }

    /// A connection that works, as far as can be known.
    pub(super) async fn connection(&self, context: Context<'_>) -> Result<Arc<Connection>, Failed> {
        let open = || async {
            Connection::open(context, &self.name).await.map_err(|failed| Failed {
                reason: format!("broker {}: {}", self.name, failed.reason),
                ..failed
            })
        };
        let current = self.connection.get(open).await?;
        if current.idle_for() < PROBED_AFTER || current.probe().await.is_ok() {
            return Ok(current);
        }
        self.connection.get(open).await
    }
}

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Connection {
    messenger: Messenger<BufStream<Watched>>,
    address: SocketAddr,
    is_broken: Arc<AtomicBool>,
    used_at: Mutex<Instant>,
}

impl Connection {
    async fn open(context: Context<'_>, name: &str) -> Result<Self, Failed> {
        let Some((host, port)) = host_and_port(name) else {
            let reason = "the address is not a host and a port; correct `brokers`, or what the \
                          brokers advertise";
            return Err(Failed::new(Failure::Misconfigured, reason));
        };
        let Context { guard, target, access } = context;
        let (uses_tls, trusted) = (access.tls, access.trusted);
        let to = Address { host, port, own_ports: &OWN_PORTS, uses_tls, trusted };
        let (stream, address) = open(guard, target, to).await?;
        let is_broken = Arc::new(AtomicBool::new(false));
        let stream = BufStream::new(Watched::new(stream, Arc::clone(&is_broken)));
        let mut messenger = Messenger::new(stream, MAX_RESPONSE, Arc::from(CLIENT_ID));
        messenger.sync_versions().await.map_err(|_| not_kafka().at(address))?;
        if let Some(login) = access.login {
            let authenticated = messenger.do_sasl(sasl(login)).await;
            authenticated.map_err(|error| not_authenticated(&error).at(address))?;
        }
        let used_at = Mutex::new(Instant::now());
        Ok(Self { messenger, address, is_broken, used_at })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    fn idle_for(&self) -> Duration {
        self.used_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Asks for nothing.
    async fn probe(&self) -> Result<(), Failed> {
        self.request(metadata(Vec::new())).await.map(drop)
    }

    /// Sends a request and waits for the response. A connection on which that did not succeed is
    /// not used again, also if the caller gave up.
    pub(super) async fn request<R>(&self, request: R) -> Result<R::ResponseBody, Failed>
    where
        R: RequestBody + Send + WriteVersionedType<Vec<u8>>,
        R::ResponseBody: ReadVersionedType<Cursor<Vec<u8>>>,
    {
        let mut unanswered = Unanswered { connection: self, is_answered: false };
        let response = tokio::time::timeout(REQUEST_TIMEOUT, self.messenger.request(request)).await;
        let response = response.map_err(|_| {
            Failed::new(Failure::Timeout, "the broker did not respond within 30 s").at(self.address)
        })?;
        let body = response.map_err(|error| broken(&error).at(self.address))?;
        unanswered.is_answered = true;
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(body)
    }
}

impl shared::Connection for Connection {
    fn is_lost(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }
}

/// Marks the connection as broken, unless there was a response.
struct Unanswered<'a> {
    connection: &'a Connection,
    is_answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.is_broken.store(true, Ordering::Relaxed);
        }
    }
}

/// A request for what is known of these topics. The broker creates none of them.
pub(super) fn metadata(
    topics: Vec<rskafka::protocol::messages::MetadataRequestTopic>,
) -> MetadataRequest {
    MetadataRequest { topics: Some(topics), allow_auto_topic_creation: Some(Boolean(false)) }
}

/// The failure of a code that is not retried here.
pub(super) fn refused(error: Error) -> Failed {
    let Int16(code) = Int16::from(Some(error));
    let (Reaction::Fail(failure, reason)
    | Reaction::Refresh(failure, reason)
    | Reaction::Split(failure, reason)) = reaction(code);
    Failed::new(failure, format!("{reason} (Kafka error {code})"))
}

fn broken(error: &RequestError) -> Failed {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are about the connection")]
    match error {
        RequestError::NoVersionMatch { .. } => Failed::new(
            Failure::Misconfigured,
            "the broker is too old or too new: it does not support the requests of Kafka 1.0 to 4",
        ),
        RequestError::ReadVersionedError(error) if is_unknown_compression(error) => Failed::new(
            Failure::Misconfigured,
            "the records are compressed with a method other than gzip, which cannot be read",
        ),
        _ => Failed::new(Failure::Unavailable, "the connection to the broker broke"),
    }
}

fn is_unknown_compression(error: &impl ToString) -> bool {
    error.to_string().contains("Unimplemented compression")
}

fn not_kafka() -> Failed {
    let reason = "the broker closed the connection or did not respond as Kafka does; check the \
                  port, and whether it expects `tls`";
    Failed::new(Failure::Unavailable, reason)
}

fn sasl(Login { mechanism, username, password }: Login<'_>) -> SaslConfig {
    let credentials = Credentials::new(username.to_owned(), password.reveal().to_owned());
    match mechanism {
        Mechanism::Plain => SaslConfig::Plain(credentials),
        Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
        Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
    }
}

/// The library's texts are not passed on: they may contain what was sent.
fn not_authenticated(error: &SaslError) -> Failed {
    match error {
        SaslError::RequestError(_) => Failed::new(
            Failure::Unavailable,
            "the broker closed the connection during authentication; check `mechanism`, \
             `username` and `password`, and whether this port expects them",
        ),
        SaslError::ApiError(error) => refused(*error),
        SaslError::UnsupportedSaslMechanism | SaslError::InvalidSaslMechanism(_) => Failed::new(
            Failure::Misconfigured,
            "the broker does not support the SASL mechanism; set `mechanism` to one that it has",
        ),
        SaslError::SaslSessionError(_) | SaslError::InvalidConfig(_) | SaslError::Callback(_) => {
            Failed::new(
                Failure::Misconfigured,
                "the authentication failed; correct `username` and `password`",
            )
        },
    }
}
