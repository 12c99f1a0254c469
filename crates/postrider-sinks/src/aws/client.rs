//! A client of one service in one region, with the credentials of one configuration.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    client::HttpRequest,
};
use postrider_core::{kind::aws::Account, outcome::Failure, target::Target};
use postrider_engine::{GuardError, HttpClient, ServiceRequest, ServiceResponse};
use url::Url;

/// Sends signed requests.
#[derive(Debug)]
pub(crate) struct SignedClient {
    http: HttpClient,
    /// As in signatures: `sqs`.
    name: &'static str,
    region: String,
    credential: AwsCredential,
    url: Url,
    trusted: Option<Arc<str>>,
}

impl SignedClient {
    pub(crate) fn new(
        http: &HttpClient,
        name: &'static str,
        account: Account<'_>,
        url: Url,
    ) -> Self {
        Self {
            http: http.clone(),
            name,
            region: account.region.to_owned(),
            credential: AwsCredential {
                key_id: account.access_key_id.to_owned(),
                secret_key: account.secret_access_key.reveal().to_owned(),
                token: account.session_token.map(|token| token.reveal().to_owned()),
            },
            url,
            trusted: account.trusted_certificates.map(Arc::from),
        }
    }

    /// Sends a request with these headers, whatever its response is.
    pub(crate) async fn post(
        &self,
        headers: &[(HeaderName, HeaderValue)],
        body: String,
        max_response: usize,
        target: Option<&Target>,
    ) -> Result<ServiceResponse, GuardError> {
        let body = Bytes::from(body);
        let headers = self.signed(headers, &body)?;
        let request = ServiceRequest {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body,
            trusted: self.trusted.clone(),
            max_response,
        };
        self.http.request(&request, target).await
    }

    /// The headers with the signature and what it needs.
    fn signed(
        &self,
        headers: &[(HeaderName, HeaderValue)],
        body: &Bytes,
    ) -> Result<HeaderMap, GuardError> {
        let mut request = HttpRequest::new(body.clone().into());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.as_str().parse().map_err(|_| unsigned())?;
        request.headers_mut().extend(headers.iter().cloned());
        AwsAuthorizer::new(&self.credential, self.name, &self.region)
            .try_authorize(&mut request, None)
            // The library's errors are about its own cryptography.
            .map_err(|_| unsigned())?;
        Ok(std::mem::take(request.headers_mut()))
    }
}

fn unsigned() -> GuardError {
    GuardError {
        failure: Failure::Misconfigured,
        reason: "the request cannot be signed; check the address and the credentials".to_owned(),
        address: None,
    }
}
