//! Messages of several applications. A walk goes along the keys; bodies are read last, and only as
//! many as one call may read.

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{delivery::StatusKind, message::Message};
use tokio_postgres::Row;

use super::fetch::{self, MessageKey, State};
use crate::{
    contract::search::{MessageSearch, PAYLOAD_BYTES, Reach},
    page::{Scan, ScanPage},
    postgres::{
        error::DatabaseError,
        history::{
            deliveries::{DELIVERIES_DOWN, DELIVERIES_UP, OPEN_DOWN, OPEN_UP},
            messages::{MESSAGES_DOWN, MESSAGES_UP},
            walk::{Span, Step, Walk},
        },
        row,
        session::Session,
        value::{self, Uuid},
    },
};

/// Most bytes of bodies in one response of the database, unless it is one body.
const CHUNK_BYTES: usize = 4 << 20;

/// What a search walks along.
#[derive(Clone, Copy)]
enum Key {
    All,
    /// Deliveries of all endpoints that ended without success, in this state.
    Ended(i16),
    Application(ApplicationId),
    Endpoint(ApplicationId, EndpointId),
}

impl Key {
    const fn of(reach: &Reach, status: Option<StatusKind>) -> Self {
        match (reach.application, status) {
            (Some((application, Some(endpoint))), _) => Self::Endpoint(application, endpoint),
            (_, Some(StatusKind::Failed)) => Self::Ended(2),
            (_, Some(StatusKind::Cancelled)) => Self::Ended(3),
            (Some((application, None)), _) => Self::Application(application),
            (None, _) => Self::All,
        }
    }
}

/// The condition about the event type is that of the index `message_id`. The application is looked
/// up for each row that is read: a subquery in `EXISTS` could become a scan of all applications.
pub(in crate::postgres) const ALL_UP: &str = "
SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea,
    coalesce((SELECT a.organization = $1 FROM application a WHERE a.id = m.application), false)
FROM message m
WHERE m.id BETWEEN $2 AND $3 AND octet_length(m.event_type) > 0
ORDER BY m.id ASC
LIMIT $4";

pub(in crate::postgres) const ALL_DOWN: &str = "
SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea,
    coalesce((SELECT a.organization = $1 FROM application a WHERE a.id = m.application), false)
FROM message m
WHERE m.id BETWEEN $2 AND $3 AND octet_length(m.event_type) > 0
ORDER BY m.id DESC
LIMIT $4";

/// The condition about the state is that of the index `delivery_not_delivered`.
pub(in crate::postgres) const ENDED_UP: &str = "
SELECT d.message, d.application, d.state
FROM delivery d
WHERE d.message BETWEEN $1 AND $2 AND d.state - 1 <> 0
ORDER BY d.message ASC
LIMIT $3";

pub(in crate::postgres) const ENDED_DOWN: &str = "
SELECT d.message, d.application, d.state
FROM delivery d
WHERE d.message BETWEEN $1 AND $2 AND d.state - 1 <> 0
ORDER BY d.message DESC
LIMIT $3";

/// What a step has read: the keys in the order of the walk, with what may be returned.
type Candidates = Vec<(MessageId, Option<Arc<Message>>)>;

pub(super) async fn search(
    session: &mut Session,
    reach: &Reach,
    search: &MessageSearch,
    scan: &Scan<MessageId>,
) -> Result<ScanPage<Message, MessageId>, DatabaseError> {
    let key = Key::of(reach, search.status);
    let mut walk = Walk::new(&search.message, scan, |id| id.as_u128());
    let mut budget = PAYLOAD_BYTES;
    while let Some(Step { span, rows, wanted }) = walk.step() {
        let window = Window { span, rows, ascending: scan.ascending };
        let mut found = candidates(session, key, (reach, search), window).await?;
        let has_more = found.len() == rows;
        found.dedup_by_key(|(id, _)| *id);
        for (_, message) in &mut found {
            let is_wanted =
                |it: &Arc<Message>| reach.includes(it.application) && search.message.concerns(it);
            *message = message.take().filter(is_wanted);
        }
        if matches!(key, Key::All | Key::Application(_))
            && let Some(status) = search.status
        {
            keep_with_state(session, status, &mut found).await?;
        }
        let read = Payloads { search, wanted, budget: &mut budget };
        let (found, is_whole) = read.matching(session, found).await?;
        walk.take(found, has_more || !is_whole);
        if !is_whole && budget == 0 {
            walk.stop();
        }
    }
    Ok(walk.found())
}

/// The rows that a step reads.
#[derive(Clone, Copy)]
struct Window {
    span: Span,
    rows: usize,
    ascending: bool,
}

async fn candidates(
    session: &mut Session,
    key: Key,
    (reach, search): (&Reach, &MessageSearch),
    window: Window,
) -> Result<Candidates, DatabaseError> {
    let Window { span: Span { first, last }, rows, ascending } = window;
    let (first, last, limit) = (Uuid(first), Uuid(last), value::to_bigint(rows));
    let organization = reach.organization.as_str();
    match key {
        Key::All => {
            let sql = if ascending { ALL_UP } else { ALL_DOWN };
            let found = session.query(sql, &[&organization, &first, &last, &limit]).await?;
            found.iter().map(|row| listed(row, row.get(7))).collect()
        },
        Key::Application(application) => {
            let sql = if ascending { MESSAGES_UP } else { MESSAGES_DOWN };
            let application = Uuid::from(application);
            let found = session.query(sql, &[&application, &first, &last, &limit]).await?;
            if found.is_empty() || !is_own(session, organization, application).await? {
                return Ok(Vec::new());
            }
            found.iter().map(|row| listed(row, true)).collect()
        },
        Key::Ended(state) => {
            let sql = if ascending { ENDED_UP } else { ENDED_DOWN };
            let found = session.query(sql, &[&first, &last, &limit]).await?;
            let key = |row: &Row| {
                let application: ApplicationId = row.get::<_, Uuid>(1).into();
                let passes = row.get::<_, i16>(2) == state && reach.includes(application);
                ((application, row.get::<_, Uuid>(0).into()), passes)
            };
            fetched(session, reach, found.iter().map(key).collect()).await
        },
        Key::Endpoint(application, endpoint) => {
            let of = (Uuid::from(application), Uuid::from(endpoint));
            let wanted = search.status.map(State::from);
            let found = match wanted {
                Some(State::Ended(state)) if state != 1 => {
                    let sql = if ascending { OPEN_UP } else { OPEN_DOWN };
                    session.query(sql, &[&of.0, &of.1, &first, &last, &limit, &state]).await?
                },
                Some(State::Ended(_) | State::Queued { .. }) | None => {
                    let sql = if ascending { DELIVERIES_UP } else { DELIVERIES_DOWN };
                    session.query(sql, &[&of.0, &of.1, &first, &last, &limit]).await?
                },
            };
            let key = |row: &Row| {
                let passes = wanted.is_none_or(|it| is_in(it, row.get(1), row.get(3)));
                ((application, row.get::<_, Uuid>(0).into()), passes)
            };
            fetched(session, reach, found.iter().map(key).collect()).await
        },
    }
}

const IS_OWN: &str = "
SELECT EXISTS (SELECT FROM application WHERE id = $1 AND organization = $2)";

async fn is_own(
    session: &mut Session,
    organization: &str,
    application: Uuid,
) -> Result<bool, DatabaseError> {
    Ok(session.query_one(IS_OWN, &[&application, &organization]).await?.get(0))
}

fn listed(row: &Row, is_own: bool) -> Result<(MessageId, Option<Arc<Message>>), DatabaseError> {
    let message = row::message(row)?;
    Ok((message.id, is_own.then(|| Arc::new(message))))
}

/// Whether a delivery with this state and this number of attempts is in the state.
fn is_in(wanted: State, state: i16, attempts: i32) -> bool {
    match wanted {
        State::Ended(wanted) => wanted == state,
        State::Queued { attempted } => state == 0 && (attempts > 0) == attempted,
    }
}

/// Fetches the messages of the keys that pass.
async fn fetched(
    session: &mut Session,
    reach: &Reach,
    keys: Vec<(MessageKey, bool)>,
) -> Result<Candidates, DatabaseError> {
    let passed = keys.iter().filter(|(_, passes)| *passes).map(|(key, _)| *key).collect();
    let messages = fetch::messages(session, &reach.organization, passed).await?;
    let item = |((_, id), passes): (MessageKey, bool)| {
        (id, messages.get(&id).filter(|_| passes).map(Arc::clone))
    };
    Ok(keys.into_iter().map(item).collect())
}

/// Keeps the messages of which a delivery has this status.
async fn keep_with_state(
    session: &mut Session,
    status: StatusKind,
    found: &mut Candidates,
) -> Result<(), DatabaseError> {
    let keys: Vec<_> = found.iter().filter_map(|(_, it)| it.as_deref().map(key_of)).collect();
    let matching = fetch::with_state(session, &keys, status.into()).await?;
    for (id, message) in found {
        *message = message.take().filter(|_| matching.contains(id));
    }
    Ok(())
}

fn key_of(message: &Message) -> MessageKey {
    (message.application, message.id)
}

/// Reads bodies, as far as the search needs them.
struct Payloads<'a> {
    search: &'a MessageSearch,
    /// The number of items after which the rest is not read.
    wanted: usize,
    /// Bytes that may still be read.
    budget: &'a mut usize,
}

type Matching = Vec<(MessageId, Option<Message>)>;

impl Payloads<'_> {
    /// The candidates whose payloads match, and whether these are all of them. The rest is left
    /// out if enough was found, or if no more may be read.
    async fn matching(
        self,
        session: &mut Session,
        candidates: Candidates,
    ) -> Result<(Matching, bool), DatabaseError> {
        if !self.search.reads_bodies() {
            let found = candidates.into_iter();
            return Ok((found.map(|(id, it)| (id, it.map(Arc::unwrap_or_clone))).collect(), true));
        }
        let keys: Vec<_> =
            candidates.iter().filter_map(|(_, it)| it.as_deref().map(key_of)).collect();
        let lengths = fetch::body_lengths(session, &keys).await?;
        let mut matching = Matching::new();
        let mut rest = &candidates[..];
        let mut count = 0;
        while !rest.is_empty() {
            if count >= self.wanted || *self.budget == 0 {
                return Ok((matching, false));
            }
            let size = |id: &MessageId| lengths.get(id).copied().unwrap_or_default();
            let (chunk, bytes) = chunk(rest, size);
            *self.budget = self.budget.saturating_sub(bytes);
            for (id, found) in self.read(session, chunk).await? {
                count += usize::from(found.is_some());
                matching.push((id, found));
            }
            rest = &rest[chunk.len()..];
        }
        Ok((matching, true))
    }

    async fn read(
        &self,
        session: &mut Session,
        chunk: &[(MessageId, Option<Arc<Message>>)],
    ) -> Result<Matching, DatabaseError> {
        let keys: Vec<_> = chunk.iter().filter_map(|(_, it)| it.as_deref().map(key_of)).collect();
        let mut bodies = fetch::bodies(session, &keys).await?;
        let item = |(id, candidate): &(MessageId, Option<Arc<Message>>)| {
            let whole = candidate.as_ref().map(|it| {
                let body = bodies.remove(id);
                Message { body, ..Message::clone(it) }
            });
            let whole = whole.filter(|it| self.search.matches_payload(it));
            (*id, whole.map(|it| self.search.show(it)))
        };
        Ok(chunk.iter().map(item).collect())
    }
}

/// A message that may match, or the id of one that does not.
type Candidate = (MessageId, Option<Arc<Message>>);

/// The first candidates whose bodies may be read at once, at least one, and the bytes of these.
fn chunk(candidates: &[Candidate], size: impl Fn(&MessageId) -> usize) -> (&[Candidate], usize) {
    let mut bytes = 0;
    let fits = |(id, _): &&Candidate| {
        let fits = bytes < CHUNK_BYTES;
        bytes += if fits { size(id) } else { 0 };
        fits
    };
    let count = candidates.iter().take_while(fits).count();
    (&candidates[..count], bytes)
}
