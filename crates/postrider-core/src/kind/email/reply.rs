//! What the replies of an SMTP server mean for a delivery.

use crate::outcome::Failure;

/// What the server replied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection, and EHLO.
    Greeting,
    Starttls,
    Login,
    /// MAIL, with the sender.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA, and the e-mail itself.
    Content,
}

/// The failure that a negative reply (4xx or 5xx) means.
pub fn classify(step: Step, code: u16, text: &str) -> Failure {
    if (400..500).contains(&code) {
        return temporary(code, text);
    }
    match (step, code) {
        // The server wants a login or encryption first (530, 538), or the login is wrong.
        (_, 530 | 534 | 535 | 538) | (Step::Greeting | Step::Starttls | Step::Login, _) => {
            Failure::Misconfigured
        },
        // The e-mail is too large.
        (_, 552) | (Step::Content, _) => Failure::Rejected,
        (Step::Sender, _) => Failure::Misconfigured,
        (Step::Recipient, _) if is_about_relaying(text) => Failure::Misconfigured,
        (Step::Recipient, _) => Failure::Rejected,
    }
}

/// 452 is sent for too many recipients and for a full disk, 421 for too many connections and for
/// a shutdown.
fn temporary(code: u16, text: &str) -> Failure {
    let is_too_much = text.to_ascii_lowercase().contains("too many");
    if code == 452 || is_too_much { Failure::Busy } else { Failure::Unavailable }
}

/// The server does not accept e-mail for other domains from this client. That has nothing to do
/// with the recipient, and there is no code of its own for it.
fn is_about_relaying(text: &str) -> bool {
    text.to_ascii_lowercase().contains("relay")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_tell_what_is_at_fault() {
        use Failure::{Busy, Misconfigured, Rejected, Unavailable};
        for (step, code, text, expected) in [
            (Step::Greeting, 421, "4.3.2 shutting down", Unavailable),
            (Step::Greeting, 421, "4.7.0 Too many connections", Busy),
            (Step::Greeting, 554, "no service for you", Misconfigured),
            (Step::Starttls, 454, "TLS not available", Unavailable),
            (Step::Starttls, 502, "not implemented", Misconfigured),
            (Step::Login, 454, "4.7.0 temporary failure", Unavailable),
            (Step::Login, 535, "5.7.8 bad credentials", Misconfigured),
            (Step::Login, 504, "mechanism not implemented", Misconfigured),
            (Step::Sender, 530, "5.7.0 authentication required", Misconfigured),
            (Step::Sender, 550, "5.7.1 sender not allowed", Misconfigured),
            (Step::Sender, 552, "5.3.4 too large", Rejected),
            (Step::Sender, 451, "4.3.0 try later", Unavailable),
            (Step::Recipient, 550, "5.1.1 no such user", Rejected),
            (Step::Recipient, 553, "5.1.3 bad address", Rejected),
            (Step::Recipient, 554, "5.7.1 Relay access denied", Misconfigured),
            (Step::Recipient, 550, "5.7.1 Unable to relay", Misconfigured),
            (Step::Recipient, 530, "5.7.0 STARTTLS first", Misconfigured),
            (Step::Recipient, 450, "4.2.0 greylisted", Unavailable),
            (Step::Recipient, 451, "4.7.1 try later", Unavailable),
            (Step::Recipient, 452, "4.5.3 too many recipients", Busy),
            (Step::Content, 554, "5.7.1 looks like spam", Rejected),
            (Step::Content, 552, "5.3.4 too large", Rejected),
            (Step::Content, 452, "4.3.1 insufficient storage", Busy),
            (Step::Content, 451, "4.3.0 queue error", Unavailable),
        ] {
            assert_eq!(classify(step, code, text), expected, "{step:?} {code} {text}");
        }
    }
}
