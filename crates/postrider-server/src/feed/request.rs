//! Requests for feeds.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, header};
use postrider::{
    ApplicationId, AttemptId, EndpointId, EventTypeName, MessageId, RejectionId, api::MessageStatus,
};
use postrider_core::live;

use super::{
    entry::EntryKind,
    filter::Filter,
    reader::{Connection, Opening, Reader},
    state::{Credentials, Feeds},
};
use crate::{
    api::{
        error::ApiError,
        path::id_or_uid,
        query::{Query, query},
    },
    auth::Principal,
    http::{Activity, StreamGuard},
    operations::call,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Asks proxies of the nginx kind not to buffer the response.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// When a client connects again after the stream has ended.
const RETRY: Duration = Duration::from_secs(2);

query! {
    #[expect(unreachable_pub, reason = "the macro declares public types")]
    FeedQuery {
        /// Only entries of these kinds, separated by commas: message, attempt, rejection, state.
        kinds: Option<String>,
        /// Only entries of this application, by its id or uid.
        app_id: Option<String>,
        /// Only attempts to this endpoint and its changes, by its id, or with `app_id` by its uid.
        endpoint_id: Option<String>,
        /// Only attempts with this result.
        status: Option<MessageStatus>,
        /// Only entries of these event types.
        event_types: Vec<EventTypeName>,
        /// The id of the last entry, if the header `Last-Event-ID` cannot be sent.
        last_event_id: Option<String>,
    }
}

/// Opens a feed.
pub(super) async fn open(State(feeds): State<Arc<Feeds>>, request: Request) -> Response {
    let opened = try_open(&feeds, request).await;
    opened.unwrap_or_else(|error| feeds.errors.response(error).into_response())
}

async fn try_open(feeds: &Arc<Feeds>, mut request: Request) -> Result<Response, ApiError> {
    let credentials = Credentials {
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers: request.headers().clone(),
    };
    let principal = feeds.admit(&credentials).await?;
    let query = FeedQuery::read(request.uri().query())?;
    let filter = filter(feeds, &principal, &query).await?;
    let last = request.headers().get(LAST_EVENT_ID).and_then(|it| it.to_str().ok());
    let last = last.map(ToOwned::to_owned).or(query.last_event_id).filter(|it| !it.is_empty());
    let last = last.as_deref().map(parse_id).transpose()?;
    let place = feeds.place(principal.organization(), principal.holder)?;
    let connection = request.extensions_mut().remove::<Arc<Activity>>().map(|activity| {
        activity.authenticate();
        Connection { actions: activity.actions(), _stream: StreamGuard::begin(&activity) }
    });
    let opening = Opening { principal, credentials, filter, place, connection };
    let mut reader = Reader::new(Arc::clone(feeds), opening);
    if let Some(last) = last {
        reader.resume(last).await?;
    }
    Ok(response(reader))
}

/// The filter of a request, which a token of an application restricts to that one.
async fn filter(
    feeds: &Feeds,
    principal: &Arc<Principal>,
    query: &FeedQuery,
) -> Result<Filter, ApiError> {
    let call = feeds.operations.own_call(principal, "v1.live");
    let own = principal.grant.application.as_ref().map(|own| own.id);
    let entry = match query.app_id.as_deref() {
        None => None,
        Some(text) => {
            let named = id_or_uid::<ApplicationId>(text);
            let named = named.ok_or(ApiError::NotFound("application"))?;
            Some(call.application(&named).await?)
        },
    };
    let endpoint = match (query.endpoint_id.as_deref(), &entry) {
        (None, _) => None,
        (Some(text), Some(entry)) => {
            let named = id_or_uid(text).ok_or(ApiError::NotFound("endpoint"))?;
            Some(call::endpoint(entry, &named)?.id)
        },
        (Some(text), None) => Some(text.parse::<EndpointId>().map_err(|_| {
            let message = "is not the id of an endpoint; with a uid, app_id is required";
            ApiError::invalid(&["query", "endpoint_id"], message)
        })?),
    };
    Ok(Filter {
        kinds: kinds(query.kinds.as_deref())?,
        application: entry.map(|entry| entry.application.id).or(own),
        endpoint,
        event_types: query.event_types.clone(),
        delivered: delivered(query.status)?,
    })
}

fn kinds(text: Option<&str>) -> Result<Vec<EntryKind>, ApiError> {
    let names = text.into_iter().flat_map(|it| it.split(',')).filter(|it| !it.is_empty());
    let kind = |name: &str| EntryKind::ALL.into_iter().find(|kind| kind.name() == name);
    let found: Option<Vec<_>> = names.map(kind).collect();
    found.ok_or_else(|| {
        let message = "must be one or more of message, attempt, rejection, state";
        ApiError::invalid(&["query", "kinds"], message)
    })
}

fn delivered(status: Option<MessageStatus>) -> Result<Option<bool>, ApiError> {
    match status {
        None => Ok(None),
        Some(MessageStatus::Success) => Ok(Some(true)),
        Some(MessageStatus::Fail) => Ok(Some(false)),
        Some(MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Canceled) => {
            Err(ApiError::invalid(&["query", "status"], "must be 0 or 2: an attempt has ended"))
        },
    }
}

/// The bits of the id of an entry.
fn parse_id(text: &str) -> Result<u128, ApiError> {
    let message = text.parse::<MessageId>().map(MessageId::as_u128);
    let attempt = || text.parse::<AttemptId>().map(AttemptId::as_u128);
    let rejection = || text.parse::<RejectionId>().map(RejectionId::as_u128);
    message.or_else(|_| attempt()).or_else(|_| rejection()).map_err(|_| {
        ApiError::invalid(&["header", "last-event-id"], "is not the id of an entry of this stream")
    })
}

fn response(reader: Reader) -> Response {
    let first = stream::once(std::future::ready(Ok::<_, Infallible>(live::retry(RETRY))));
    let rest = stream::unfold(reader, async |mut reader| {
        let bytes = reader.next().await?;
        Some((Ok(bytes), reader))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(first.chain(rest))).into_response()
}
