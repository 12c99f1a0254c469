//! Errors of requests to the services.

use std::net::SocketAddr;

use postrider_core::kind::aws::Refusal;
use postrider_engine::{GuardError, Report};

/// The report of a delivery that failed.
pub(crate) fn failed(error: GuardError) -> Report {
    Report::failed(error.failure, error.reason).at(error.address)
}

/// The service did not do what it was asked for.
pub(crate) fn refused(refusal: Refusal, address: Option<SocketAddr>) -> GuardError {
    GuardError { failure: refusal.failure, reason: refusal.reason, address }
}

/// The code in an error in XML: `<Error><Code>…</Code>…</Error>`. Empty if there is none.
#[cfg(any(feature = "sns", feature = "s3"))]
pub(crate) fn xml_code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map(|(code, _)| code.trim().to_owned()).unwrap_or_default()
}

#[cfg(all(test, any(feature = "sns", feature = "s3")))]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_error_is_found() {
        let body =
            b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>x</Message></Error>";
        assert_eq!(xml_code(body), "SlowDown");
        assert_eq!([xml_code(b""), xml_code(b"<html>")], [String::new(), String::new()]);
    }
}
