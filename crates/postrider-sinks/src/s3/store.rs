//! The object store: three requests, over the sender's guarded connections.

use std::{
    error::Error,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use object_store::{
    Attribute, Attributes, ClientOptions, ObjectStore, PutMode, PutOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
    path::Path,
};
use postrider_core::{
    kind::{aws::classify, s3::S3},
    outcome::Failure,
    target::Target,
};
use postrider_engine::{GuardError, HttpClient, ServiceRequest};

use crate::aws::{refused, xml_code};

/// Most bytes of a response: an object of the largest size, or a list of 1,000 keys.
pub(super) const MAX_RESPONSE: usize = 36 << 20;

/// A bucket of an object store.
#[derive(Debug)]
pub(super) struct Store(AmazonS3);

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Written,
    /// An object with this key was there before.
    Existed,
}

impl Store {
    pub(super) fn new(
        http: &HttpClient,
        s3: &S3,
        target: &Arc<Target>,
    ) -> Result<Self, GuardError> {
        let account = s3.account();
        let service = GuardedHttp {
            http: http.clone(),
            target: Arc::downgrade(target),
            trusted: account.trusted_certificates.map(Arc::from),
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&s3.bucket)
            .with_region(account.region)
            .with_access_key_id(account.access_key_id)
            .with_secret_access_key(account.secret_access_key.reveal())
            // Attempts are ours.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(service);
        if let Some(token) = account.session_token {
            builder = builder.with_token(token.reveal());
        }
        builder = match account.endpoint_url {
            Some(url) => {
                builder.with_endpoint(url.as_str().trim_end_matches('/')).with_allow_http(true)
            },
            // A name with dots does not fit the certificate.
            None => builder.with_virtual_hosted_style_request(!s3.bucket.contains('.')),
        };
        builder.build().map(Self).map_err(|_| {
            let reason = "the store's configuration is not valid; check `bucket`, `region` and \
                          `endpointUrl`";
            GuardError { failure: Failure::Misconfigured, reason: reason.to_owned(), address: None }
        })
    }

    /// Writes an object, unless there is one with this key.
    pub(super) async fn put(
        &self,
        key: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<Put, GuardError> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, content_type.to_owned().into());
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        match self.0.put_opts(&path(key)?, content.into(), options).await {
            Ok(_) => Ok(Put::Written),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Put::Existed),
            Err(error) => Err(explain(&error)),
        }
    }

    /// The keys that begin with `prefix` and sort after `from`.
    pub(super) async fn keys(&self, prefix: &str, from: &str) -> Result<Vec<String>, GuardError> {
        let folder = prefix.rsplit_once('/').map(|(folder, _)| path(folder)).transpose()?;
        let objects = self.0.list_with_offset(folder.as_ref(), &path(from)?);
        let keys = objects.map_ok(|object| object.location.to_string());
        // Keys arrive in order.
        let keys = keys.try_take_while(|key| {
            let is_before_the_end = key.starts_with(prefix) || key.as_str() < prefix;
            std::future::ready(Ok(is_before_the_end))
        });
        keys.try_collect().await.map_err(|error| explain(&error))
    }

    /// The content of an object; `None` if there is none with this key.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, GuardError> {
        let got = match self.0.get_opts(&path(key)?, object_store::GetOptions::default()).await {
            Ok(got) => got.bytes().await,
            Err(error) => Err(error),
        };
        match got {
            Ok(content) => Ok(Some(content)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(explain(&error)),
        }
    }

    /// Lists the beginning of the bucket, to see whether that is possible.
    pub(super) async fn first_key(&self) -> Result<(), GuardError> {
        match self.0.list(None).next().await {
            Some(Err(error)) => Err(explain(&error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

fn path(key: &str) -> Result<Path, GuardError> {
    Path::parse(key).map_err(|_| GuardError {
        failure: Failure::Rejected,
        reason: "`key` is not valid for this message; correct the template".to_owned(),
        address: None,
    })
}

/// The error of our own connection within that of the library, whose text may contain anything.
fn explain(error: &object_store::Error) -> GuardError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<GuardError>() {
            return own.clone();
        }
        cause = error.source();
    }
    GuardError {
        failure: Failure::Protocol,
        reason: "the response is not that of an S3 store; check `endpointUrl`".to_owned(),
        address: None,
    }
}

/// Sends the library's requests on behalf of an endpoint.
#[derive(Clone, Debug)]
struct GuardedHttp {
    http: HttpClient,
    /// A client must not keep the target of an endpoint that was changed.
    target: Weak<Target>,
    trusted: Option<Arc<str>>,
}

impl HttpConnector for GuardedHttp {
    fn connect(
        &self,
        _options: &ClientOptions,
    ) -> object_store::Result<object_store::client::HttpClient> {
        Ok(object_store::client::HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for GuardedHttp {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.exchange(request).await.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))
    }
}

impl GuardedHttp {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, GuardError> {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string();
        let request = ServiceRequest {
            method: head.method,
            url: url.parse().map_err(|_| malformed())?,
            headers: head.headers,
            body: body.collect().await.map_err(|_| malformed())?.to_bytes(),
            trusted: self.trusted.clone(),
            max_response: MAX_RESPONSE,
        };
        let target = self.target.upgrade();
        let received = self.http.request(&request, target.as_deref()).await?;
        let code = xml_code(&received.body);
        if !is_for_the_library(received.status, &code) {
            let refusal = classify("the store", &code, received.status.as_u16());
            return Err(refused(refusal, Some(received.address)));
        }
        let mut response = Response::new(received.body.into());
        *response.status_mut() = received.status;
        *response.headers_mut() = received.headers;
        Ok(response)
    }
}

/// Successes, and the errors whose meaning follows from the request.
fn is_for_the_library(status: StatusCode, code: &str) -> bool {
    let is_missing = status == StatusCode::NOT_FOUND && code == "NoSuchKey";
    status.is_success()
        || is_missing
        || matches!(status, StatusCode::PRECONDITION_FAILED | StatusCode::NOT_MODIFIED)
}

fn malformed() -> GuardError {
    GuardError {
        failure: Failure::Misconfigured,
        reason: "the request is not valid; check `bucket`, `endpointUrl` and `key`".to_owned(),
        address: None,
    }
}
