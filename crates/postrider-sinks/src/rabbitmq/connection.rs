//! A connection to a RabbitMQ server.

use std::{io, time::Duration};

use async_compat::Compat;
use lapin::{
    AsyncTcpStream, Channel, ConnectionProperties,
    options::{ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions},
    types::FieldTable,
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use postrider_core::{
    kind::{Credential, rabbitmq::RabbitmqServer},
    outcome::Failure,
    target::Target,
};
use postrider_engine::Guard;
use tokio::{net::TcpStream, sync::Mutex};

use super::{
    classify,
    publish::LANES,
    socket::{self, Socket},
};
use crate::{failed::Failed, shared::Connection};

/// How often each side shows that it is alive, in seconds.
const HEARTBEAT_SECONDS: u16 = 20;

/// Limits that the server can only lower: the library allocates buffers of 32 frames.
const FRAME_SIZE: u32 = 128 << 10;
const CHANNELS: u16 = 64;

/// How long the server may take to accept the connection and the credentials.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct RabbitmqConnection {
    connection: lapin::Connection,
    /// Channels of publishers, opened when they are needed.
    channels: [Mutex<Option<Channel>>; LANES],
    _socket: Socket,
}

impl Connection for RabbitmqConnection {
    fn is_lost(&self) -> bool {
        !self.connection.status().connected()
    }
}

impl RabbitmqConnection {
    pub(super) async fn open(
        guard: &Guard,
        server: RabbitmqServer<'_>,
        target: Option<&Target>,
    ) -> Result<Self, Failed> {
        let (stream, socket) = socket::open(guard, &server, target).await?;
        let connected = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(&server, stream)).await;
        let connection = connected.map_err(|_| {
            Failed::new(Failure::Timeout, "the server did not respond; does it speak AMQP 0-9-1?")
        })??;
        Ok(Self { connection, channels: Default::default(), _socket: socket })
    }

    /// Whether the server asked not to be sent messages.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// A new channel.
    pub(super) async fn channel(&self) -> Result<Channel, Failed> {
        self.connection.create_channel().await.map_err(|error| classify::error(&error))
    }

    /// The channel of a lane, on which messages are confirmed.
    pub(super) async fn publisher(&self, lane: usize) -> Result<Channel, Failed> {
        let slot = self.channels.get(lane).ok_or_else(super::unchecked)?;
        let mut slot = slot.lock().await;
        if let Some(channel) = slot.as_ref().filter(|channel| channel.status().connected()) {
            return Ok(channel.clone());
        }
        let channel = self.channel().await?;
        let confirmed = channel.confirm_select(ConfirmSelectOptions::default()).await;
        confirmed.map_err(|error| classify::error(&error))?;
        Ok(slot.insert(channel).clone())
    }

    /// Checks that the exchange exists, or the queue that the default exchange routes to.
    pub(super) async fn find(&self, exchange: &str, key: Option<&str>) -> Result<String, Failed> {
        let channel = self.channel().await?;
        let refused = |error: lapin::Error| classify::error(&error);
        if !exchange.is_empty() {
            let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
            let kind = lapin::ExchangeKind::Direct;
            let name = super::short("exchange", exchange)?;
            let found = channel.exchange_declare(name, kind, options, FieldTable::default()).await;
            return found.map(|()| format!("the exchange `{exchange}` exists")).map_err(refused);
        }
        let Some(queue) = key else {
            return Ok("the routing key depends on the message".to_owned());
        };
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let name = super::short("routingKey", queue)?;
        let found = channel.queue_declare(name, options, FieldTable::default()).await;
        found.map(|_| format!("the queue `{queue}` exists")).map_err(refused)
    }
}

async fn handshake(
    server: &RabbitmqServer<'_>,
    stream: TcpStream,
) -> Result<lapin::Connection, Failed> {
    let properties = ConnectionProperties::default().with_connection_name("postrider".into());
    let runtime = lapin::runtime::default_runtime().map_err(|error| classify::error(&error))?;
    let stream = AsyncTcpStream::Plain(Compat::new(stream));
    let stream = std::sync::Mutex::new(Some(stream));
    let take = async move |_, _| {
        let mut stream = stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        stream
            .take()
            .ok_or_else(|| lapin::Error::from(io::Error::from(io::ErrorKind::NotConnected)))
    };
    let connected = lapin::Connection::connector(uri(server), runtime, take, properties).await;
    connected.map_err(|error| classify::connect_error(&error))
}

fn uri(server: &RabbitmqServer<'_>) -> AMQPUri {
    let broker = &server.broker;
    let (user, password) = match (&broker.user, &broker.password) {
        (None, None) => ("guest", "guest"),
        (user, password) => (
            user.as_deref().unwrap_or_default(),
            password.as_ref().map(Credential::reveal).unwrap_or_default(),
        ),
    };
    AMQPUri {
        // The stream is encrypted already, if it has to be.
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: user.to_owned(), password: password.to_owned() },
            host: broker.host.clone(),
            port: broker.port,
        },
        vhost: server.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(HEARTBEAT_SECONDS),
            frame_max: Some(FRAME_SIZE),
            channel_max: Some(CHANNELS),
            ..AMQPQueryString::default()
        },
    }
}
