//! Reports errors of commands: one line, and a hint what to do about it.

use std::{io, process::ExitCode};

use postrider_store::{OpenError, StoreError};

use crate::config::ConfigError;

/// Exit code for a wrong command line or configuration; the same as clap's.
const USAGE: u8 = 2;

/// An error with a hint for the user.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Advice {
    pub message: String,
    pub hint: String,
    #[source]
    pub source: Option<anyhow::Error>,
}

/// An error that the arguments of the command caused.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Usage(anyhow::Error);

/// Marks an error as caused by the arguments, so that the process exits with 2.
pub(crate) fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    Usage(error.into()).into()
}

/// Prints the error with its causes and hint, and returns the exit code.
#[expect(clippy::print_stderr, reason = "errors are printed here only")]
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

/// Prints the error of a command whose exit code 1 has a meaning of its own, such as "the signature
/// is invalid": every error exits with 2.
pub(crate) fn usage_error(error: &anyhow::Error) -> ExitCode {
    report(error);
    ExitCode::from(USAGE)
}

/// The cause of the store's error, with a hint for the user. The outer error only classifies it for
/// the engine.
pub(crate) fn of_store(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Unavailable(cause) if cause.is::<OpenError>() => {
            let error = cause.downcast::<OpenError>().expect("its type was checked");
            let hint = hint_for(&error).to_owned();
            let message = error.to_string();
            let source = error.into_source().map(anyhow::Error::from_boxed);
            Advice { message, hint, source }.into()
        },
        StoreError::Unavailable(cause) | StoreError::Corrupt { source: cause, .. } => {
            anyhow::Error::from_boxed(cause)
        },
        StoreError::Full(_)
        | StoreError::Rebuilding(_)
        | StoreError::Conflict { .. }
        | StoreError::VersionMismatch { .. } => error.into(),
    }
}

fn hint_for(error: &OpenError) -> &'static str {
    match error {
        OpenError::Url(_) => {
            "the format is postgres://user:password@host:5432/database, with special characters in \
             the password percent-encoded"
        },
        OpenError::Unreachable { .. } => {
            "start the database, or correct the host and port in `database_url`"
        },
        OpenError::AccessDenied { .. } => {
            "correct the user and password in `database_url`; the server's pg_hba.conf defines which \
             users may connect from where"
        },
        OpenError::NoDatabase { .. } => "create it (`CREATE DATABASE`), or correct `database_url`",
        OpenError::Tls { .. } => {
            "set `sslmode` and `sslrootcert` in `database_url` as docs/operations.md explains"
        },
        OpenError::MissingPrivileges { .. } => {
            "allow the user to create tables, preferably by making it the owner of the database"
        },
        OpenError::TooManyConnections { .. } => {
            "lower `limits.database_connections` (each server opens twice that number), or raise \
             max_connections of the database"
        },
        OpenError::Pooler { .. } => "set `database_pooler = true`",
        OpenError::NewerSchema(_) => {
            "install the version that upgraded the schema, or a later one; or restore the database \
             from a backup from before the upgrade"
        },
        OpenError::Incomplete(_) => {
            "copy it with the version that upgraded the schema, or a later one"
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

/// Whether the reader of standard output, such as `head`, has closed the pipe.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
