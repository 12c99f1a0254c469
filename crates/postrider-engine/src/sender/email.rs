//! Sends e-mail over SMTP.
//!
//! `lettre` builds the messages and speaks the protocol, over connections that the address guard
//! made. Its own transport is not used: it connects by itself, sends to all recipients or none,
//! and its pool does not notice idle connections that broke.

mod connection;
mod error;
mod message;
mod open;
mod pool;
mod stream;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        email::{Email, Encryption},
    },
    outcome::Failure,
    target::Target,
};

use self::{connection::Receipt, error::SmtpError, message::Mail, pool::Server};
use super::{Call, Clients, Guard, Report, Sender};

/// For a whole e-mail. The server may take long to reply to the last byte.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Endpoints whose connections are kept.
const MAX_SERVERS: usize = 1_000;

/// How long the connections of an endpoint that is not used are kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Sends e-mail.
#[derive(Debug)]
pub struct EmailSender {
    guard: Guard,
    servers: Clients<Server>,
}

impl EmailSender {
    pub fn new(guard: Guard) -> Self {
        Self { guard, servers: Clients::new(MAX_SERVERS, IDLE_TIMEOUT) }
    }

    async fn deliver(&self, config: &Email, call: &Call) -> Result<Report, SmtpError> {
        let mail = Mail::new(config, call)?;
        let server = self.servers.get(&call.target, || Server::new(config.connections));
        let mut connection = match server.take().await {
            Some(connection) => connection,
            None => open::open(&self.guard, config, &call.target).await?,
        };
        let address = Some(connection.address);
        let sent = connection.send(&mail).await.map_err(|error| error.at(address));
        if sent.as_ref().map_or_else(SmtpError::leaves_connection, |_| true) {
            server.put(connection);
        }
        Ok(Report::delivered(done(config, &sent?)).at(address))
    }
}

fn email(target: &Target) -> Option<&Email> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    match &target.destination {
        Destination::Email(config) => Some(config),
        _ => None,
    }
}

/// What was done, for people.
fn done(config: &Email, Receipt { accepted, refused, reply }: &Receipt) -> String {
    let host = &config.host;
    let mut text = format!("accepted by {host} for {}: {reply}", accepted.join(", "));
    if !refused.is_empty() {
        text.push_str("\nnot accepted, and not sent again because the others have the e-mail:");
        text.extend(refused.iter().map(|it| format!("\n{it}")));
    }
    text
}

#[async_trait]
impl Sender for EmailSender {
    async fn send(&self, call: Call) -> Report {
        let Some(config) = email(&call.target) else {
            return Report::failed(Failure::Protocol, "internal error: this is not e-mail");
        };
        self.deliver(config, &call).await.unwrap_or_else(SmtpError::into_report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let Some(config) = email(&target) else {
            return Report::failed(Failure::Protocol, "internal error: this is not e-mail");
        };
        match open::open(&self.guard, config, &target).await {
            Ok(mut connection) => {
                let address = Some(connection.address);
                connection.quit().await;
                Report::delivered(checked(config)).at(address)
            },
            Err(error) => error.into_report(),
        }
    }

    fn time_limit(&self, _target: &Target) -> Option<Duration> {
        Some(TIME_LIMIT)
    }
}

fn checked(config: &Email) -> String {
    let encryption = match config.encryption() {
        Encryption::Starttls => "with STARTTLS",
        Encryption::Implicit => "over TLS",
        Encryption::None => "without encryption",
    };
    let login = if config.login().is_some() { " and logged in" } else { "" };
    format!("connected to {} {encryption}{login}; no e-mail was sent", config.host)
}
