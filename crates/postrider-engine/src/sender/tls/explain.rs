//! Explains why TLS failed, and what to do about it.

#![expect(clippy::wildcard_enum_match_arm, reason = "other libraries add causes to their enums")]

use std::{error::Error as StdError, io};

use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};
use rustls_pki_types::UnixTime;

use super::verify::Untrusted;

const PLAIN: &str = "does this port speak plain http?";

const REMEDY: &str = "add it to tls_roots, or to the endpoint's trustedCertificates";

/// Why a handshake failed.
pub(crate) fn handshake(error: &io::Error) -> String {
    if let Some(error) = within(error) {
        return sentence(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            format!("the server closed the connection during the TLS handshake; {PLAIN}")
        },
        _ => format!("the TLS handshake failed: {error}"),
    }
}

/// An explanation, if an error on a connection came from TLS. A server that requires a client
/// certificate reports that only after the handshake.
pub(crate) fn explain(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>().and_then(within) {
            return Some(sentence(error));
        }
        if let Some(alert) = alert_in(&error.to_string()) {
            return Some(received(alert));
        }
        cause = error.source();
    }
    None
}

/// The alerts about a client certificate.
const ABOUT_CLIENT: [AlertDescription; 8] = [
    AlertDescription::AccessDenied,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::UnsupportedCertificate,
];

/// The alert that an error is about. Over HTTP/2, only the text of the error of TLS is kept.
fn alert_in(text: &str) -> Option<AlertDescription> {
    let name = text.strip_prefix("received fatal alert: ")?;
    ABOUT_CLIENT.into_iter().find(|alert| format!("{alert:?}") == name)
}

fn within(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn sentence(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => received(*alert),
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            format!("the server did not respond in TLS; {PLAIN}")
        },
        Error::PeerIncompatible(cause) => incompatible(cause),
        Error::NoCertificatesPresented => "the server presented no certificate".to_owned(),
        Error::NoApplicationProtocol => NO_PROTOCOL.to_owned(),
        other => format!("TLS failed: {other}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired at {}; it has to be renewed", date(*not_after))
        },
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "the certificate is not valid before {}; check the clocks of both machines",
            date(*not_before)
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            if presented.is_empty() {
                return format!(
                    "the certificate names no host: it needs a subjectAltName with {expected}"
                );
            }
            format!(
                "the certificate is not valid for {expected}, only for {}",
                presented.join(", ")
            )
        },
        CertificateError::UnknownIssuer => {
            format!("the certificate's issuer is not trusted; {REMEDY}")
        },
        CertificateError::Revoked => {
            "the certificate was revoked; it has to be replaced".to_owned()
        },
        CertificateError::Other(OtherError(cause)) if cause.is::<Untrusted>() => {
            format!("{cause}; {REMEDY}")
        },
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate is signed in a way that is not supported; RSA with 2048 to 8192 \
             bits, ECDSA with P-256, P-384 or P-521, and Ed25519 are"
                .to_owned()
        },
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not meant for servers: its extendedKeyUsage lacks serverAuth"
                .to_owned()
        },
        other => format!("the certificate is not valid: {other}"),
    }
}

const NO_PROTOCOL: &str = "the server offers neither HTTP/2 nor HTTP/1.1 over TLS (ALPN)";

fn received(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server requires a client certificate; set one for the endpoint (mtls)".to_owned()
        },
        AlertDescription::CertificateExpired => {
            "the server does not accept the endpoint's client certificate, which has expired (alert \
             certificate_expired); replace it"
                .to_owned()
        },
        AlertDescription::BadCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => format!(
            "the server does not accept the endpoint's client certificate (alert {alert:?}); let \
             the server trust its authority, or replace it"
        ),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the server refused the handshake (alert handshake_failure): it has no cipher suite, \
             key exchange or certificate in common, or requires a client certificate"
                .to_owned()
        },
        AlertDescription::ProtocolVersion => {
            "the server speaks neither TLS 1.2 nor TLS 1.3 (alert protocol_version)".to_owned()
        },
        AlertDescription::UnrecognisedName => {
            "the server has no certificate for this host name (alert unrecognized_name)".to_owned()
        },
        AlertDescription::NoApplicationProtocol => NO_PROTOCOL.to_owned(),
        other => format!("the server refused the handshake (alert {other:?})"),
    }
}

fn incompatible(cause: &PeerIncompatible) -> String {
    match cause {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            "the server speaks neither TLS 1.2 nor TLS 1.3".to_owned()
        },
        PeerIncompatible::NoCipherSuitesInCommon => {
            "the server has no cipher suite in common".to_owned()
        },
        PeerIncompatible::NoKxGroupsInCommon => {
            "the server has no key exchange group in common".to_owned()
        },
        other => format!("the server's TLS is not compatible ({other:?})"),
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use rustls::InvalidMessage;

    use super::*;

    #[test]
    fn every_failure_names_its_cause() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let other = |it: Untrusted| CertificateError::Other(OtherError(Arc::new(it))).into();
        let name = |presented: &[&str]| {
            Error::from(CertificateError::NotValidForNameContext {
                expected: "example.com".try_into().unwrap(),
                presented: presented.iter().map(ToString::to_string).collect(),
            })
        };
        let (time, not_after, not_before) = (at(20), at(10), at(1_700_000_000));
        let cases: [(Error, &str); 12] = [
            (
                CertificateError::ExpiredContext { time, not_after }.into(),
                "the certificate expired at 1970-01-01T00:00:10Z; it has to be renewed",
            ),
            (
                CertificateError::NotValidYetContext { time, not_before }.into(),
                "not valid before 2023-11-14T22:13:20Z",
            ),
            (
                name(&["a.example", "*.b.example"]),
                "for example.com, only for a.example, *.b.example",
            ),
            (name(&[]), "needs a subjectAltName with example.com"),
            (
                other(Untrusted::SelfSigned("CN=a".to_owned())),
                "self-signed (by CN=a) and not trusted; add it to tls_roots",
            ),
            (other(Untrusted::Issuer("CN=ca".to_owned())), "issued by CN=ca, which is not trusted"),
            (CertificateError::Revoked.into(), "was revoked"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "plain http?"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "client certificate"),
            (
                Error::AlertReceived(AlertDescription::ProtocolVersion),
                "neither TLS 1.2 nor TLS 1.3",
            ),
            (Error::AlertReceived(AlertDescription::BadRecordMac), "alert BadRecordMac"),
            (PeerIncompatible::NoCipherSuitesInCommon.into(), "no cipher suite in common"),
        ];
        for (error, expected) in cases {
            let said = sentence(&error);
            assert!(said.contains(expected), "{said}");
            let wrapped = io::Error::other(error);
            assert_eq!(handshake(&wrapped), said);
            assert_eq!(explain(&wrapped), Some(said));
        }
        let closed = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(handshake(&closed).contains("closed the connection during the TLS handshake"));
        assert_eq!(explain(&closed), None);
    }
}
