//! Requests for streams.

use std::sync::Arc;

use axum::{
    extract::{RawPathParams, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use postrider_core::live::OriginCheck;

use super::{
    admission::{Admitted, Asked, admit},
    reader::{Connection, Opening, Reader},
    socket::Upgrade,
    sse,
    state::Live,
};
use crate::{
    api::error::ApiError,
    http::{Activity, StreamGuard, cors},
};

/// Opens a stream.
pub(super) async fn open(
    State(live): State<Arc<Live>>,
    path: RawPathParams,
    request: Request,
) -> Response {
    let opened = try_open(&live, endpoint(&path), request).await;
    opened.unwrap_or_else(|error| live.errors.response(error).into_response())
}

async fn try_open(
    live: &Arc<Live>,
    endpoint: &str,
    mut request: Request,
) -> Result<Response, ApiError> {
    let upgrade = Upgrade::of(&mut request)?;
    let connection = request.extensions_mut().remove::<Arc<Activity>>();
    let asked = Asked { endpoint, headers: request.headers(), uri: request.uri() };
    let (reader, cors) = open_stream(live, &asked, connection).await?;
    let response = match upgrade {
        Some(upgrade) => upgrade.response(reader),
        None => sse::response(reader),
    };
    Ok(with_headers(response, cors))
}

async fn open_stream(
    live: &Arc<Live>,
    asked: &Asked<'_>,
    connection: Option<Arc<Activity>>,
) -> Result<(Reader, Vec<(HeaderName, HeaderValue)>), ApiError> {
    let admitted = admit(live, asked).await?;
    let config = admitted.config();
    let (heartbeat, max_readers) = (config.heartbeat, config.max_readers);
    let Admitted { grant, headers, .. } = admitted;
    let place = live.place(grant.application, grant.endpoint, max_readers)?;
    let connection = connection.map(|activity| {
        activity.authenticate();
        Connection { actions: activity.actions(), _stream: StreamGuard::begin(&activity) }
    });
    let mut reader = Reader::new(Arc::clone(live), Opening { grant, heartbeat, place, connection });
    if let Some(last) = asked.last_event_id() {
        reader.resume(&last).await?;
    }
    Ok((reader, headers))
}

/// Tells a browser whether a page may read a stream. Without a token, which browsers do not send
/// here unless it is in the URL, the stream is not known: every page may then ask, and the request
/// itself is checked.
pub(super) async fn preflight(
    State(live): State<Arc<Live>>,
    path: RawPathParams,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let asked = Asked { endpoint: endpoint(&path), headers: &headers, uri: &uri };
    let origin = cors::origin(&headers);
    let allowed = match admit(&live, &asked).await {
        Err(ApiError::Forbidden(_)) => cors::preflight(OriginCheck::Refused, origin, &cors::STREAM),
        Ok(_) => cors::preflight(OriginCheck::Named, origin, &cors::STREAM),
        Err(_) => cors::preflight(OriginCheck::Any, origin, &cors::STREAM),
    };
    with_headers(StatusCode::NO_CONTENT.into_response(), allowed)
}

fn endpoint(path: &RawPathParams) -> &str {
    path.iter().find(|(name, _)| *name == "endpoint_id").map_or("", |(_, id)| id)
}

fn with_headers(mut response: Response, headers: Vec<(HeaderName, HeaderValue)>) -> Response {
    response.headers_mut().extend(headers);
    response
}
