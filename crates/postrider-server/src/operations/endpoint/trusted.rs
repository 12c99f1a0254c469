//! Validation of the certificates that requests to an endpoint trust.

use postrider::api::endpoint::MAX_TRUSTED_CERTIFICATES;
use postrider_engine::certificates;

use crate::api::problems::Problems;

const FIELD: &str = "trustedCertificates";

/// The PEM certificates, if they are valid.
pub(super) fn checked(pem: Option<String>, problems: &mut Problems<'_>) -> Option<String> {
    let pem = pem?;
    let problem = if pem.len() > MAX_TRUSTED_CERTIFICATES {
        Some(format!("is longer than {MAX_TRUSTED_CERTIFICATES} bytes"))
    } else if pem.contains("PRIVATE KEY-----") {
        Some("must contain only certificates, but has a private key".to_owned())
    } else {
        certificates::parse(pem.as_bytes()).err().map(|error| error.to_string())
    };
    match problem {
        Some(problem) => {
            problems.add(&[FIELD], problem);
            None
        },
        None => Some(pem),
    }
}
