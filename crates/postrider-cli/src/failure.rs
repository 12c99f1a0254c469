//! How a command that did not succeed says so: one line, and what to do about it.

use std::{io, process::ExitCode};

use postrider_store::StoreError;

use crate::config::ConfigError;

/// The command line or the configuration is wrong; the same as clap's.
const USAGE: u8 = 2;

/// An error that knows what the reader can do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Advice {
    pub message: String,
    pub hint: String,
    #[source]
    pub source: Option<anyhow::Error>,
}

/// Prints the error, its causes and a hint on standard error.
#[expect(clippy::print_stderr, reason = "this is where errors end")]
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    if let Some(hint) = hint(error) {
        eprintln!("hint: {hint}");
    }
    if error.is::<ConfigError>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

/// The store's error without the word that its callers react to: the cause says it all, and
/// what to do.
pub(crate) fn of_store(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Unavailable(cause) | StoreError::Corrupt { source: cause, .. } => {
            anyhow::Error::from_boxed(cause)
        },
        StoreError::Full(_) | StoreError::Conflict { .. } => error.into(),
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if error.is::<ConfigError>() {
        return Some("`postrider config --reference` explains every key".to_owned());
    }
    error.downcast_ref::<Advice>().map(|advice| advice.hint.clone())
}

/// Whoever read our output, such as `head`, has enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
