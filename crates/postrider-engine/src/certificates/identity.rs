//! Client certificates of endpoints: checked when they are saved, and opened for handshakes.

use postrider_core::{
    client_identity::{ClientIdentity, pem},
    time::Timestamp,
};
use rustls::{crypto::ring::sign::any_supported_type, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use x509_cert::{Certificate, der::Decode};
use zeroize::Zeroizing;

use super::{CertificatesError, parse};

/// Most certificates of a chain.
const MAX_CHAIN: usize = 10;

/// What is wrong with a client certificate and its key in PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    #[error("holds more than {MAX_CHAIN} certificates")]
    TooLong,
    #[error(
        "holds no private key in PEM (-----BEGIN PRIVATE KEY-----); append the key to the \
         certificates"
    )]
    NoKey,
    #[error("holds more than one private key")]
    SeveralKeys,
    #[error("holds a private key that is encrypted; decrypt it with `openssl pkey` first")]
    EncryptedKey,
    #[error("holds a private key that is not valid PEM")]
    Key,
    #[error("holds a private key that is not supported; RSA, P-256, P-384 and Ed25519 are")]
    UnsupportedKey,
    #[error("holds no certificate for the private key; the two have to belong together")]
    Mismatch,
    #[error(
        "certificate {0} was not issued by the one after it; the certificate of the client comes \
         first, then the one that issued it, and so on"
    )]
    Order(usize),
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    pub subject: String,
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub fingerprint: String,
}

/// A client certificate and a key that belong together.
#[derive(Debug)]
pub struct CheckedIdentity {
    pub identity: ClientIdentity,
    pub facts: CertificateFacts,
}

/// Checks a text in PEM with a private key, the certificate for it, and those that lead to its
/// authority. An expired certificate passes: a receiver may accept it.
pub fn check(text: &str) -> Result<CheckedIdentity, IdentityError> {
    let chain = parse(text.as_bytes())?;
    if chain.len() > MAX_CHAIN {
        return Err(IdentityError::TooLong);
    }
    let key = key(text)?;
    check_pair(&chain, &key)?;
    check_order(&chain)?;
    let facts = chain.first().and_then(|it| facts_of(it)).ok_or(IdentityError::Mismatch)?;
    let certificates = chain.iter().map(|it| pem("CERTIFICATE", it).to_string()).collect();
    let identity = ClientIdentity::new(certificates, key_pem(&key));
    Ok(CheckedIdentity { identity, facts })
}

/// What the first certificate of a stored chain says.
pub fn facts(certificates: &str) -> Option<CertificateFacts> {
    facts_of(&CertificateDer::from_pem_slice(certificates.as_bytes()).ok()?)
}

/// The chain and the key, for handshakes.
pub(crate) fn open(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), IdentityError> {
    Ok((parse(identity.certificates.as_bytes())?, key(&identity.key)?))
}

fn key(text: &str) -> Result<PrivateKeyDer<'static>, IdentityError> {
    if text.contains("ENCRYPTED") {
        return Err(IdentityError::EncryptedKey);
    }
    let mut keys = PrivateKeyDer::pem_slice_iter(text.as_bytes());
    let key = keys.next().ok_or(IdentityError::NoKey)?.map_err(|_| IdentityError::Key)?;
    if keys.next().is_some() { Err(IdentityError::SeveralKeys) } else { Ok(key) }
}

fn check_pair(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), IdentityError> {
    let key = any_supported_type(key).map_err(|_| IdentityError::UnsupportedKey)?;
    let pair = CertifiedKey::new(chain.to_vec(), key);
    pair.keys_match().map_err(|_| IdentityError::Mismatch)
}

fn check_order(chain: &[CertificateDer<'static>]) -> Result<(), IdentityError> {
    for (index, pair) in chain.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        let (Some(one), Some(next)) = (parsed(one), parsed(next)) else { continue };
        if one.tbs_certificate.issuer != next.tbs_certificate.subject {
            return Err(IdentityError::Order(index + 1));
        }
    }
    Ok(())
}

fn parsed(certificate: &CertificateDer<'_>) -> Option<Certificate> {
    Certificate::from_der(certificate).ok()
}

fn facts_of(certificate: &CertificateDer<'_>) -> Option<CertificateFacts> {
    let content = parsed(certificate)?.tbs_certificate;
    let at = |time: x509_cert::time::Time| {
        let millis = time.to_unix_duration().as_millis();
        Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    };
    let digest = Sha256::digest(certificate);
    Some(CertificateFacts {
        subject: content.subject.to_string(),
        issuer: content.issuer.to_string(),
        not_before: at(content.validity.not_before),
        not_after: at(content.validity.not_after),
        fingerprint: hexadecimal(&digest),
    })
}

fn key_pem(key: &PrivateKeyDer<'_>) -> Zeroizing<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "PKCS #8 is for every algorithm")]
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    pem(label, key.secret_der())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).expect("four bits are one digit")
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    struct Issued {
        certificate: String,
        authority: String,
        key: String,
    }

    fn issued() -> Issued {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Client");
        params.not_after = rcgen::date_time_ymd(2030, 1, 2);
        let certificate = params.signed_by(&key, &authority).unwrap();
        Issued {
            certificate: certificate.pem(),
            authority: authority.pem(),
            key: key.serialize_pem(),
        }
    }

    #[test]
    fn a_certificate_has_to_belong_to_its_key() {
        let Issued { certificate, authority, key } = issued();
        let other = issued();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let cut = key.replace("-----END PRIVATE KEY-----", "");
        let junk = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let crlf = format!("{certificate}{key}").replace('\n', "\r\n");
        for (text, expected) in [
            (format!("{certificate}{key}"), Ok(1)),
            (format!("Bag Attributes\n{key}\n{certificate}{authority}"), Ok(2)),
            (crlf, Ok(1)),
            (key.clone(), Err(IdentityError::Certificates(CertificatesError::Empty))),
            (certificate.clone(), Err(IdentityError::NoKey)),
            (format!("{certificate}{key}{}", other.key), Err(IdentityError::SeveralKeys)),
            (format!("{certificate}{encrypted}"), Err(IdentityError::EncryptedKey)),
            (
                format!("{certificate}{cut}"),
                Err(IdentityError::Certificates(CertificatesError::Pem(2))),
            ),
            (format!("{certificate}{junk}"), Err(IdentityError::UnsupportedKey)),
            (format!("{certificate}{}", other.key), Err(IdentityError::Mismatch)),
            (format!("{authority}{certificate}{key}"), Err(IdentityError::Mismatch)),
            (format!("{certificate}{certificate}{key}"), Err(IdentityError::Order(1))),
            (certificate.repeat(MAX_CHAIN + 1), Err(IdentityError::TooLong)),
        ] {
            let checked = check(&text).map(|checked| {
                let (chain, _) = open(&checked.identity).unwrap();
                assert_eq!(Some(checked.facts), facts(&checked.identity.certificates));
                chain.len()
            });
            assert_eq!(checked, expected, "{text}");
        }
    }

    #[test]
    fn the_facts_name_the_client_and_its_expiry() {
        let Issued { certificate, key, .. } = issued();
        let CheckedIdentity { identity, facts } = check(&format!("{certificate}{key}")).unwrap();
        assert_eq!(facts.subject, "CN=Client");
        assert!(facts.issuer.contains("CN=Authority"), "{}", facts.issuer);
        assert_eq!(facts.not_after.to_rfc3339(), "2030-01-02T00:00:00Z");
        assert_eq!(facts.fingerprint.len(), 64);
        assert!(!identity.certificates.contains("PRIVATE"));
        assert!(!format!("{identity:?}").contains("BEGIN"));
    }
}
