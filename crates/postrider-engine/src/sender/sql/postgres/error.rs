//! Explains errors of PostgreSQL.

use std::error::Error as _;

use postrider_core::{kind::sql::postgres::explain, outcome::Failure};
use tokio_postgres::{Error, error::DbError};

use crate::sender::{
    sql::failed::{Failed, Retry},
    tls,
};

/// The connection ended without a reason.
pub(super) fn lost() -> Failed {
    Failed::lost("the database closed the connection; a retry cannot write a row twice")
}

/// Why a statement failed.
pub(super) fn of_statement(error: &Error) -> Failed {
    match error.as_db_error() {
        Some(error) => of_server(error),
        None => lost(),
    }
}

/// Why there is no connection.
pub(super) fn of_connection(error: &Error) -> Failed {
    if let Some(error) = error.as_db_error() {
        return of_server(error);
    }
    if let Some(reason) = tls::explain(error) {
        return Failed::new(Failure::Tls, reason);
    }
    // The library tells its kinds of errors apart by their texts only.
    match error.to_string().as_str() {
        "error performing TLS handshake" => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            let remedy = "enable TLS on the server, or set `tls` to `disable`";
            Failed::new(Failure::Tls, format!("TLS failed: {cause}; {remedy}"))
        },
        "authentication error" | "invalid configuration" => {
            let reason = "the server wants a password, or another way to authenticate than with \
                          a password; set `password`, or allow scram-sha-256 for the user";
            Failed::new(Failure::Misconfigured, reason)
        },
        _ => lost(),
    }
}

fn of_server(error: &DbError) -> Failed {
    let code = error.code().code();
    let (failure, remedy) = explain(code);
    let place = [("column", error.column()), ("constraint", error.constraint())];
    let place = place.into_iter().find_map(|(what, name)| Some(format!(", {what} `{}`", name?)));
    let place = place.unwrap_or_default();
    let reason = format!("{} ({code}{place}); {remedy}", error.message());
    let retry = match code.get(..2).unwrap_or_default() {
        // A serialization failure or a deadlock.
        "40" => Retry::Again,
        // The connection ends. 57014 is the time limit of a statement.
        "57" if code != "57014" => Retry::Reconnect,
        "08" => Retry::Reconnect,
        _ => Retry::Later,
    };
    Failed { retry, ..Failed::new(failure, reason) }
}
