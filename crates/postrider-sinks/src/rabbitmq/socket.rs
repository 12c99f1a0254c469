//! The socket that the client library of RabbitMQ gets.

use std::{
    io,
    net::{Ipv4Addr, Shutdown},
};

use postrider_core::{kind::rabbitmq::RabbitmqServer, outcome::Failure, target::Target};
use postrider_engine::{Guard, Peer};
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::failed::Failed;

/// Ports that are always allowed for this kind.
const PORTS: &[u16] = &[5671, 5672];

/// Closes the library's socket when it is dropped. The library's thread ends only when the socket
/// is closed or the server agrees, so a server that does not respond would keep it for ever.
#[derive(Debug)]
pub(super) struct Socket {
    socket: std::net::TcpStream,
    /// Encrypts what the library sends, if the server speaks TLS.
    _relay: JoinSet<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A socket that is closed already is as good.
        drop(self.socket.shutdown(Shutdown::Both));
    }
}

/// Connects to the server, and returns what the library reads and writes.
pub(super) async fn open(
    guard: &Guard,
    server: &RabbitmqServer<'_>,
    target: Option<&Target>,
) -> Result<(TcpStream, Socket), Failed> {
    let broker = &server.broker;
    let peer = Peer { host: &broker.host, port: broker.port, own_ports: PORTS };
    let (mut tcp, _) = guard.connect(peer, target).await?;
    let mut relay = JoinSet::new();
    if broker.is_tls {
        tcp = encrypted(tls(guard, server, tcp).await?, &mut relay).await.map_err(unavailable)?;
    }
    let tcp = tcp.into_std().map_err(unavailable)?;
    let socket = Socket { socket: tcp.try_clone().map_err(unavailable)?, _relay: relay };
    Ok((TcpStream::from_std(tcp).map_err(unavailable)?, socket))
}

#[expect(clippy::needless_pass_by_value, reason = "it is a function for map_err")]
fn unavailable(error: io::Error) -> Failed {
    Failed::new(Failure::Connect, format!("no socket for the connection: {error}"))
}

async fn tls(
    guard: &Guard,
    server: &RabbitmqServer<'_>,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, Failed> {
    let config = guard.tls(server.trusted)?;
    let name = ServerName::try_from(server.broker.name().to_owned())
        .map_err(|_| Failed::misconfigured("the host cannot be in a certificate; correct `url`"))?;
    let connected = TlsConnector::from(config).connect(name, tcp).await;
    connected.map_err(|error| {
        Failed::new(Failure::Tls, format!("TLS with the RabbitMQ server failed: {error}"))
    })
}

/// A socket of this process whose other end is encrypted. The library accepts nothing but TCP, and
/// its own TLS does not know which certificates are trusted here.
async fn encrypted(
    mut tls: TlsStream<TcpStream>,
    relay: &mut JoinSet<()>,
) -> io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let mut far = loop {
        let (socket, peer) = listener.accept().await?;
        // Another process may have found the port first.
        if peer == near.local_addr()? {
            break socket;
        }
    };
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    relay.spawn(async move {
        // The library finds out how the connection ended, because its socket is closed.
        drop(tokio::io::copy_bidirectional(&mut far, &mut tls).await);
    });
    Ok(near)
}
