//! The style sheet of a theme, which needs no session: all that it contains is in its URL.

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, header};

use crate::{query::Query, theme::Choices};

/// A year. The URL contains the version of the assets.
const FOREVER: &str = "public, max-age=31536000, immutable";

pub(super) fn router() -> Router {
    Router::new().route("/portal/theme.css", get(serve))
}

async fn serve(request: Request) -> Response {
    let choices = Choices::of(&Query::parse(request.uri().query()));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static(FOREVER)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, choices.css()).into_response()
}
