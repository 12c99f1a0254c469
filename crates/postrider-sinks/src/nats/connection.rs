//! A connection to a NATS server.
//!
//! The client library connects to addresses itself, so it gets only addresses that were checked,
//! and verifies the server's certificate for the host of the URL. It ignores the servers that a
//! server advertises. It makes at most one round of attempts to reconnect, to the same addresses;
//! the connection counts as lost from the moment when it broke, and its successor resolves the
//! host again.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_nats::{
    ConnectOptions, Event, ServerAddr, ServerError,
    jetstream::{Context, context::ContextBuilder, message::PublishMessage, publish::PublishAck},
};
use postrider_core::{
    kind::nats::{NatsAuth, NatsServer},
    outcome::Failure,
    target::Target,
};
use postrider_engine::{Guard, Peer};
use tokio::sync::watch;

use super::classify;
use crate::{failed::Failed, shared::Connection};

/// Ports that are always allowed for this kind.
const PORTS: &[u16] = &[4222];

/// How long a confirmation may take. Deliveries have a shorter limit of their own.
const ACK_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an abandoned confirmation occupies a place, and how many places there are.
const ABANDONED_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_UNCONFIRMED: usize = 8_000;

/// How often the server is asked whether it is still there. It is lost after three times without
/// a response.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Most refused subjects that are remembered. After that, a new connection is made.
const MAX_REFUSED: usize = 1_000;

#[derive(Debug)]
pub(super) struct NatsConnection {
    pub(super) jetstream: Context,
    status: watch::Receiver<Status>,
}

/// What the server said about the connection, apart from confirmations.
#[derive(Debug, Default)]
struct Status {
    /// Nothing that was sent is confirmed any more.
    lost: Option<Failed>,
    /// Subjects that may not be published to, in order.
    refused: Vec<String>,
}

impl Status {
    /// Records an event; returns whether deliveries have to know.
    fn note(&mut self, event: &Event) -> bool {
        let found = match event {
            Event::Disconnected | Event::Closed => Some(classify::lost()),
            Event::ServerError(ServerError::AuthorizationViolation) => {
                Some(classify::server_error("authorization violation"))
            },
            Event::ServerError(ServerError::Other(text)) => match classify::refused_subject(text) {
                Some(subject) if self.refused.len() < MAX_REFUSED => {
                    self.refused.push(subject.to_owned());
                    return true;
                },
                _ => Some(classify::server_error(text)),
            },
            Event::ServerError(ServerError::SlowConsumer(_))
            | Event::Connected
            | Event::LameDuckMode
            | Event::Draining
            | Event::SlowConsumer(_)
            | Event::ClientError(_) => None,
        };
        let is_news = self.lost.is_none() && found.is_some();
        // The first cause stays: being disconnected follows from it.
        self.lost = self.lost.take().or(found);
        is_news
    }
}

impl Connection for NatsConnection {
    fn is_lost(&self) -> bool {
        self.status.borrow().lost.is_some()
    }
}

impl NatsConnection {
    pub(super) async fn open(
        guard: &Guard,
        server: NatsServer<'_>,
        target: Option<&Target>,
    ) -> Result<Self, Failed> {
        let broker = &server.broker;
        let peer = Peer { host: &broker.host, port: broker.port, own_ports: PORTS };
        let addresses = guard.resolve(peer, target).await?;
        let (events, status) = watch::channel(Status::default());
        let events = Arc::new(events);
        let options =
            options(guard, &server)?.max_reconnects(addresses.len()).event_callback(move |event| {
                events.send_if_modified(|status| status.note(&event));
                std::future::ready(())
            });
        let addresses: Vec<ServerAddr> =
            addresses.iter().filter_map(|it| server_address(*it, broker.is_tls)).collect();
        let client =
            options.connect(addresses).await.map_err(|error| classify::connect_error(&error))?;
        let jetstream = ContextBuilder::new()
            .timeout(ACK_TIMEOUT)
            .ack_timeout(ABANDONED_TIMEOUT)
            .max_ack_inflight(MAX_UNCONFIRMED)
            .build(client);
        Ok(Self { jetstream, status })
    }

    /// Publishes a message and waits for the confirmation.
    pub(super) async fn publish(
        &self,
        subject: String,
        message: PublishMessage,
    ) -> Result<PublishAck, Failed> {
        let mut status = self.status.clone();
        let refused_before = status.borrow_and_update().refused.len();
        let published =
            async { self.jetstream.send_publish(subject.clone(), message).await?.await };
        tokio::pin!(published);
        loop {
            let changed = tokio::select! {
                biased;
                result = &mut published => {
                    return result.map_err(|error| classify::publish_error(&error, &subject));
                },
                changed = status.changed() => changed,
            };
            let status = status.borrow_and_update();
            if changed.is_err() {
                return Err(classify::lost());
            }
            if let Some(failed) = &status.lost {
                return Err(failed.clone());
            }
            if status.refused.iter().skip(refused_before).any(|refused| *refused == subject) {
                return Err(classify::may_not_publish(&subject));
            }
        }
    }

    /// Waits until the connection is lost.
    pub(super) async fn lost(&self) -> Failed {
        let mut status = self.status.clone();
        let lost = status.wait_for(|status| status.lost.is_some()).await;
        lost.ok().and_then(|status| status.lost.clone()).unwrap_or_else(classify::lost)
    }

    /// The stream that stores a subject.
    pub(super) async fn stream_of(&self, subject: &str) -> Result<String, Failed> {
        let found = self.jetstream.stream_by_subject(subject).await;
        found.map_err(|error| classify::lookup_error(&error, subject))
    }
}

fn server_address(address: SocketAddr, is_tls: bool) -> Option<ServerAddr> {
    let scheme = if is_tls { "tls" } else { "nats" };
    format!("{scheme}://{address}").parse().ok()
}

fn options(guard: &Guard, server: &NatsServer<'_>) -> Result<ConnectOptions, Failed> {
    // A server can ask for TLS also if the URL does not.
    let tls = guard.tls_for(server.broker.name(), server.trusted)?;
    let options = ConnectOptions::new()
        .name("postrider")
        .ping_interval(PING_INTERVAL)
        .ignore_discovered_servers()
        .retain_servers_order()
        .require_tls(server.broker.is_tls)
        .tls_client_config(Arc::unwrap_or_clone(tls));
    let options = match server.auth {
        NatsAuth::Url => match (&server.broker.user, &server.broker.password) {
            (Some(user), Some(password)) => {
                options.user_and_password(user.clone(), password.reveal().to_owned())
            },
            _ => options,
        },
        NatsAuth::Token(token) => options.token(token.reveal().to_owned()),
        NatsAuth::Nkey(seed) => options.nkey(seed.reveal().trim().to_owned()),
        NatsAuth::Credentials(text) => options.credentials(text.reveal()).map_err(|_| {
            let reason = "`credentials` is not the content of a NATS credentials file; it contains \
                          a user JWT and a seed";
            Failed::new(Failure::Misconfigured, reason)
        })?,
    };
    Ok(options)
}
