//! Passes the requests of a connection to the router, with what they need of the connection.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{Router, body::Body};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::service::TowerToHyperService;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    activity::{Activity, InProgress},
    client_address::Peer,
    request_body::{RequestBody, Rest, SkipLimits},
    tracked_body::TrackedBody,
};
use crate::{api::error::ApiError, feed, live::is_live_path, relay::is_relay_path};

/// Path of health checks.
const HEALTH_PATH: &str = "/api/v1/health";

/// Serves the requests of one connection.
///
/// While the server is draining, every response asks the client for a new connection, which a load
/// balancer gives to another server. Clients that still use this one when it shuts down could send
/// a request just when it is closed.
pub(super) fn service(
    router: TowerToHyperService<Router>,
    peer: IpAddr,
    activity: Arc<Activity>,
    draining: CancellationToken,
    limits: SkipLimits,
) -> impl Service<
    Request<Incoming>,
    Response = Response<TrackedBody>,
    Error = Infallible,
    Future: Send + 'static,
> {
    service_fn(move |mut request: Request<Incoming>| {
        let in_progress = InProgress::begin(&activity);
        let (version, draining) = (request.version(), draining.clone());
        let mut rest = None;
        let result = if is_admitted(&activity, &request) {
            add_extensions(&mut request, peer, &activity);
            let (request, receiver) = RequestBody::of(request);
            rest = receiver;
            Ok(router.call(request))
        } else {
            Err(all_reserved(version))
        };
        async move {
            let mut response = match result {
                Ok(response) => response.await?,
                Err(response) => response,
            };
            let is_read = is_read(rest, response.status(), limits).await;
            if draining.is_cancelled() || !is_read {
                ask_to_close(response.headers_mut(), version);
            }
            Ok(response.map(|body| TrackedBody { body, request: in_progress }))
        }
    })
}

/// Whether the body of the request was read, or could be skipped.
async fn is_read(
    rest: Option<oneshot::Receiver<Rest>>,
    status: StatusCode,
    limits: SkipLimits,
) -> bool {
    match rest.map(|mut it| it.try_recv()) {
        // A body that arrived too slowly would not arrive faster now.
        Some(Ok(_)) if status == StatusCode::REQUEST_TIMEOUT => false,
        Some(Ok(rest)) => rest.skip(limits).await,
        Some(Err(_)) | None => true,
    }
}

/// Whether the request may use its connection. Reserved connections are for health checks and for clients
/// with a token, so that both get through while others take all connections. Readers of streams have
/// their token in the URL.
fn is_admitted(activity: &Activity, request: &Request<Incoming>) -> bool {
    !activity.is_reserved
        || activity.is_authenticated()
        || request.headers().contains_key(header::AUTHORIZATION)
        || is_live_path(request.uri().path())
        || request.uri().path().starts_with(HEALTH_PATH)
}

fn all_reserved(version: Version) -> Response<Body> {
    let detail = "all connections are taken (`limits.connections`); try again";
    let mut response = ApiError::Unavailable(detail, None).into_api_response().into_response();
    ask_to_close(response.headers_mut(), version);
    response
}

/// Asks the client to close the connection. HTTP/2 has no such header. Responses that change the
/// protocol keep theirs.
fn ask_to_close(headers: &mut HeaderMap, version: Version) {
    if version <= Version::HTTP_11 && !headers.contains_key(header::UPGRADE) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Whether the audit log may record the request with its address. It records no messages, neither
/// those that are published nor those of providers.
fn is_audited(request: &Request<Incoming>) -> bool {
    let path = request.uri().path().trim_end_matches('/');
    !(path.ends_with("/msg") || path.ends_with("/msg/batch") || path.starts_with("/in/"))
}

/// Adds what the handler may need of the connection, and only that: an extension costs an
/// allocation.
fn add_extensions(request: &mut Request<Incoming>, peer: IpAddr, activity: &Arc<Activity>) {
    if is_relay_path(request.uri().path()) || is_audited(request) {
        request.extensions_mut().insert(Peer(peer));
    }
    let headers = request.headers();
    // The cookie may be that of a session.
    let has_token =
        headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE);
    let path = request.uri().path();
    let is_stream = is_live_path(path) || path == feed::PATH;
    if (has_token && !activity.is_authenticated()) || is_stream {
        request.extensions_mut().insert(Arc::clone(activity));
    }
}
