//! One HTTP call to the API.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    Client, Error,
    query::Query,
    transport::{Body, IDEMPOTENCY_KEY},
};

/// Maximum size of a response: far more than the largest page of the largest messages.
const MAX_RESPONSE_BYTES: usize = 512 << 20;

/// A call to any operation: method, path, query and body.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    /// Unescaped path segments.
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
}

impl Call {
    /// Creates a call with a path in unescaped segments.
    pub fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|it| (*it).to_owned()).collect();
        Self { method, path, query: Vec::new(), body: None }
    }

    /// Creates a `GET` call.
    pub fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    /// Adds query parameters.
    pub fn query(mut self, query: &impl Query) -> Self {
        self.query.extend(query.pairs());
        self
    }

    /// Adds one query parameter.
    pub fn pair(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Sets a body of JSON text.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// Serializes the body.
    pub(super) fn json(self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Unreadable(error.into()))?;
        Ok(self.body(body))
    }
}

/// A response of the server.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: StatusCode,
    /// The server's `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The body: JSON, or empty.
    pub body: Bytes,
}

impl Response {
    /// Turns an unsuccessful response into an error with the server's message.
    pub fn success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(Error::refused(self.status, self.retry_after, &self.body))
    }

    /// Deserializes the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Unreadable(error.into()))
    }
}

impl Client {
    /// Makes a call. An unsuccessful response is an error with the server's message.
    pub async fn call(&self, call: Call) -> Result<Response, Error> {
        self.send(call).await?.success()
    }

    /// Makes a call and returns the response, whatever its status.
    pub async fn send(&self, call: Call) -> Result<Response, Error> {
        let exchange = tokio::time::timeout(self.timeout, self.exchange(call));
        let url = || self.shared.url.to_string();
        exchange.await.map_err(|_| Error::Timeout { url: url(), timeout: self.timeout })?
    }

    async fn exchange(&self, call: Call) -> Result<Response, Error> {
        if let Some(segment) = call.path.iter().find(|it| !is_segment(it)) {
            return Err(Error::Path(segment.clone()));
        }
        let unreachable = |source| Error::Unreachable { url: self.shared.url.to_string(), source };
        let request = self.request(call);
        let response = self.shared.http.request(request).await;
        let response: http::Response<_> = response.map_err(|error| unreachable(error.into()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await.map_err(unreachable)?;
        let retry_after = retry_after(&head.headers);
        Ok(Response { status: head.status, retry_after, body: body.to_bytes() })
    }

    fn request(&self, call: Call) -> Request<Body> {
        let url = self.address(&call);
        let mut request = Request::new(Body::new(call.body.clone().unwrap_or_default()));
        *request.uri_mut() = url.as_str().parse().expect("a URL is a URI");
        let headers = request.headers_mut();
        let json = http::HeaderValue::from_static("application/json");
        headers.insert(header::ACCEPT, json.clone());
        headers.insert(header::AUTHORIZATION, self.shared.authorization.clone());
        headers.insert(header::USER_AGENT, self.shared.agent.clone());
        if call.body.is_some() {
            headers.insert(header::CONTENT_TYPE, json);
        }
        if let Some(key) = self.idempotency_key.as_ref().filter(|_| call.method == Method::POST) {
            headers.insert(IDEMPOTENCY_KEY, key.clone());
        }
        *request.method_mut() = call.method;
        request
    }

    fn address(&self, call: &Call) -> Url {
        let mut url = self.shared.url.clone();
        url.path_segments_mut()
            .expect("a client's URL is a base")
            .pop_if_empty()
            .extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        url
    }
}

/// Whether the text stays one path segment. URL parsers resolve `.` and `..`, even percent-encoded,
/// and an empty segment would address the parent.
fn is_segment(text: &str) -> bool {
    !text.bytes().all(|byte| byte == b'.')
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    is_number
        .then(|| text.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs).min(RETRY_AFTER_MAX))
}

/// Maximum wait, however large the number in the response is.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_whole_seconds_up_to_a_day() {
        for (text, expected) in [
            ("7", Some(7)),
            ("86401", Some(86_400)),
            ("99999999999999999999", Some(86_400)),
            ("", None),
            ("+7", None),
            ("soon", None),
        ] {
            let headers = [(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{text}");
        }
    }
}
