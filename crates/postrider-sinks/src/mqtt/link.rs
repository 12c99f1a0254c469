//! One connection to a broker: publishes messages, receives confirmations, sends pings.

use std::{net::SocketAddr, time::Duration};

use bytes::BytesMut;
use postrider_core::{
    kind::mqtt::{Mqtt, connection, disconnection},
    outcome::Failure,
    target::Target,
};
use postrider_engine::Guard;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{self, Interval, MissedTickBehavior},
};

use super::{
    IDLE_TIMEOUT,
    packet::{self, Allowed, Incoming},
    session::{Confirmed, Session},
};
use crate::{
    connection::{Address, Stream, open},
    failed::Failed,
    shared::Connection,
};

const OWN_PORTS: [u16; 2] = [1883, 8883];

/// Seconds after which the broker gives up a client that sends nothing.
const KEEP_ALIVE: u16 = 60;

/// Most messages in flight, even if the broker allows more.
const MAX_IN_FLIGHT: u16 = 1_000;

/// Messages are encoded up to this many bytes ahead of the socket.
const MAX_BUFFERED: usize = 256 << 10;

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Link {
    requests: mpsc::Sender<Request>,
    allowed: Allowed,
    address: SocketAddr,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Request {
    publish: Publish,
    confirmed: oneshot::Sender<Confirmed>,
}

impl Link {
    /// Connects and authenticates.
    pub(super) async fn open(
        guard: &Guard,
        target: &Target,
        config: &Mqtt,
        client_id: String,
    ) -> Result<Self, Failed> {
        let to = Address {
            host: config.url.host_str().unwrap_or_default(),
            port: config.port(),
            own_ports: &OWN_PORTS,
            uses_tls: config.uses_tls(),
            trusted: config.trusted_certificates.as_deref(),
        };
        let (mut stream, address) = open(guard, Some(target), to).await?;
        let mut inbox = BytesMut::new();
        let greeted = greet(&mut stream, &mut inbox, config, client_id).await;
        let allowed = greeted.map_err(|failed| failed.at(address))?;
        let keep_alive = allowed.keep_alive.filter(|seconds| *seconds > 0).unwrap_or(KEEP_ALIVE);
        let (requests, receiver) = mpsc::channel(usize::from(MAX_IN_FLIGHT));
        let driver = Driver {
            inbox,
            outbox: BytesMut::new(),
            session: Session::new(allowed.in_flight.min(MAX_IN_FLIGHT)),
            // The broker has just accepted the client.
            activity: Activity { heard: true, ..Activity::default() },
            tick: Duration::from_secs(keep_alive.into()) / 2,
        };
        let mut task = JoinSet::new();
        task.spawn(driver.run(stream, receiver, address));
        Ok(Self { requests, allowed, address, _task: task })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Publishes a message and waits until the broker has confirmed it.
    pub(super) async fn publish(&self, publish: Publish) -> Confirmed {
        // With a packet id, which has a fixed length.
        let bytes = Publish { pkid: 1, ..publish.clone() }.size();
        let limit = self.allowed.packet_bytes.and_then(|limit| usize::try_from(limit).ok());
        if let Some(limit) = limit.filter(|limit| bytes > *limit) {
            let reason = format!(
                "the message has {bytes} bytes as a packet; the broker accepts at most {limit}"
            );
            return Err(Failed::new(Failure::Rejected, reason).at(self.address));
        }
        let (confirmed, confirmation) = oneshot::channel();
        let lost = || interrupted(self.address);
        self.requests.send(Request { publish, confirmed }).await.map_err(|_| lost())?;
        let result = confirmation.await.map_err(|_| lost())?;
        result.map_err(|failed| failed.at(self.address))
    }
}

impl Connection for Link {
    fn is_lost(&self) -> bool {
        self.requests.is_closed()
    }
}

fn interrupted(address: SocketAddr) -> Failed {
    broken("the connection broke").at(address)
}

/// Why a message that was sent is not known to have arrived.
fn broken(cause: &str) -> Failed {
    let reason = format!(
        "{cause} before the broker confirmed the message; it may have arrived, and is sent again"
    );
    Failed::new(Failure::Unavailable, reason)
}

/// Opens the session.
async fn greet(
    stream: &mut Stream,
    inbox: &mut BytesMut,
    config: &Mqtt,
    client_id: String,
) -> Result<Allowed, Failed> {
    let mut hello = BytesMut::new();
    packet::connect(config, client_id, KEEP_ALIVE, &mut hello)?;
    let closed = || {
        let reason = "the broker closed the connection before it accepted the client; check the \
                      port and whether it expects TLS";
        Failed::new(Failure::Unavailable, reason)
    };
    stream.write_all(&hello).await.map_err(|_| closed())?;
    stream.flush().await.map_err(|_| closed())?;
    loop {
        if let Some(incoming) = packet::read(inbox)? {
            return accepted(incoming, config);
        }
        if stream.read_buf(inbox).await.map_err(|_| closed())? == 0 {
            return Err(closed());
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the caller gives it away")]
fn accepted(incoming: Incoming, config: &Mqtt) -> Result<Allowed, Failed> {
    let misconfigured = |reason| Err(Failed::new(Failure::Misconfigured, reason));
    match incoming {
        Incoming::Connected { code, allowed } => match connection(code) {
            Some(reason) => Err(reason.into()),
            None if !allowed.qos_1 => misconfigured("the broker confirms nothing (QoS 0 only)"),
            None if config.retain && !allowed.retain => {
                misconfigured("the broker does not retain messages; set `retain` to false")
            },
            None => Ok(allowed),
        },
        Incoming::Disconnected { code } => Err(disconnection(code).into()),
        Incoming::Confirmed { .. } | Incoming::Other => {
            Err(Failed::new(Failure::Unavailable, "the broker did not respond as MQTT 5 requires"))
        },
    }
}

/// The state of a connection while it is open.
#[derive(Debug)]
struct Driver {
    inbox: BytesMut,
    outbox: BytesMut,
    session: Session,
    activity: Activity,
    tick: Duration,
}

/// What has happened since the last tick.
#[derive(Debug, Default)]
struct Activity {
    heard: bool,
    confirmed: bool,
    idle_for: Duration,
}

impl Driver {
    async fn run(
        mut self,
        stream: Stream,
        mut requests: mpsc::Receiver<Request>,
        address: SocketAddr,
    ) {
        let (mut read, mut write) = io::split(stream);
        let failed = match self.exchange(&mut read, &mut write, &mut requests).await {
            Ok(()) => interrupted(address),
            Err(failed) => failed,
        };
        requests.close();
        self.session.fail(&failed);
        while let Some(request) = requests.recv().await {
            // The caller may have given up.
            drop(request.confirmed.send(Err(failed.clone())));
        }
    }

    /// Runs until the connection is not used any more, or breaks.
    async fn exchange(
        &mut self,
        read: &mut ReadHalf<Stream>,
        write: &mut WriteHalf<Stream>,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<(), Failed> {
        let mut ticks = ticks(self.tick);
        let mut needs_flush = false;
        loop {
            let may_send = self.outbox.len() < MAX_BUFFERED && self.session.has_room();
            let may_write = needs_flush || !self.outbox.is_empty();
            tokio::select! {
                count = read.read_buf(&mut self.inbox) => {
                    if count.map_err(|_| broken("the connection broke"))? == 0 {
                        return Err(broken("the broker closed the connection"));
                    }
                    self.take_packets()?;
                },
                flushed = push(write, &mut self.outbox), if may_write => {
                    needs_flush = !flushed.map_err(|_| broken("the connection broke"))?;
                },
                request = requests.recv(), if may_send => match request {
                    Some(request) => self.start(request, requests)?,
                    None => return Ok(()),
                },
                _ = ticks.tick() => {
                    if self.on_tick()? {
                        packet::disconnect(&mut self.outbox)?;
                        // The connection is closed in any case.
                        drop(write.write_all_buf(&mut self.outbox).await);
                        return Ok(());
                    }
                },
            }
        }
    }

    fn take_packets(&mut self) -> Result<(), Failed> {
        self.activity.heard = true;
        while let Some(incoming) = packet::read(&mut self.inbox)? {
            match incoming {
                Incoming::Confirmed { id, code } => {
                    self.activity.confirmed = true;
                    self.session.confirm(id, code);
                },
                Incoming::Disconnected { code } => return Err(disconnection(code).into()),
                Incoming::Connected { .. } | Incoming::Other => {},
            }
        }
        Ok(())
    }

    /// Encodes the message, and those that already wait behind it.
    fn start(
        &mut self,
        first: Request,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<(), Failed> {
        self.activity.idle_for = Duration::ZERO;
        let mut next = Some(first);
        while let Some(Request { mut publish, confirmed }) = next {
            // A message whose caller has given up is not sent.
            if !confirmed.is_closed() {
                publish.pkid = self.session.begin(confirmed);
                packet::write(&Packet::Publish(publish), &mut self.outbox)?;
            }
            let may_send = self.outbox.len() < MAX_BUFFERED && self.session.has_room();
            next = if may_send { requests.try_recv().ok() } else { None };
        }
        Ok(())
    }

    /// Sends a ping. Returns whether the connection was not used for long.
    fn on_tick(&mut self) -> Result<bool, Failed> {
        let Activity { heard, confirmed, idle_for } = std::mem::take(&mut self.activity);
        if !heard {
            return Err(broken("the broker stopped responding"));
        }
        if !confirmed && self.session.has_abandoned() {
            return Err(broken("the broker stopped confirming messages"));
        }
        self.activity.idle_for = idle_for + self.tick;
        packet::ping(&mut self.outbox)?;
        Ok(self.session.is_empty() && self.activity.idle_for > IDLE_TIMEOUT)
    }
}

/// The first tick comes after the first period.
fn ticks(period: Duration) -> Interval {
    let mut ticks = time::interval_at(time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Writes what the socket takes. Returns whether everything has been handed to it.
async fn push(write: &mut WriteHalf<Stream>, outbox: &mut BytesMut) -> io::Result<bool> {
    if outbox.is_empty() {
        write.flush().await?;
        return Ok(true);
    }
    write.write_buf(outbox).await?;
    Ok(false)
}
