//! Responses with the headers that protect pages.

use std::fmt::Write;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::Markup;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    context::{Context, Shared},
    cookie,
    failure::Failure,
    layout,
    page::{Outcome, Page, Tone},
    site::Audience,
};

/// What pages may load and do. Scripts that build HTML must do it in one place.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      require-trusted-types-for 'script'; trusted-types postrider";

/// How long the message after an action waits for its page.
const FLASH_LIFETIME: std::time::Duration = std::time::Duration::from_secs(30);

/// An HTML document. Documents of the portal can be embedded by any site: they contain only what
/// the token allows, which the site has itself, and their cookies are separate for each site.
pub(crate) fn html(status: StatusCode, audience: Audience, markup: Markup) -> Response {
    let mut policy = POLICY.to_owned();
    let (images, ancestors) = match audience {
        Audience::Console => ("'self' data:", "'none'"),
        // The platform's logo may be anywhere.
        Audience::Portal => ("'self' data: https:", "*"),
    };
    write!(policy, "; img-src {images}; frame-ancestors {ancestors}")
        .expect("strings take all that is written");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // With `no-referrer`, browsers would send forms with `Origin: null`.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::VARY, HeaderValue::from_static("accept, cookie")),
    ];
    let mut response = (status, headers, markup.into_string()).into_response();
    let policy = HeaderValue::try_from(policy).expect("the policy is ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// A page in the layout of the site.
pub(crate) fn page(context: &Context, page: &Page) -> Response {
    let mut response = html(page.status, context.audience, layout::document(context, page));
    if context.flash.is_some() {
        let ended = cookie::FLASH.remove(context.shared.site.transport());
        append(&mut response, ended);
    }
    response
}

/// What comes of an action.
pub(crate) fn outcome(context: &Context, outcome: Outcome) -> Response {
    match outcome {
        Outcome::Redirect { path, flash } => {
            let mut response = redirect(&context.link(&path));
            append(&mut response, flash.and_then(|it| flash_cookie(&context.shared, it)));
            response
        },
        Outcome::Page(it) => page(context, &it),
        Outcome::Response(response) => *response,
    }
}

/// Sends the browser to a URL of this server.
pub(crate) fn redirect(to: &str) -> Response {
    let location = HeaderValue::try_from(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// A page that says why there is no other.
pub(crate) fn failure(context: &Context, failure: &Failure) -> Response {
    if failure.status().is_server_error() {
        tracing::warn!(path = context.path, error = %failure, "a page of the console failed");
    }
    page(context, &layout::failure(context, failure))
}

/// Adds the cookies that could be made.
pub(crate) fn append(response: &mut Response, cookies: impl IntoIterator<Item = HeaderValue>) {
    for value in cookies {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn flash_cookie(shared: &Shared, (tone, text): (Tone, String)) -> Option<HeaderValue> {
    let name = match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Neutral | Tone::Warning => "neutral",
    };
    // Browsers limit cookies to 4 KiB.
    let text: String = text.chars().take(600).collect();
    let text = utf8_percent_encode(&text, NON_ALPHANUMERIC);
    cookie::FLASH.set(&format!("{name}:{text}"), Some(FLASH_LIFETIME), shared.site.transport())
}
