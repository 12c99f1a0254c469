//! Sends signed requests to sources, as their providers do.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use postrider::provider::SignedRequest;

use super::{Api, ApiFailure};

/// Longest part of a response that is shown.
const SHOWN: usize = 4 << 10;

/// The response of a source.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl Api {
    /// Sends a request to the source with this URL, in process and without credentials.
    pub(crate) async fn deliver(
        &self,
        signed: &SignedRequest,
        ingest_url: &str,
    ) -> Result<Delivered, ApiFailure> {
        let mut request = Request::new(Body::from(signed.body.clone()));
        *request.method_mut() = Method::try_from(signed.method.as_str()).unwrap_or(Method::POST);
        *request.uri_mut() = target(ingest_url, &signed.url);
        *request.extensions_mut() = self.extensions.clone();
        for name in ["host", "x-forwarded-for", "forwarded"].map(HeaderName::from_static) {
            if let Some(value) = self.headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        for (name, value) in &signed.headers {
            let header = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            request.headers_mut().extend(header.map(|(name, value)| (Some(name), value)));
        }
        let (parts, body) = self.respond(request).await.into_parts();
        let body = body.collect().await.map_err(ApiFailure::Interrupted)?.to_bytes();
        Ok(Delivered { status: parts.status, body: text(&body) })
    }
}

/// The path in this server: the public URL may have a prefix, and a provider may add a query.
fn target(ingest_url: &str, signed_url: &str) -> Uri {
    let token = ingest_url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let query = signed_url.split_once('?').map(|it| format!("?{}", it.1)).unwrap_or_default();
    let path = format!("/in/{token}{query}");
    path.parse().unwrap_or_else(|_| Uri::from_static("/in/"))
}

fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_that_of_the_source_with_the_query_of_the_provider() {
        let rows = [
            ("http://a.test/in/t", "http://a.test/in/t", "/in/t"),
            ("http://a.test/hooks/in/t", "https://b.test/x?sig=1&b=2", "/in/t?sig=1&b=2"),
        ];
        for (ingest, signed, expected) in rows {
            assert_eq!(target(ingest, signed), expected);
        }
    }
}
