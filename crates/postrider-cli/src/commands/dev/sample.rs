//! The names of the sample records, and what the inbox needs to know about them.

use postrider::{ApplicationId, signature::Verifier};
use postrider_console::Welcome;

pub(super) const APPLICATION: &str = "demo";
pub(super) const EVENT_TYPE: &str = "demo.greeting";
pub(super) const ENDPOINT: &str = "inbox";
pub(super) const INBOX_PATH: &str = "/inbox";

/// What the console says about these records.
pub(super) fn welcome() -> Welcome {
    Welcome {
        application: APPLICATION.to_owned(),
        event_type: EVENT_TYPE.to_owned(),
        inbox_path: INBOX_PATH.to_owned(),
    }
}

/// The application whose endpoint is the inbox.
#[derive(Debug)]
pub(super) struct Sample {
    pub application: ApplicationId,
    pub verifier: Verifier,
}
