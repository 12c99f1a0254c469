//! How a command that did not succeed says so: one line, and what to do about it.

use std::{io, process::ExitCode};

use postrider_store::{OpenError, StoreError};

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

/// The call of a command is wrong, however the error came about.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Usage(anyhow::Error);

/// Marks an error as one of the command's caller: it ends with the code of wrong usage.
pub(crate) fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    Usage(error.into()).into()
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
    let is_usage = error.is::<ConfigError>() || error.is::<Usage>();
    if is_usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

/// Prints the error of a command whose other ends mean something: the call was wrong, or what it
/// asks could not be found out.
pub(crate) fn unknown(error: &anyhow::Error) -> ExitCode {
    report(error);
    ExitCode::from(USAGE)
}

/// The store's error without the word that its callers react to: the cause says it all, and
/// what to do.
pub(crate) fn of_store(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Unavailable(cause) if cause.is::<OpenError>() => {
            let obstacle = cause.downcast::<OpenError>().expect("it was looked at");
            let hint = way_around(&obstacle).to_owned();
            let message = obstacle.to_string();
            let source = obstacle.into_source().map(anyhow::Error::from_boxed);
            Advice { message, hint, source }.into()
        },
        StoreError::Unavailable(cause) | StoreError::Corrupt { source: cause, .. } => {
            anyhow::Error::from_boxed(cause)
        },
        StoreError::Full(_) | StoreError::Conflict { .. } => error.into(),
    }
}

fn way_around(obstacle: &OpenError) -> &'static str {
    match obstacle {
        OpenError::Url(_) => {
            "give it as postgres://user:password@host:5432/database, with what is special in a \
             password percent-encoded"
        },
        OpenError::Unreachable { .. } => {
            "start the database, or correct host and port in `database_url`"
        },
        OpenError::Refused { .. } => {
            "correct user and password in `database_url`; the server's pg_hba.conf says who may \
             connect from where"
        },
        OpenError::Missing { .. } => "create it (`CREATE DATABASE`), or correct `database_url`",
        OpenError::Tls { .. } => {
            "`sslmode` and `sslrootcert` in `database_url` say what is expected of the server; \
             docs/operations.md explains them"
        },
        OpenError::Rights { .. } => {
            "let the user create tables in its schema, best by making it the database's owner"
        },
        OpenError::Crowded { .. } => {
            "lower `limits.database_connections`, of which each server takes twice as many, or \
             raise the database's max_connections"
        },
        OpenError::Pooler { .. } => "set `database_pooler = true`",
        OpenError::Newer { .. } => {
            "run the newer program that brought the schema there, or one that is newer still"
        },
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if error.is::<ConfigError>() {
        return Some("`postrider config --reference` explains every key".to_owned());
    }
    let error = error.downcast_ref::<Usage>().map_or(error, |it| &it.0);
    error.downcast_ref::<Advice>().map(|advice| advice.hint.clone())
}

/// Whoever read our output, such as `head`, has enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
