//! Requests to the identity provider, through the address guard, with limits.

use std::{pin::Pin, time::Duration};

use http::{HeaderValue, header};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use postrider_engine::{GuardError, HttpClient, ServiceRequest};
use tokio::sync::Semaphore;
use url::Url;

/// Requests at the same time. Everyone can begin to sign in.
const MAX_REQUESTS: usize = 8;

/// For everything: waiting for others, resolving, connecting, headers and body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of a response: the keys of a provider, or the claims of a person with many groups.
const MAX_RESPONSE: usize = 256 << 10;

const AGENT: HeaderValue = HeaderValue::from_static("Postrider");

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("no complete response within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("the URL does not parse")]
    Url(#[source] url::ParseError),
    #[error("{0}")]
    Guard(#[from] GuardError),
}

/// Calls the identity provider.
#[derive(Debug)]
pub(super) struct ProviderClient {
    http: HttpClient,
    permits: Semaphore,
}

/// A response, boxed: the compiler cannot tell that unnamed futures of borrowed clients can be sent.
type Sending<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, RequestError>> + Send + 'c>>;

impl<'c> AsyncHttpClient<'c> for ProviderClient {
    type Error = RequestError;
    type Future = Sending<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl ProviderClient {
    pub(super) fn new(http: HttpClient) -> Self {
        Self { http, permits: Semaphore::new(MAX_REQUESTS) }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, RequestError> {
        let sending = async {
            let permit = self.permits.acquire().await;
            let _permit = permit.expect("the semaphore is never closed");
            self.send_now(request).await
        };
        tokio::time::timeout(TIMEOUT, sending).await.unwrap_or(Err(RequestError::Timeout))
    }

    async fn send_now(&self, request: HttpRequest) -> Result<HttpResponse, RequestError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(RequestError::Url)?;
        let mut headers = parts.headers;
        headers.insert(header::USER_AGENT, AGENT);
        let request = ServiceRequest {
            method: parts.method,
            url,
            headers,
            body: body.into(),
            trusted: None,
            max_response: MAX_RESPONSE,
        };
        let response = Box::pin(self.http.request(&request, None)).await?;
        let mut received = HttpResponse::new(response.body.to_vec());
        *received.status_mut() = response.status;
        *received.headers_mut() = response.headers;
        Ok(received)
    }
}
