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
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other errors explain themselves")]
    pub(in crate::postgres) fn explain(&self, error: DatabaseError) -> DatabaseError {
        match error {
            DatabaseError::Rejected(error) => self.explain_rejection(error),
            DatabaseError::Unavailable(source) | DatabaseError::InDoubt(source) => {
                self.explain_failure(source)
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

    fn explain_failure(&self, source: BoxError) -> DatabaseError {
        let place = self.location.clone();
        let failure = match source.downcast_ref::<Error>() {
            // The server responded, for example that it is stopping.
            Some(error) if error.code().is_some() => return DatabaseError::Unavailable(source),
            Some(error) => self.failure(error),
            None => Failure::Network,
        };
        let explained = match failure {
            Failure::Network => OpenError::Unreachable { place, source },
            Failure::Tls => OpenError::Tls { place, source },
            Failure::Authentication => OpenError::AccessDenied { place, source },
        };
        explained.into()
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinSet,
    };

    use super::*;
    use crate::postgres::{options::PostgresOptions, session::Session};

    /// The name of the variant that explains why a server that gives these responses, one for each
    /// message of the client, cannot be used.
    async fn explained(params: &str, responses: &'static [&'static [u8]]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4_096];
            for response in responses {
                let _received = socket.read(&mut buffer).await;
                let _sent = socket.write_all(response).await;
            }
        });
        let url = format!("postgres://me@127.0.0.1:{port}/db?{params}");
        let options = PostgresOptions { url, connections: 1, ..PostgresOptions::default() };
        let address = Address::of(&options).unwrap();
        let pool = address.pool(&options).unwrap();
        let opened = Session::open(&pool, true, options.call_timeout).await;
        let DatabaseError::Open(error) = address.explain(opened.err().unwrap()) else {
            return "none".to_owned();
        };
        let text = format!("{error:?}");
        text.split([' ', '(']).next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn an_error_of_the_driver_is_explained_by_its_type() {
        type Responses = &'static [&'static [u8]];
        let cases: [(&str, Responses, &str); 8] = [
            ("sslmode=require", &[b"N"], "Tls"),
            ("sslmode=require", &[b"S", b"no handshake"], "Tls"),
            ("sslmode=prefer", &[b"N", b"R\0\0\0\x08\0\0\0\x03"], "AccessDenied"),
            ("sslmode=disable", &[b"R\0\0\0\x08\0\0\0\x03"], "AccessDenied"),
            ("sslmode=disable", &[b"E\0\0\0\x16SFATAL\0C3D000\0Mm\0\0"], "NoDatabase"),
            ("sslmode=disable", &[b"E\0\0\0\x16SFATAL\0C53300\0Mm\0\0"], "TooManyConnections"),
            ("sslmode=disable", &[b"E\0\0\0\x16SFATAL\0C57P01\0Mm\0\0"], "none"),
            ("sslmode=disable", &[], "Unreachable"),
        ];
        for (params, responses, expected) in cases {
            assert_eq!(explained(params, responses).await, expected, "{params} {responses:?}");
        }
    }
}
