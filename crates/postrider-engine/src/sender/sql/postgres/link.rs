//! A connection to PostgreSQL over a stream that the address guard opened.

use std::{
    fmt,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    task::{Context, Poll},
};

use postrider_core::{
    kind::sql::{Postgres, Server, TlsMode},
    target::Target,
};
use tokio::net::TcpStream;
use tokio_postgres::{
    AsyncMessage, Client, Config, Error, NoTls, Row, Statement,
    config::SslMode,
    tls::{MakeTlsConnect, TlsConnect},
    types::ToSql,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{lost, of_connection, of_statement};
use crate::sender::{
    Guard, Peer,
    sql::{any_certificate::trusting_any, failed::Failed},
};

/// PostgreSQL's own port, and that of PgBouncer.
const PORTS: [u16; 2] = [5432, 6432];

type Messages =
    Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// A connection. No task works for it: it moves while it is used.
pub(super) struct Link {
    client: Client,
    messages: Messages,
    address: SocketAddr,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects and authenticates.
    pub(super) async fn open(
        guard: &Guard,
        target: &Target,
        config: &Postgres,
    ) -> Result<Self, Failed> {
        let server = config.server();
        let peer = Peer { host: &server.host, port: server.port, own_ports: &PORTS };
        let (tcp, address) = guard.connect(peer, Some(target)).await?;
        // Statements are short, and each waits for its response.
        tcp.set_nodelay(true).ok();
        let settings = settings(&server);
        let opened = match server.tls {
            TlsMode::Disable => Self::over(&settings, tcp, address, NoTls).await,
            mode @ (TlsMode::Require | TlsMode::Verify) => {
                let trusted = config.trusted_certificates.as_deref();
                let tls = guard.tls(trusted)?;
                let is_verified = mode == TlsMode::Verify;
                let tls = if is_verified { (*tls).clone() } else { trusting_any(&tls) };
                let tls = MakeTlsConnect::<TcpStream>::make_tls_connect(
                    &mut MakeRustlsConnect::new(tls),
                    server.host.trim_matches(['[', ']']),
                );
                let tls = tls.map_err(|_| lost())?;
                Self::over(&settings, tcp, address, tls).await
            },
        };
        opened.map_err(|error| of_connection(&error).at(address))
    }

    async fn over<T>(
        settings: &Config,
        tcp: TcpStream,
        address: SocketAddr,
        tls: T,
    ) -> Result<Self, Error>
    where
        T: TlsConnect<TcpStream>,
        T::Stream: Send + 'static,
    {
        let (client, mut connection) = settings.connect_raw(tcp, tls).await?;
        let messages = Box::new(move |ctx: &mut Context<'_>| connection.poll_message(ctx));
        Ok(Self { client, messages, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs statements without parameters.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), Failed> {
        drive(&mut self.messages, self.client.batch_execute(sql)).await
    }

    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Statement, Failed> {
        drive(&mut self.messages, self.client.prepare(sql)).await
    }

    pub(super) async fn query(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failed> {
        drive(&mut self.messages, self.client.query(sql, parameters)).await
    }

    pub(super) async fn write(
        &mut self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Failed> {
        drive(&mut self.messages, self.client.execute(statement, parameters)).await.map(drop)
    }
}

fn settings(server: &Server) -> Config {
    let mut settings = Config::new();
    settings.user(&server.user).application_name("postrider");
    settings.ssl_mode(match server.tls {
        TlsMode::Disable => SslMode::Disable,
        TlsMode::Require | TlsMode::Verify => SslMode::Require,
    });
    if let Some(password) = &server.password {
        settings.password(password.reveal());
    }
    if let Some(database) = &server.database {
        settings.dbname(database);
    }
    settings
}

/// Moves the connection until the work is done.
async fn drive<T>(
    messages: &mut Messages,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failed> {
    let mut work = pin!(work);
    poll_fn(|ctx| {
        // First what the server sent, then the work, then what the work wants to send: otherwise
        // that would wait until the task is polled again, behind all other deliveries.
        let mut end = move_on(messages, ctx);
        let done = work.as_mut().poll(ctx);
        if done.is_pending() && end.is_none() {
            end = move_on(messages, ctx);
        }
        match (done, end) {
            // A connection that ended says why better than what waited for its response.
            (Poll::Ready(Err(_)) | Poll::Pending, Some(failed)) => Poll::Ready(Err(failed)),
            (Poll::Ready(ended), _) => Poll::Ready(ended.map_err(|error| of_statement(&error))),
            (Poll::Pending, None) => Poll::Pending,
        }
    })
    .await
}

/// Receives and sends as much as possible. Returns why the connection ended, if it did.
fn move_on(messages: &mut Messages, ctx: &mut Context<'_>) -> Option<Failed> {
    loop {
        match messages(ctx) {
            // Notices and notifications of the server.
            Poll::Ready(Some(Ok(_))) => {},
            Poll::Ready(Some(Err(error))) => return Some(of_statement(&error)),
            Poll::Ready(None) => return Some(lost()),
            Poll::Pending => return None,
        }
    }
}
