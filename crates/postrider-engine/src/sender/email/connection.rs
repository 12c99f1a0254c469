//! A connection on which e-mails are handed over.

use std::{fmt, net::SocketAddr, time::Duration};

use lettre::{
    Address,
    transport::smtp::{
        client::AsyncSmtpConnection,
        commands::{Data, Mail as MailCommand, Rcpt, Rset},
        extension::{Extension, MailBodyParameter, MailParameter},
    },
};
use postrider_core::{
    kind::email::{Step, classify},
    outcome::Failure,
};

use super::{
    error::{Reply, SmtpError},
    message::Mail,
};

/// For the reply to a command.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// For the reply to the e-mail itself, which many servers examine before they accept it.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(90);

/// For commands without which everything works too.
const COURTESY_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that is greeted, encrypted and logged in as the configuration says.
pub(super) struct Connection {
    pub smtp: AsyncSmtpConnection,
    pub address: SocketAddr,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What the server accepted.
#[derive(Debug)]
pub(super) struct Receipt {
    pub accepted: Vec<String>,
    /// Recipients that were refused, each with the server's reply.
    pub refused: Vec<String>,
    pub reply: Reply,
}

/// What the server said to the recipients.
#[derive(Default)]
struct Recipients {
    accepted: Vec<String>,
    refused: Vec<(String, Reply)>,
}

/// The result within a time limit; `about` is what was sent to the server.
pub(super) async fn limited<T>(
    limit: Duration,
    about: &str,
    step: impl Future<Output = T>,
) -> Result<T, SmtpError> {
    let ended = tokio::time::timeout(limit, step).await;
    ended.map_err(|_| SmtpError::timed_out(about, limit.as_secs()))
}

impl Connection {
    /// Hands an e-mail over, to those recipients that the server accepts.
    pub(super) async fn send(&mut self, mail: &Mail) -> Result<Receipt, SmtpError> {
        let command = MailCommand::new(Some(mail.from.clone()), self.parameters(mail)?);
        self.command(Step::Sender, "the sender", command).await?;
        let recipients = self.recipients(&mail.to).await?;
        if recipients.accepted.is_empty() {
            return Err(recipients.into_error());
        }
        self.command(Step::Content, "the e-mail", Data).await?;
        let sending = self.smtp.message(&mail.content);
        let reply = limited(CONTENT_TIMEOUT, "the e-mail, which may arrive twice,", sending)
            .await?
            .map_err(|error| SmtpError::at_step(Step::Content, "the e-mail", &error))?;
        let text: Vec<_> = reply.message().collect();
        Ok(Receipt {
            accepted: recipients.accepted,
            refused: recipients.refused.iter().map(|(to, it)| format!("{to}: {it}")).collect(),
            reply: Reply::new(reply.code().into(), &text.join(" ")),
        })
    }

    fn parameters(&self, mail: &Mail) -> Result<Vec<MailParameter>, SmtpError> {
        let is_ascii = |it: &Address| AsRef::<str>::as_ref(it).is_ascii();
        if is_ascii(&mail.from) && mail.to.iter().all(is_ascii) {
            return Ok(Vec::new());
        }
        if !self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
            let reason = "the server does not support addresses with characters beyond ASCII";
            return Err(SmtpError::of_message(reason.to_owned()));
        }
        let body = MailParameter::Body(MailBodyParameter::EightBitMime);
        Ok(vec![MailParameter::SmtpUtfEight, body])
    }

    async fn recipients(&mut self, all: &[Address]) -> Result<Recipients, SmtpError> {
        let mut recipients = Recipients::default();
        for to in all {
            let command = self.smtp.command(Rcpt::new(to.clone(), Vec::new()));
            let replied = limited(STEP_TIMEOUT, "a recipient", command).await?;
            match replied.map_err(|error| (error.status(), error)) {
                Ok(_) => recipients.accepted.push(to.to_string()),
                Err((Some(code), error)) => {
                    let reply = Reply::of(code.into(), &error);
                    recipients.refused.push((to.to_string(), reply));
                },
                Err((None, error)) => {
                    return Err(SmtpError::at_step(Step::Recipient, "a recipient", &error));
                },
            }
        }
        Ok(recipients)
    }

    async fn command(
        &mut self,
        step: Step,
        about: &str,
        command: impl fmt::Display,
    ) -> Result<(), SmtpError> {
        limited(STEP_TIMEOUT, about, self.smtp.command(command))
            .await?
            .map(drop)
            .map_err(|error| SmtpError::at_step(step, about, &error))
    }

    /// Whether the server still responds. It forgets an e-mail that was begun.
    pub(super) async fn is_alive(&mut self) -> bool {
        let reset = self.smtp.command(Rset);
        matches!(tokio::time::timeout(COURTESY_TIMEOUT, reset).await, Ok(Ok(_)))
    }

    /// Says goodbye.
    pub(super) async fn quit(&mut self) {
        // The connection is closed anyway.
        drop(tokio::time::timeout(COURTESY_TIMEOUT, self.smtp.quit()).await);
    }
}

impl Recipients {
    /// Why no recipient gets the e-mail. If a retry may help with one of them, it is retried.
    fn into_error(self) -> SmtpError {
        let failure_of = |reply: &Reply| classify(Step::Recipient, reply.code, &reply.text);
        let rejected = |(_, reply): &&(String, Reply)| failure_of(reply) == Failure::Rejected;
        let decisive = self.refused.iter().find(|it| !rejected(it)).or(self.refused.first());
        let Some((to, reply)) = decisive else {
            return SmtpError::of_message("there is no recipient".to_owned());
        };
        let mut error = SmtpError::refused(Step::Recipient, &format!("the recipient {to}"), reply);
        for (other, reply) in self.refused.iter().filter(|(other, _)| other != to) {
            error.reason.extend(["; ", other.as_str(), ": ", &reply.to_string()]);
        }
        error
    }
}
