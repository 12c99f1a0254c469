//! The pages that tell a person why they could not sign in.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::error::SignInError;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);

/// A page with an error, and a link to try again if that may help.
pub(super) fn error_page(error: &SignInError) -> Response {
    let status = error.status();
    if status.is_server_error() {
        tracing::warn!(error = error as &dyn std::error::Error, "sign-in failed");
    } else {
        tracing::info!(%error, "sign-in was refused");
    }
    let link = if error.is_temporary() { "<p><a href=\"login\">Sign in again</a></p>" } else { "" };
    let text = escape(&error.to_string());
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sign in</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;\
         padding:0 1rem}}</style>\n<h1>You are not signed in</h1>\n<p>{text}.</p>\n{link}\n</html>\n"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == http::StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// Text of others as HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
