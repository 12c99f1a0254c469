//! Explains why a database cannot be used: by the server's error code, or by the type of the
//! error that the driver met itself.

use std::{error::Error as _, io};

use tokio_postgres::{Error, config::SslMode, error::SqlState};

use super::{Address, handshake::HandshakeError};
use crate::{
    error::BoxError,
    postgres::error::{DatabaseError, OpenError},
};

impl Address {
    /// Explains an error of the first statements on a database.
    pub(in crate::postgres) fn explain(&self, error: DatabaseError) -> DatabaseError {
        match error {
            DatabaseError::Rejected(error) => self.explain_rejection(error),
            DatabaseError::Unavailable(source) | DatabaseError::InDoubt(source) => {
                self.explain_failure(source).into()
            },
            other => other,
        }
    }

    fn explain_rejection(&self, error: Error) -> DatabaseError {
        let (place, code) = (self.location.clone(), error.code().cloned());
        let source = BoxError::from(error);
        let explained = match code {
            Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                OpenError::AccessDenied { place, source }
            },
            Some(SqlState::INVALID_CATALOG_NAME) => OpenError::NoDatabase { place, source },
            Some(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_SCHEMA_NAME) => {
                OpenError::MissingPrivileges { place, source }
            },
            Some(SqlState::TOO_MANY_CONNECTIONS) => OpenError::TooManyConnections { place, source },
            // A pooler loses prepared statements, and rejects startup options.
            Some(
                SqlState::INVALID_SQL_STATEMENT_NAME
                | SqlState::DUPLICATE_PSTATEMENT
                | SqlState::PROTOCOL_VIOLATION,
            ) => OpenError::Pooler { place, source },
            Some(SqlState::CANNOT_CONNECT_NOW) => OpenError::Unreachable { place, source },
            _ => return DatabaseError::Unavailable(source),
        };
        explained.into()
    }

    fn explain_failure(&self, source: BoxError) -> OpenError {
        let place = self.location.clone();
        match source.downcast_ref::<Error>().map_or(Failure::Network, |it| self.failure(it)) {
            Failure::Network => OpenError::Unreachable { place, source },
            Failure::Tls => OpenError::Tls { place, source },
            Failure::Authentication => OpenError::AccessDenied { place, source },
        }
    }

    /// The part of connecting in which the driver met an error. It has no public type for that,
    /// but the causes have: the network's are I/O errors, and TLS has a type of ours. What remains
    /// are refusals of the driver: to connect without encryption, or without a password.
    fn failure(&self, error: &Error) -> Failure {
        let Some(cause) = error.source() else { return Failure::Network };
        if cause.is::<HandshakeError>() {
            return Failure::Tls;
        }
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            // The exchange of passwords reports invalid messages so.
            let is_invalid = cause.kind() == io::ErrorKind::InvalidInput;
            return if is_invalid { Failure::Authentication } else { Failure::Network };
        }
        let is_required = self.config.get_ssl_mode() == SslMode::Require;
        if is_required && !self.tls.is_offered() { Failure::Tls } else { Failure::Authentication }
    }
}

enum Failure {
    Network,
    Tls,
    Authentication,
}
