//! A TCP proxy that can hold back what a broker responds, and cut connections.

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Forward,
    /// What the broker sends is dropped.
    Silence,
    /// Connections are closed as soon as the broker has sent something.
    Cut,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, watched) = watch::channel(Mode::Forward);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(forward(client, port, watched.clone()));
            }
        });
        Self { address, mode, _task: task }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send(mode).unwrap();
    }
}

async fn forward(client: TcpStream, port: u16, mode: watch::Receiver<Mode>) {
    let Ok(broker) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (client_read, client_write) = client.into_split();
    let (broker_read, broker_write) = broker.into_split();
    tokio::select! {
        () = requests(client_read, broker_write) => {},
        () = responses(broker_read, client_write, mode) => {},
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Ends with the connection.
    drop(tokio::io::copy(&mut from, &mut to).await);
}

async fn responses(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let now = *mode.borrow();
        match now {
            Mode::Forward if to.write_all(&buffer[..count]).await.is_err() => return,
            Mode::Forward | Mode::Silence => {},
            Mode::Cut => return,
        }
    }
}
