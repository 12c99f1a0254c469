//! X.509 certificates: key, names and dates. Issuers are not checked, because the certificates come
//! over TLS from a host on the provider's list.

use std::ops::RangeInclusive;

use x509_cert::{
    der::{Decode as _, Encode as _, oid::db::rfc4519::COMMON_NAME},
    ext::pkix::{SubjectAltName, name::GeneralName},
    name::Name,
};

use super::{error::InvalidKey, text};

const IS_NOT_ONE: InvalidKey = InvalidKey("is not an X.509 certificate");

/// The parts of a certificate that providers' signatures need.
#[derive(Clone, Debug)]
pub(in super::super) struct Certificate {
    /// The certified key: a `SubjectPublicKeyInfo` in DER.
    pub(super) spki: Vec<u8>,
    /// The subject's common name and alternative DNS names.
    pub(in super::super) names: Vec<String>,
    /// The validity period in seconds since 1970.
    pub(in super::super) validity: RangeInclusive<u64>,
}

impl Certificate {
    /// The first certificate of a PEM file, which is the signer's.
    pub(in super::super) fn from_pem(pem: &[u8]) -> Result<Self, InvalidKey> {
        let pem = std::str::from_utf8(pem).map_err(|_| IS_NOT_ONE)?;
        match text::read_pem(pem) {
            Some(("CERTIFICATE", der)) => Self::from_der(&der),
            Some(_) | None => Err(IS_NOT_ONE),
        }
    }

    pub(super) fn from_der(der: &[u8]) -> Result<Self, InvalidKey> {
        let certificate = x509_cert::Certificate::from_der(der).map_err(|_| IS_NOT_ONE)?;
        let certified = certificate.tbs_certificate;
        let spki = certified.subject_public_key_info.to_der().map_err(|_| IS_NOT_ONE)?;
        let mut names = common_names(&certified.subject);
        if let Ok(Some((_, alternative))) = certified.get::<SubjectAltName>() {
            names.extend(alternative.0.iter().filter_map(dns_name));
        }
        let seconds = |it: x509_cert::time::Time| it.to_unix_duration().as_secs();
        let validity = certified.validity;
        Ok(Self {
            spki,
            names,
            validity: seconds(validity.not_before)..=seconds(validity.not_after),
        })
    }
}

fn common_names(subject: &Name) -> Vec<String> {
    let attributes = subject.0.iter().flat_map(|it| it.0.iter());
    let names = attributes.filter(|it| it.oid == COMMON_NAME);
    names.map(|it| String::from_utf8_lossy(it.value.value()).into_owned()).collect()
}

fn dns_name(name: &GeneralName) -> Option<String> {
    if let GeneralName::DnsName(name) = name { Some(name.to_string()) } else { None }
}
