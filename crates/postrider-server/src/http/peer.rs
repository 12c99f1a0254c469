//! Leads the requests of a connection to the router, and tells them where they come from.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{Router, body::Body};
use http::{HeaderValue, Request, Response, Version, header};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::service::TowerToHyperService;

use super::{
    activity::{Activity, InProgress},
    outgoing::Outgoing,
};
use crate::{api::error::ApiError, relay};

/// Where health checks are.
const HEALTH: &str = "/api/v1/health";

/// The other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Answers the requests of one connection.
pub(super) fn service(
    router: TowerToHyperService<Router>,
    peer: IpAddr,
    activity: Arc<Activity>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Outgoing>,
    Error = Infallible,
    Future: Send + 'static,
> {
    service_fn(move |mut request: Request<Incoming>| {
        let in_progress = InProgress::begin(&activity);
        let answer = if has_place(&activity, &request) {
            tell(&mut request, peer, &activity);
            Ok(router.call(request))
        } else {
            Err(crowded(request.version()))
        };
        async move {
            let response = match answer {
                Ok(answer) => answer.await?,
                Err(response) => response,
            };
            Ok(response.map(|body| Outgoing { body, request: in_progress }))
        }
    })
}

/// Whether the request may use its connection: the reserve is for health checks, and for clients
/// that show a token.
fn has_place(activity: &Activity, request: &Request<Incoming>) -> bool {
    !activity.is_reserved
        || activity.is_authenticated()
        || request.headers().contains_key(header::AUTHORIZATION)
        || request.uri().path().starts_with(HEALTH)
}

fn crowded(version: Version) -> Response<Body> {
    let detail = "all connections are taken (`limits.connections`); try again";
    let mut response = ApiError::Unavailable(detail, None).into_answer().into_response();
    if version <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Tells the request what it may need of its connection.
fn tell(request: &mut Request<Incoming>, peer: IpAddr, activity: &Arc<Activity>) {
    if relay::is_relay_path(request.uri().path()) {
        request.extensions_mut().insert(Peer(peer));
    }
    if request.headers().contains_key(header::AUTHORIZATION) && !activity.is_authenticated() {
        request.extensions_mut().insert(Arc::clone(activity));
    }
}
