//! Explains errors of MySQL.

use std::io;

use mysql_async::{DriverError, Error, IoError, ServerError, TlsError};
use postrider_core::{kind::sql::mysql::explain, outcome::Failure};

use crate::sender::{
    sql::failed::{Failed, Retry},
    tls,
};

/// Why a statement failed.
pub(super) fn of(error: &Error) -> Failed {
    match error {
        Error::Server(error) => of_server(error),
        Error::Driver(error) => of_driver(error),
        Error::Io(IoError::Tls(TlsError::Tls(error))) => {
            let error = io::Error::other(error.clone());
            let reason = tls::explain(&error).unwrap_or_else(|| format!("TLS failed: {error}"));
            Failed::new(Failure::Tls, reason)
        },
        Error::Io(IoError::Tls(_)) => {
            let reason = "`trustedCertificates`, or the host's name, cannot be used for TLS";
            Failed::new(Failure::Misconfigured, reason)
        },
        Error::Io(IoError::Io(error)) => of_io(error),
        Error::Other(_) | Error::Url(_) => lost(),
    }
}

/// Why there is no connection.
pub(super) fn of_connection(error: &Error) -> Failed {
    let is_absent = matches!(error, Error::Io(IoError::Io(error)) if is_absent(error));
    if is_absent {
        let reason = format!("no connection to the database: {error}");
        return Failed::new(Failure::Connect, reason);
    }
    of(error)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut
            | io::ErrorKind::AddrNotAvailable
    )
}

fn lost() -> Failed {
    Failed::lost("the database closed the connection; a retry cannot write a row twice")
}

fn of_io(error: &io::Error) -> Failed {
    match tls::explain(error) {
        Some(reason) => Failed::new(Failure::Tls, reason),
        None if error.to_string().contains("max_allowed_packet") => too_large(),
        None => lost(),
    }
}

/// A row, or several rows together, that the server would not read.
pub(super) fn too_large() -> Failed {
    let reason = "the row is larger than the database's max_allowed_packet; raise it";
    Failed::new(Failure::Rejected, reason)
}

fn of_driver(error: &DriverError) -> Failed {
    let misconfigured = |reason: &str| Failed::new(Failure::Misconfigured, reason);
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others mean that something broke")]
    match error {
        DriverError::PacketTooLarge => too_large(),
        DriverError::NoClientSslFlagFromServer => Failed::new(
            Failure::Tls,
            "the server does not support TLS; enable it there, or set `tls` to `disable`",
        ),
        DriverError::UnknownAuthPlugin { .. }
        | DriverError::MysqlOldPasswordDisabled
        | DriverError::CleartextPluginDisabled => misconfigured(
            "the server wants another way to authenticate; let the user authenticate with \
             caching_sha2_password, mysql_native_password or ed25519",
        ),
        DriverError::LocalInfile(_) => misconfigured(
            "the server asked for a file of this machine, which is never sent; is this a trusted \
             database?",
        ),
        _ => lost(),
    }
}

fn of_server(error: &ServerError) -> Failed {
    let ServerError { code, message, state } = error;
    let (failure, remedy) = explain(*code, state);
    let retry = match code {
        // A deadlock, and a record that was changed meanwhile.
        1213 | 1020 => Retry::Again,
        // Shutdown, killed, idle for too long.
        1053 | 1077 | 1927 | 4031 => Retry::Reconnect,
        _ if state.starts_with("08") => Retry::Reconnect,
        _ => Retry::Later,
    };
    Failed { retry, ..Failed::new(failure, format!("{message} ({code}); {remedy}")) }
}
