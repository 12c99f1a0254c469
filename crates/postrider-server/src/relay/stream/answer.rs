//! The response that a listener gives to all requests.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::{
    api::{problems::Problems, query::query},
    relay::sessions::ProgramResponse,
};

/// Longest body in bytes.
const MAX_BODY: usize = 16 << 10;

query! {
    #[expect(unreachable_pub, reason = "the macro declares public types")]
    StreamQuery {
        /// A secret that the URL of the listener is made from: the same key has the same URL.
        key: Option<String>,
        /// The status of the response to all requests.
        status: Option<String>,
        /// The content type of the response.
        content_type: Option<String>,
        /// The body of the response.
        body: Option<String>,
    }
}

/// The response that a listener gives to all requests.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

impl Answer {
    pub(super) fn new(query: &StreamQuery, problems: &mut Problems<'_>) -> Self {
        let status = query.status.as_deref().unwrap_or("200").parse().ok();
        let status = status.filter(|it| (200..300).contains(it) || (400..600).contains(it));
        problems.require(status.is_some(), "status", "must be 200 to 299 or 400 to 599");
        let body = Bytes::from(query.body.clone().unwrap_or_default());
        problems.require(body.len() <= MAX_BODY, "body", "is longer than 16384 bytes");
        let given = query.content_type.as_deref().filter(|it| !it.is_empty());
        let content_type = given.map(HeaderValue::try_from).transpose();
        problems.require(content_type.is_ok(), "content_type", "is not a content type");
        let content_type = content_type.ok().flatten();
        Self { status: status.unwrap_or(200), content_type, body }
    }

    pub(super) fn response(&self) -> ProgramResponse {
        let content_type = self.content_type.clone().map(|it| (header::CONTENT_TYPE, it));
        ProgramResponse {
            status: self.status,
            headers: content_type.into_iter().collect::<HeaderMap>(),
            body: self.body.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::query::Query as _;

    #[test]
    fn a_response_is_checked() {
        let rows = [
            ("", true),
            ("status=503&content_type=text/plain&body=busy", true),
            ("status=302", false),
            ("status=x", false),
            ("content_type=%0a", false),
        ];
        for (query, expected) in rows {
            let query_read = StreamQuery::read(Some(query)).unwrap();
            let mut problems = Problems::within(&["query"]);
            Answer::new(&query_read, &mut problems);
            assert_eq!(problems.finish().is_ok(), expected, "{query}");
        }
    }
}
