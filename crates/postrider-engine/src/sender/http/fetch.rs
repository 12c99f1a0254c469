//! Fetches keys and certificates, and calls URLs that providers want to have called.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use postrider::provider::KeyRequest;
use postrider_core::outcome::Failure;
use url::{Position, Url};

use super::{HttpSender, handshake::handshake, progress::connection_error};
use crate::sender::{
    FetchError,
    error::CallError,
    origin::{LookupGroup, Origin},
    pool::{Connection, Protocol},
    tls::TlsSettings,
};

/// For everything: resolving, connecting, headers and body.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes of a response. No key is longer.
const MAX_BODY: usize = 64 << 10;

const AGENT: HeaderValue = HeaderValue::from_static("Postrider");

impl HttpSender {
    pub(super) async fn fetch_once(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        let url = target(&request.url)?;
        let exchange = Box::pin(self.get(&url, request));
        let fetched = tokio::time::timeout(TIMEOUT, exchange).await;
        fetched.unwrap_or_else(|_| {
            let limit = TIMEOUT.as_secs();
            Err(FetchError::Unreachable(format!("no complete response within {limit} s")))
        })
    }

    async fn get(&self, url: &Url, request: &KeyRequest) -> Result<Bytes, FetchError> {
        let origin = Origin { group: LookupGroup::Keys, endpoint: None };
        let opened = self.connector.connect(url, origin, TlsSettings::default()).await?;
        let connection = handshake(&self.pool, opened).await?;
        let budget = connection.budget.clone();
        let got = self.get_on(connection, url, request).await;
        got.map_err(|error| budget.exceeded().map_or(error, FetchError::Unreachable))
    }

    async fn get_on(
        &self,
        connection: Connection,
        url: &Url,
        request: &KeyRequest,
    ) -> Result<Bytes, FetchError> {
        let Connection { protocol, budget, open: _open, .. } = connection;
        budget.renew();
        let response = match protocol {
            Protocol::Http1(mut sender, recorder) => {
                recorder.begin();
                sender.ready().await.map_err(|error| connection_error(&error))?;
                sender
                    .send_request(message(url, request, false)?)
                    .await
                    .map_err(|error| connection_error(&error))?
            },
            Protocol::Http2(mut sender) => sender
                .send_request(message(url, request, true)?)
                .await
                .map_err(|error| connection_error(&error))?,
        };
        let status = response.status();
        if status.is_success() {
            return whole(response.into_body()).await;
        }
        let reason = format!("the response is {}", status.as_u16());
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Err(FetchError::Unreachable(reason))
        } else {
            Err(FetchError::Refused(reason))
        }
    }
}

fn target(text: &str) -> Result<Url, FetchError> {
    let refused = |reason: &str| FetchError::Refused(reason.to_owned());
    let url = Url::parse(text).map_err(|_| refused("the URL does not parse"))?;
    if url.scheme() != "https" {
        return Err(refused("the URL is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("the URL contains a user name or password"));
    }
    Ok(url)
}

fn message(
    url: &Url,
    request: &KeyRequest,
    is_http2: bool,
) -> Result<Request<Full<Bytes>>, FetchError> {
    let malformed = |_: http::Error| FetchError::Refused("the request is malformed".to_owned());
    let begin = if is_http2 { Position::BeforeScheme } else { Position::BeforePath };
    let uri = &url[begin..Position::AfterQuery];
    let body = request.body.clone().map(Bytes::from);
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let mut built = Request::builder()
        .method(method)
        .uri(uri.parse::<Uri>().map_err(|error| malformed(error.into()))?)
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, "*/*");
    if !is_http2 {
        built = built.header(header::HOST, &url[Position::BeforeHost..Position::AfterPort]);
    }
    if body.is_some() {
        built = built.header(header::CONTENT_TYPE, "application/json");
    }
    let mut message = built.body(Full::new(body.unwrap_or_default())).map_err(malformed)?;
    for (name, value) in &request.headers {
        let name = name.parse::<HeaderName>().map_err(|error| malformed(error.into()))?;
        let value = HeaderValue::try_from(value).map_err(|error| malformed(error.into()))?;
        message.headers_mut().insert(name, value);
    }
    Ok(message)
}

async fn whole(mut body: Incoming) -> Result<Bytes, FetchError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| connection_error(&error))?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > MAX_BODY {
            return Err(FetchError::Refused(format!(
                "the response is longer than {MAX_BODY} bytes"
            )));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

impl From<CallError> for FetchError {
    fn from(failed: CallError) -> Self {
        let reason = failed.reason.into_owned();
        match failed.failure {
            Failure::Forbidden | Failure::Rejected | Failure::Misconfigured => {
                Self::Refused(reason)
            },
            Failure::Resolve
            | Failure::Connect
            | Failure::Tls
            | Failure::Timeout
            | Failure::Protocol
            | Failure::Unavailable
            | Failure::Busy
            | Failure::Transformation
            | Failure::Damaged => Self::Unreachable(reason),
        }
    }
}
