//! Endpoints of kinds other than HTTP, against the real services and against stand-ins that behave
//! as the services are documented.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod chat;
mod chat_stand_in;
mod command;
mod email;
mod fixtures;
mod mta;
mod smtp_script;
mod waits;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
