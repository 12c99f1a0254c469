//! Calls of the API's operations, in process.

mod deliver;
mod error;
mod path;

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt;

pub(crate) use self::{
    deliver::Delivered,
    error::ApiFailure,
    path::{ApiPath, ingest, v1},
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The API with the credentials of one person.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    router: Router,
    /// The credentials, and what tells which client sent the request.
    headers: HeaderMap,
    extensions: http::Extensions,
}

impl Api {
    /// The API on behalf of a request that a page of this server sent. `token` is none if the
    /// request may have the cookie of single sign-on.
    pub(crate) fn new(
        router: Router,
        token: Option<&str>,
        origin: &str,
        parts: &http::request::Parts,
    ) -> Self {
        let mut headers = HeaderMap::new();
        let own = HeaderValue::try_from(origin).ok();
        headers.extend(own.map(|it| (header::ORIGIN, it)));
        headers.insert(SEC_FETCH_SITE, HeaderValue::from_static("same-origin"));
        let forwarded = ["x-forwarded-for", "forwarded", "cookie", "host"];
        for name in forwarded.map(HeaderName::from_static) {
            for value in parts.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let bearer = token.and_then(|it| HeaderValue::try_from(format!("Bearer {it}")).ok());
        headers.extend(bearer.map(|it| (header::AUTHORIZATION, it)));
        Self { router, headers, extensions: parts.extensions.clone() }
    }

    /// Reads an object or a list.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: ApiPath) -> Result<T, ApiFailure> {
        decode(&self.call(Method::GET, path, Body::empty()).await?)
    }

    /// Reads an object; none if it does not exist.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: ApiPath,
    ) -> Result<Option<T>, ApiFailure> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.status() == StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Calls an operation with a body.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: ApiPath,
        body: &impl Serialize,
    ) -> Result<T, ApiFailure> {
        let body = serde_json::to_vec(body).map_err(ApiFailure::Unreadable)?;
        decode(&self.call(method, path, Body::from(body)).await?)
    }

    /// Calls `POST` with a body.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: ApiPath,
        body: &impl Serialize,
    ) -> Result<T, ApiFailure> {
        self.send(Method::POST, path, body).await
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, path: ApiPath) -> Result<(), ApiFailure> {
        self.call(Method::DELETE, path, Body::empty()).await.map(drop)
    }

    /// Opens a stream of Server-Sent Events, after the entry with an id.
    pub(crate) async fn stream(
        &self,
        path: ApiPath,
        last_event_id: Option<&HeaderValue>,
    ) -> Result<Body, ApiFailure> {
        let mut request = self.request(Method::GET, &path, Body::empty());
        if let Some(id) = last_event_id {
            request.headers_mut().insert(LAST_EVENT_ID, id.clone());
        }
        let response = self.respond(request).await;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(read(response).await?.unwrap_err_or_unexpected())
    }

    /// The body of a successful response.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: ApiPath,
        body: Body,
    ) -> Result<Bytes, ApiFailure> {
        let request = self.request(method, &path, body);
        read(self.respond(request).await).await?.into_result()
    }

    fn request(&self, method: Method, path: &ApiPath, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.uri();
        *request.headers_mut() = self.headers.clone();
        *request.extensions_mut() = self.extensions.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        request
    }

    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = self.router.clone().oneshot(request).await;
        response
    }
}

/// A response that was read.
struct Read {
    status: StatusCode,
    body: Bytes,
}

impl Read {
    fn into_result(self) -> Result<Bytes, ApiFailure> {
        if self.status.is_success() { Ok(self.body) } else { Err(self.unwrap_err_or_unexpected()) }
    }

    fn unwrap_err_or_unexpected(self) -> ApiFailure {
        ApiFailure::of_response(self.status, &self.body)
    }
}

async fn read(response: Response<Body>) -> Result<Read, ApiFailure> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(ApiFailure::Interrupted)?.to_bytes();
    Ok(Read { status: parts.status, body })
}

/// An empty body is `null`.
fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiFailure> {
    let body = if body.is_empty() { b"null" } else { &body[..] };
    serde_json::from_slice(body).map_err(ApiFailure::Unreadable)
}
