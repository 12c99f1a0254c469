//! Why an e-mail was not accepted.

use std::{error::Error as _, net::SocketAddr};

use lettre::transport::smtp;
use postrider_core::{
    kind::{
        Credential,
        email::{Step, classify},
    },
    outcome::Failure,
    template::{RenderError, truncated},
};

use crate::sender::{GuardError, Report, tls};

/// Most characters of a server's reply that are shown.
const MAX_REPLY: usize = 500;

/// Why an e-mail was not accepted.
#[derive(Debug)]
pub(super) struct SmtpError {
    pub failure: Failure,
    pub reason: String,
    address: Option<SocketAddr>,
    /// The connection can be used for other e-mails.
    is_about_message: bool,
}

impl SmtpError {
    pub(super) fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self { failure, reason: reason.into(), address: None, is_about_message: false }
    }

    /// The message cannot become an e-mail.
    pub(super) fn of_message(reason: String) -> Self {
        Self { is_about_message: true, ..Self::new(Failure::Rejected, reason) }
    }

    /// The library's error at a step; `about` is what was sent to the server.
    pub(super) fn at_step(step: Step, about: &str, error: &smtp::Error) -> Self {
        if let Some(code) = error.status() {
            return Self::refused(step, about, &Reply::of(code.into(), error));
        }
        let shown = error.source().map(ToString::to_string).unwrap_or_default();
        if let Some(reason) = tls::explain(error) {
            return Self::new(Failure::Tls, reason);
        }
        if error.is_response() {
            let reason = format!("the response to {about} is not SMTP: {}", shown.trim());
            return Self::new(Failure::Protocol, reason);
        }
        let reason = format!("the connection broke before the response to {about}: {shown}");
        Self::new(Failure::Unavailable, reason)
    }

    /// The server's negative reply.
    pub(super) fn refused(step: Step, about: &str, reply: &Reply) -> Self {
        let failure = classify(step, reply.code, &reply.text);
        let reason = format!("the server refused {about}: {reply}{}", remedy(step, failure));
        // 421 announces that the server closes the connection.
        let is_about_message =
            reply.code != 421 && matches!(step, Step::Sender | Step::Recipient | Step::Content);
        Self { is_about_message, ..Self::new(failure, reason) }
    }

    pub(super) fn timed_out(about: &str, seconds: u64) -> Self {
        let reason = format!("no response to {about} within {seconds} s");
        Self::new(Failure::Timeout, reason)
    }

    pub(super) fn at(self, address: Option<SocketAddr>) -> Self {
        Self { address, ..self }
    }

    /// Some servers repeat what they got.
    pub(super) fn without(self, credential: &Credential) -> Self {
        Self { reason: credential.hide_in(&self.reason), ..self }
    }

    pub(super) const fn leaves_connection(&self) -> bool {
        self.is_about_message
    }

    pub(super) fn into_report(self) -> Report {
        Report::failed(self.failure, self.reason).at(self.address)
    }
}

fn remedy(step: Step, failure: Failure) -> &'static str {
    if failure != Failure::Misconfigured {
        return "";
    }
    match step {
        Step::Login => "; check username and password",
        Step::Sender => "; check `from`, and whether the server requires a login",
        Step::Recipient => "; check whether the server requires a login",
        Step::Greeting | Step::Starttls => "; check host, port and tls",
        Step::Content => "",
    }
}

impl From<RenderError> for SmtpError {
    fn from(error: RenderError) -> Self {
        Self::new(error.failure, error.reason)
    }
}

impl From<GuardError> for SmtpError {
    fn from(error: GuardError) -> Self {
        let address = error.address;
        Self::new(error.failure, error.reason).at(address)
    }
}

/// A reply of the server, for people.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub code: u16,
    pub text: String,
}

impl Reply {
    pub(super) fn new(code: u16, text: &str) -> Self {
        let printable = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        Self { code, text: truncated(printable, MAX_REPLY) }
    }

    /// The negative reply in the library's error.
    pub(super) fn of(code: u16, error: &smtp::Error) -> Self {
        Self::new(code, &error.source().map(ToString::to_string).unwrap_or_default())
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}
