//! The response to a token request.

use std::{fmt, time::Duration};

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use crate::{kind::Credential, outcome::Failure};

/// Most bytes of the response to a token request.
pub const MAX_TOKEN_RESPONSE: usize = 64 << 10;

/// Most bytes of an access token.
pub const MAX_ACCESS_TOKEN: usize = 16 << 10;

/// Most characters of the token server's error and of its description that are shown.
const MAX_ERROR: usize = 100;
const MAX_DESCRIPTION: usize = 300;

/// What a token server issued.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    pub access_token: String,
    pub lifetime: Option<Duration>,
    /// The refresh token to use next, if it was replaced.
    pub refresh_token: Option<String>,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// Why there is no access token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TokenError {
    pub failure: Failure,
    /// For the customer, with what to do. It contains no secrets.
    pub reason: String,
    /// How long the token server asks to wait.
    pub retry_after: Option<Duration>,
}

impl TokenError {
    pub fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self { failure, reason: reason.into(), retry_after: None }
    }
}

/// The token in a response. `secrets` are hidden in the error, in case that the token server
/// repeats them.
pub fn parse(status: StatusCode, body: &[u8], secrets: &[&str]) -> Result<IssuedToken, TokenError> {
    let parsed = serde_json::from_slice::<Map<String, Value>>(body);
    if !status.is_success() {
        return Err(refused(status, parsed.ok().as_ref(), secrets));
    }
    let fields = parsed.map_err(|_| malformed("is not a JSON object"))?;
    // Some token servers respond with 200 to errors.
    if fields.contains_key("error") && !fields.contains_key("access_token") {
        return Err(refused(status, Some(&fields), secrets));
    }
    issued(&fields)
}

fn issued(fields: &Map<String, Value>) -> Result<IssuedToken, TokenError> {
    let access_token = fields.get("access_token").and_then(Value::as_str).unwrap_or_default();
    if access_token.is_empty() {
        return Err(malformed("has no `access_token`"));
    }
    if access_token.len() > MAX_ACCESS_TOKEN || HeaderValue::from_str(access_token).is_err() {
        return Err(malformed("has an `access_token` that does not fit into a header"));
    }
    let token_type = fields.get("token_type").and_then(Value::as_str);
    if token_type.is_some_and(|it| !it.eq_ignore_ascii_case("bearer")) {
        return Err(malformed("has a `token_type` other than Bearer"));
    }
    let refresh_token = fields.get("refresh_token").and_then(Value::as_str);
    Ok(IssuedToken {
        access_token: access_token.to_owned(),
        lifetime: fields.get("expires_in").and_then(seconds),
        refresh_token: refresh_token.filter(|it| !it.is_empty()).map(str::to_owned),
    })
}

/// Some token servers send the number as a text or with decimals.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn malformed(problem: &str) -> TokenError {
    let reason = format!(
        "the response of the token server {problem}; correct `tokenUrl`, which has to be that of \
         the token endpoint"
    );
    TokenError::new(Failure::Misconfigured, reason)
}

fn refused(
    status: StatusCode,
    fields: Option<&Map<String, Value>>,
    secrets: &[&str],
) -> TokenError {
    let text = |name: &str, max| {
        let text = fields.and_then(|fields| fields.get(name)).and_then(Value::as_str);
        text.map(|text| shown(text, max, secrets)).filter(|text| !text.is_empty())
    };
    let code = text("error", MAX_ERROR);
    let said = match (&code, text("error_description", MAX_DESCRIPTION)) {
        (Some(code), Some(description)) => format!(" ({code}: {description})"),
        (Some(text), None) => format!(" ({text})"),
        (None, Some(text)) => format!(" ({text})"),
        (None, None) => String::new(),
    };
    let remedy = remedy(status, code.as_deref());
    let reason =
        format!("the token server responded with status {}{said}; {remedy}", status.as_u16());
    TokenError::new(failure(status), reason)
}

fn failure(status: StatusCode) -> Failure {
    match status.as_u16() {
        429 => Failure::Busy,
        500..=599 => Failure::Unavailable,
        _ => Failure::Misconfigured,
    }
}

fn remedy(status: StatusCode, code: Option<&str>) -> &'static str {
    match code {
        Some("invalid_client") => {
            "correct the client id, and the secret or key, of the endpoint's OAuth configuration"
        },
        Some("invalid_grant") => {
            "the refresh token expired or was revoked; get a new one, and set it in the endpoint's \
             OAuth configuration"
        },
        Some("invalid_scope") => "correct the scopes of the endpoint's OAuth configuration",
        Some("unauthorized_client" | "unsupported_grant_type") => {
            "let the token server allow this grant for the client"
        },
        _ => match status.as_u16() {
            300..=399 => "redirects are not followed; correct `tokenUrl`",
            404 | 405 => "correct `tokenUrl`, which has to be that of the token endpoint",
            429 | 500..=599 => "it is requested again with the next attempts",
            _ => "correct the endpoint's OAuth configuration",
        },
    }
}

/// A text of the token server in one line, cut, and without secrets.
fn shown(text: &str, max: usize, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        text = Credential::new((*secret).to_owned()).hide_in(&text);
    }
    let line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    let mut cut: String = line.trim().chars().take(max).collect();
    if cut.len() < line.trim().len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_response_is_a_token_or_a_short_error_without_secrets(
            status in 100_u16..600,
            body in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "\\{\"(error|error_description|access_token)\": ?\"[ -~é\n]{0,400}(sesame)?[a-z]*\"\\}"
                    .prop_map(String::into_bytes),
            ],
        ) {
            let status = StatusCode::from_u16(status).unwrap();
            match parse(status, &body, &["sesame"]) {
                Ok(issued) => prop_assert!(HeaderValue::from_str(&issued.access_token).is_ok()),
                Err(error) => {
                    prop_assert!(!error.reason.contains("sesame"));
                    prop_assert!(error.reason.chars().count() < 700);
                    prop_assert!(!error.reason.chars().any(char::is_control));
                },
            }
        }
    }

    #[test]
    fn a_token_and_its_lifetime_are_read() {
        for (body, lifetime, refresh_token) in [
            (r#"{"access_token":"t"}"#, None, None),
            (r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#, Some(60), None),
            (r#"{"access_token":"t","expires_in":"60","refresh_token":""}"#, Some(60), None),
            (r#"{"access_token":"t","expires_in":-1,"refresh_token":"r"}"#, None, Some("r")),
            (r#"{"access_token":"t","expires_in":{},"error":""}"#, None, None),
        ] {
            let issued = parse(StatusCode::OK, body.as_bytes(), &[]).unwrap();
            assert_eq!(issued.access_token, "t", "{body}");
            assert_eq!(issued.lifetime.map(|it| it.as_secs()), lifetime, "{body}");
            assert_eq!(issued.refresh_token.as_deref(), refresh_token, "{body}");
        }
    }

    #[test]
    fn failures_say_what_to_do_and_hide_secrets() {
        let long = "x".repeat(1_000);
        for (status, body, failure, expected) in [
            (200, "<html>", Failure::Misconfigured, "is not a JSON object"),
            (200, "{}", Failure::Misconfigured, "has no `access_token`"),
            (200, r#"{"access_token":"a\nb"}"#, Failure::Misconfigured, "does not fit"),
            (
                200,
                r#"{"access_token":"a","token_type":"mac"}"#,
                Failure::Misconfigured,
                "other than Bearer",
            ),
            (200, r#"{"error":"invalid_scope"}"#, Failure::Misconfigured, "correct the scopes"),
            (302, "", Failure::Misconfigured, "redirects are not followed"),
            (404, "no", Failure::Misconfigured, "status 404; correct `tokenUrl`"),
            (429, "", Failure::Busy, "requested again"),
            (503, "", Failure::Unavailable, "requested again"),
            (
                401,
                r#"{"error":"invalid_client","error_description":"bad\nsesame"}"#,
                Failure::Misconfigured,
                "(invalid_client: bad ***); correct the client id",
            ),
            (400, r#"{"error":"invalid_grant"}"#, Failure::Misconfigured, "expired or was revoked"),
            (
                400,
                &format!(r#"{{"error_description":"{long}"}}"#),
                Failure::Misconfigured,
                &format!("({}…)", "x".repeat(MAX_DESCRIPTION)),
            ),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = parse(status, body.as_bytes(), &["sesame", ""]).unwrap_err();
            assert_eq!(error.failure, failure, "{body}");
            assert!(error.reason.contains(expected), "{}", error.reason);
            assert!(!error.reason.contains("sesame"), "{}", error.reason);
        }
    }
}
