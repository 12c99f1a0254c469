//! The names of the sample records, and what the inbox needs to know about them.

use postrider::{ApplicationId, signature::Verifier};

pub(super) const APPLICATION: &str = "demo";
pub(super) const EVENT_TYPE: &str = "demo.greeting";
pub(super) const ENDPOINT: &str = "inbox";
pub(super) const INBOX_PATH: &str = "/inbox";

/// The application whose endpoint is the inbox.
#[derive(Debug)]
pub(super) struct Sample {
    pub application: ApplicationId,
    pub verifier: Verifier,
}
