//! Opens connections to SMTP servers: address guard, TLS, login.

use std::{net::SocketAddr, time::Duration};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, AsyncTokioStream},
    commands::Starttls,
    extension::{ClientId, Extension},
};
use postrider_core::{
    kind::email::{Email, Encryption, Step},
    outcome::Failure,
    target::Target,
};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    connection::{Connection, STEP_TIMEOUT, limited},
    error::SmtpError,
    stream::{LentStream, SmtpStream},
};
use crate::sender::{Guard, Peer, tls};

/// The ports of SMTP.
const PORTS: [u16; 4] = [25, 465, 587, 2525];

const TLS_TIMEOUT: Duration = Duration::from_secs(10);

const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// A connection on which e-mail can be sent.
pub(super) async fn open(
    guard: &Guard,
    config: &Email,
    target: &Target,
) -> Result<Connection, SmtpError> {
    let host = config.host.trim_matches(['[', ']']);
    let peer = Peer { host, port: config.port(), own_ports: &PORTS };
    let (tcp, address) = guard.connect(peer, Some(target)).await?;
    let opening = Opening { guard, config, host, address };
    opening.open(tcp).await.map_err(|error| error.at(Some(address)))
}

struct Opening<'a> {
    guard: &'a Guard,
    config: &'a Email,
    host: &'a str,
    address: SocketAddr,
}

impl Opening<'_> {
    async fn open(&self, tcp: TcpStream) -> Result<Connection, SmtpError> {
        let stream = match self.config.encryption() {
            Encryption::None => SmtpStream::plain(tcp, self.address),
            Encryption::Implicit => SmtpStream::tls(self.encrypt(tcp).await?, self.address),
            Encryption::Starttls => {
                let tcp = self.starttls(tcp).await?;
                SmtpStream::upgraded(self.encrypt(tcp).await?, self.address)
            },
        };
        let mut smtp = self.greet(Box::new(stream)).await?;
        self.log_in(&mut smtp).await?;
        Ok(Connection { smtp, address: self.address })
    }

    /// Waits for the greeting and says EHLO.
    async fn greet(
        &self,
        stream: Box<dyn AsyncTokioStream>,
    ) -> Result<AsyncSmtpConnection, SmtpError> {
        let name = ClientId::Domain(self.config.from.domain.clone());
        let greeting = AsyncSmtpConnection::connect_with_transport(stream, &name);
        let about = "the connection";
        limited(STEP_TIMEOUT, about, greeting)
            .await?
            .map_err(|error| SmtpError::at_step(Step::Greeting, about, &error))
    }

    /// Asks the server to begin TLS. If an attacker removed the offer, nothing is sent.
    async fn starttls(&self, tcp: TcpStream) -> Result<TcpStream, SmtpError> {
        let lent = LentStream::new(SmtpStream::plain(tcp, self.address));
        let mut smtp = self.greet(Box::new(lent.clone())).await?;
        if !smtp.server_info().supports_feature(Extension::StartTls) {
            let reason = "the server does not offer STARTTLS; use the port and `tls: \"implicit\"` \
                          if it supports TLS, or `tls: \"none\"` to send without encryption";
            return Err(SmtpError::new(Failure::Misconfigured, reason));
        }
        limited(STEP_TIMEOUT, "STARTTLS", smtp.command(Starttls))
            .await?
            .map_err(|error| SmtpError::at_step(Step::Starttls, "STARTTLS", &error))?;
        drop(smtp);
        lent.into_tcp()
            .ok_or_else(|| SmtpError::new(Failure::Protocol, "internal error: stream is in use"))
    }

    async fn encrypt(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, SmtpError> {
        let name = ServerName::try_from(self.host.to_owned()).map_err(|error| {
            let reason = format!("the host cannot be in a certificate: {error}");
            SmtpError::new(Failure::Misconfigured, reason)
        })?;
        let config = self.guard.tls(self.config.trusted_certificates.as_deref())?;
        let handshake = TlsConnector::from(config).connect(name, tcp);
        limited(TLS_TIMEOUT, "the beginning of TLS; is this the port for it?", handshake)
            .await?
            .map_err(|error| SmtpError::new(Failure::Tls, tls::explain_handshake(&error)))
    }

    async fn log_in(&self, smtp: &mut AsyncSmtpConnection) -> Result<(), SmtpError> {
        let Some((username, password)) = self.config.login() else { return Ok(()) };
        if smtp.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
            let reason = "the server offers no login with AUTH PLAIN or LOGIN; remove username \
                          and password, or use another port or encryption";
            return Err(SmtpError::new(Failure::Misconfigured, reason));
        }
        let credentials = Credentials::new(username.to_owned(), password.reveal().to_owned());
        limited(STEP_TIMEOUT, "the login", smtp.auth(&MECHANISMS, &credentials))
            .await?
            .map(drop)
            .map_err(|error| SmtpError::at_step(Step::Login, "the login", &error).without(password))
    }
}
