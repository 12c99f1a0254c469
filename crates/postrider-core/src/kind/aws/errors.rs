//! What the errors of Amazon's services mean for a delivery.

use crate::{outcome::Failure, template::RenderError};

/// Why a service did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub failure: Failure,
    /// The cause and the remedy, for people.
    pub reason: String,
}

impl Refusal {
    /// The message can never be accepted.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self { failure: Failure::Rejected, reason: reason.into() }
    }
}

impl From<RenderError> for Refusal {
    fn from(RenderError { failure, reason }: RenderError) -> Self {
        Self { failure, reason }
    }
}

/// What an error of a service means. Services compatible with Amazon's have other codes or none,
/// then the status decides.
pub fn classify(service: &str, code: &str, status: u16) -> Refusal {
    let code = if is_code(code) { code } else { "" };
    let (failure, text) = by_code(short(code)).unwrap_or_else(|| by_status(status));
    let shown = if code.is_empty() { status.to_string() } else { format!("{status} {code}") };
    Refusal { failure, reason: format!("{service} refused the request ({shown}): {text}") }
}

/// Codes are shown to people, and everything else that a service sends may contain anything.
fn is_code(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '#' | ':');
    text.len() <= 100 && text.chars().all(is_allowed)
}

/// The code without its namespace and without the `Exception` that some protocols add.
fn short(code: &str) -> &str {
    let code = code.rsplit(['#', '.', ':']).next().unwrap_or(code);
    code.strip_suffix("Exception").filter(|it| !it.is_empty()).unwrap_or(code)
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn by_code(code: &str) -> Option<(Failure, &'static str)> {
    Some(match code {
        "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClient" | "NotSignedUp" => {
            (Failure::Misconfigured, "it does not know `accessKeyId`; correct it")
        },
        "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "AuthFailure" => (
            Failure::Misconfigured,
            "`secretAccessKey` does not belong to `accessKeyId`, or the clock of this server is \
             wrong; correct them",
        ),
        "RequestTimeTooSkewed" | "RequestExpired" => (
            Failure::Misconfigured,
            "the clock of this server differs too much from that of the service; synchronize it \
             (NTP)",
        ),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidSecurity" => (
            Failure::Misconfigured,
            "the credentials have expired or been revoked; replace `accessKeyId`, \
             `secretAccessKey` and `sessionToken`",
        ),
        "AccessDenied" | "AuthorizationError" | "AllAccessDisabled" | "AccountProblem"
        | "OptInRequired" | "Forbidden" => (
            Failure::Misconfigured,
            "the credentials do not allow it; extend the policy of their user or role, or that of \
             the resource",
        ),
        "NoSuchBucket" | "InvalidBucketName" => {
            (Failure::Misconfigured, "there is no such bucket; correct `bucket` or create it")
        },
        "NonExistentQueue" | "QueueDoesNotExist" | "InvalidAddress" => {
            (Failure::Misconfigured, "there is no such queue; correct `queueUrl` or create it")
        },
        "QueueDeletedRecently" => (Failure::Misconfigured, "the queue was deleted; create it"),
        "NotFound" | "TopicNotFound" => {
            (Failure::Misconfigured, "there is no such topic; correct `topicArn` or create it")
        },
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraint" => {
            (Failure::Misconfigured, "it is in another region; correct `region` or `endpointUrl`")
        },
        "KmsAccessDenied" | "KMSAccessDenied" | "KmsDisabled" | "KMSDisabled"
        | "KmsInvalidState" | "KMSInvalidState" | "KmsNotFound" | "KMSNotFound"
        | "KmsOptInRequired" | "KMSOptInRequired" | "KmsInvalidKeyUsage" => (
            Failure::Misconfigured,
            "its encryption key cannot be used; enable the key and allow the credentials to use it",
        ),
        "NotImplemented" => (
            Failure::Misconfigured,
            "it does not support a part of the request; use a service that does",
        ),
        "MissingParameter" | "UnsupportedOperation" | "InvalidAction" | "InvalidRequest" => (
            Failure::Misconfigured,
            "the endpoint's configuration does not fit the resource; check it, and that \
             `messageGroupId` is set only where it is supported",
        ),
        "InvalidMessageContents" => (
            Failure::Rejected,
            "the message contains characters that it does not accept; publish it as JSON or text",
        ),
        "BatchRequestTooLong"
        | "EntityTooLarge"
        | "MessageTooLong"
        | "InvalidParameterValue"
        | "InvalidParameter"
        | "ParameterValueInvalid"
        | "KeyTooLongError"
        | "InvalidAttributeValue"
        | "MaxMessageLengthExceeded" => (
            Failure::Rejected,
            "the message, or a text made for it, is too long or not valid there; publish a smaller \
             one, or correct the endpoint's templates",
        ),
        "Throttling"
        | "Throttled"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "SlowDown"
        | "KmsThrottled"
        | "KMSThrottling"
        | "OverLimit"
        | "LimitExceeded"
        | "BandwidthLimitExceeded"
        | "ServiceUnavailable"
        | "Busy" => {
            (Failure::Busy, "it gets more requests than it allows; they are repeated more slowly")
        },
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "OperationAborted"
        | "ConditionalRequestConflict"
        | "RequestTimeout"
        | "InternalServiceError" => {
            (Failure::Unavailable, "it has a temporary problem; the request is repeated")
        },
        _ => return None,
    })
}

const fn by_status(status: u16) -> (Failure, &'static str) {
    match status {
        401 | 403 => (
            Failure::Misconfigured,
            "the credentials are not valid or do not allow it; correct them or extend their policy",
        ),
        404 => (Failure::Misconfigured, "there is nothing at this address; correct it"),
        408 | 409 => (Failure::Unavailable, "it could not finish; the request is repeated"),
        413 => (Failure::Rejected, "the message is too large; publish a smaller one"),
        429 | 503 => {
            (Failure::Busy, "it gets more requests than it allows; they are repeated more slowly")
        },
        500.. => (Failure::Unavailable, "it has a temporary problem; the request is repeated"),
        _ => (
            Failure::Misconfigured,
            "the request does not suit it; check the endpoint's configuration, and that the \
             address is that of such a service",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permanent_and_temporary_errors_are_told_apart() {
        use Failure::{Busy, Misconfigured, Rejected, Unavailable};
        for (code, status, failure, part) in [
            ("InvalidAccessKeyId", 403, Misconfigured, "accessKeyId"),
            ("SignatureDoesNotMatch", 403, Misconfigured, "secretAccessKey"),
            ("RequestTimeTooSkewed", 403, Misconfigured, "clock"),
            ("ExpiredTokenException", 400, Misconfigured, "sessionToken"),
            ("AccessDenied", 403, Misconfigured, "policy"),
            ("AccessDeniedException", 400, Misconfigured, "policy"),
            ("AuthorizationError", 403, Misconfigured, "policy"),
            ("NoSuchBucket", 404, Misconfigured, "bucket"),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, Misconfigured, "queueUrl"),
            ("com.amazonaws.sqs#QueueDoesNotExist", 400, Misconfigured, "queueUrl"),
            ("NotFound", 404, Misconfigured, "topicArn"),
            ("PermanentRedirect", 301, Misconfigured, "region"),
            ("KMS.DisabledException", 400, Misconfigured, "400"),
            ("MissingParameter", 400, Misconfigured, "messageGroupId"),
            ("InvalidMessageContents", 400, Rejected, "characters"),
            ("AWS.SimpleQueueService.BatchRequestTooLong", 400, Rejected, "smaller"),
            ("ThrottlingException", 400, Busy, "slowly"),
            ("SlowDown", 503, Busy, "slowly"),
            ("InternalError", 500, Unavailable, "temporary"),
            ("ConditionalRequestConflict", 409, Unavailable, "temporary"),
            ("", 503, Busy, "slowly"),
            ("", 502, Unavailable, "temporary"),
            ("", 403, Misconfigured, "credentials"),
            ("SomethingNew", 418, Misconfigured, "SomethingNew"),
        ] {
            let refusal = classify("S3", code, status);
            assert_eq!(refusal.failure, failure, "{code} {status}");
            assert!(refusal.reason.contains(part), "{code}: {}", refusal.reason);
        }
    }

    #[test]
    fn a_code_that_is_a_text_is_not_shown() {
        let refusal = classify("S3", "key AKIA: wrong", 403);
        assert!(!refusal.reason.contains("AKIA"), "{}", refusal.reason);
    }
}
