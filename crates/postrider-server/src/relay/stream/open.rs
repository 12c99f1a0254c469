//! Admits listeners that read their requests as Server-Sent Events.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, header};
use postrider::listen::token_from_key;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    admission::{Credentials, admit},
    answer::{Answer, StreamQuery},
    reader::{Connection, Reader},
};
use crate::{
    api::{error::ApiError, problems::Problems, query::Query},
    http::{Activity, StreamGuard},
    relay::{
        sessions::{Forward, Session, Trust},
        state::Relay,
    },
};

/// Shortest key. It is what keeps others from listening in the place of the client.
const MIN_KEY: usize = 16;

/// Asks proxies of the nginx kind not to buffer the response.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Opens the stream of a listener.
pub(in crate::relay) async fn open(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let opened = try_open(&relay, request).await;
    opened.unwrap_or_else(|error| relay.errors.response(error).into_response())
}

async fn try_open(relay: &Arc<Relay>, mut request: Request) -> Result<Response, ApiError> {
    let credentials = Credentials::of(&request);
    admit(relay, &credentials).await?;
    let query = StreamQuery::read(request.uri().query())?;
    let key = query.key.as_deref().filter(|it| it.len() >= MIN_KEY);
    let mut problems = Problems::within(&["query"]);
    problems.require(key.is_some(), "key", "must have 16 characters at least");
    let answer = Answer::new(&query, &mut problems);
    let answer = problems.finish_with(answer)?;
    let place = relay.capacity(Trust::Authenticated).try_connect();
    let place =
        place.map_err(|_| ApiError::Unavailable("too many listeners are connected", None))?;
    let connection = request.extensions_mut().remove::<Arc<Activity>>().map(|activity| {
        activity.authenticate();
        Connection { actions: activity.actions(), _stream: StreamGuard::begin(&activity) }
    });
    let token = token_from_key(key.unwrap_or_default());
    let (session, queue) = session(relay);
    // The key proves that the client owns the token.
    relay.sessions.insert(&token, Arc::clone(&session), true);
    let relay = Arc::clone(relay);
    Ok(response(Reader {
        relay,
        token,
        session,
        queue,
        answer,
        credentials,
        connection,
        has_ended: false,
        _place: place,
    }))
}

fn session(relay: &Relay) -> (Arc<Session>, mpsc::Receiver<Forward>) {
    let max_in_flight = relay.settings.limits.relay_in_flight;
    let (forwards, queue) = mpsc::channel(max_in_flight);
    let session = Session {
        forwards,
        in_flight: Arc::new(Semaphore::new(max_in_flight)),
        replaced: CancellationToken::new(),
        trust: Trust::Authenticated,
    };
    (Arc::new(session), queue)
}

fn response(reader: Reader) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    let first = stream::once(std::future::ready(Ok::<_, Infallible>(reader.first())));
    let rest = stream::unfold(reader, async |mut reader| {
        let bytes = reader.next().await?;
        Some((Ok(bytes), reader))
    });
    (headers, Body::from_stream(first.chain(rest))).into_response()
}
