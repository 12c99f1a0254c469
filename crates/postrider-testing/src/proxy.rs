//! A TCP proxy that holds back, loses or cuts what a server sends.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// What happens to what the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is passed on.
    Pass,
    /// It waits until the mode changes.
    Hold,
    /// It is lost.
    Lose,
    /// It is lost, and the connection is closed.
    Cut,
    /// The same, for one connection; afterwards everything is passed on.
    CutOnce,
}

/// A proxy in front of a server on this machine. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port of `host`, and connects to a port of 127.0.0.1.
    ///
    /// Panics if there is no free port.
    pub async fn start(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let mode = watch::Sender::new(Mode::Pass);
        let modes = mode.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(relay(client, port, modes.clone()));
            }
        });
        Self { address, mode, _tasks: tasks }
    }

    /// The address that the proxy listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port that the proxy listens on.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the mode, also of open connections.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn relay(client: TcpStream, port: u16, mode: watch::Sender<Mode>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = forward(from_client, to_server) => {},
        () = backward(from_server, to_client, mode) => {},
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // How a connection of a test ends does not matter.
    tokio::io::copy(&mut from, &mut to).await.ok();
}

async fn backward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: watch::Sender<Mode>) {
    let mut modes = mode.subscribe();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let Ok(now) = modes.wait_for(|mode| *mode != Mode::Hold).await.map(|mode| *mode) else {
            return;
        };
        let Some(bytes) = buffer.get(..read) else { return };
        match now {
            Mode::Lose => {},
            Mode::Cut => return,
            Mode::CutOnce => {
                mode.send_replace(Mode::Pass);
                return;
            },
            Mode::Pass | Mode::Hold => {
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            },
        }
    }
}
