//! The signature headers of a webhook, and why they are rejected.

/// The three signature headers of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// `webhook-id`: the id of the message, the same for every attempt.
    pub id: &'a str,
    /// `webhook-timestamp`: the time of the attempt, in seconds since the Unix epoch.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or more signatures, separated by spaces.
    pub signature: &'a str,
}

impl<'a> Headers<'a> {
    /// Finds the headers by name: `webhook-*`, or `svix-*` if there are none. `header` gets names
    /// in lower case.
    pub fn find(header: impl Fn(&str) -> Option<&'a str>) -> Result<Self, VerifyError> {
        let either = |standard, svix| header(standard).or_else(|| header(svix));
        Ok(Self {
            id: either("webhook-id", "svix-id").ok_or(VerifyError::Missing("webhook-id"))?,
            timestamp: either("webhook-timestamp", "svix-timestamp")
                .ok_or(VerifyError::Missing("webhook-timestamp"))?,
            signature: either("webhook-signature", "svix-signature")
                .ok_or(VerifyError::Missing("webhook-signature"))?,
        })
    }
}

/// Why a webhook was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header is missing.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// The timestamp is not a number of seconds.
    #[error("timestamp is not a number of seconds")]
    Timestamp,
    /// The webhook was signed too long ago; it may be a replay.
    #[error("timestamp is too old")]
    TooOld,
    /// The webhook was signed in the future.
    #[error("timestamp is too new")]
    TooNew,
    /// No signature matches: another secret, or another body.
    #[error("no signature matches")]
    Signature,
}
