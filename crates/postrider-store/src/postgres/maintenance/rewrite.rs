//! Replaces encrypted values, a page at a time. A value that another node has changed meanwhile
//! stays as it is.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    contract::maintenance::{Rewrite, RewritePage, RewritePosition},
    postgres::{error::DatabaseError, session::Session, value::Uuid},
};

/// The kinds of values, in the order in which they are walked.
const KINDS: [Kind; 4] = [Kind::Endpoint, Kind::Source, Kind::Consumer, Kind::Response];

#[derive(Clone, Copy)]
enum Kind {
    Endpoint,
    Source,
    Consumer,
    Response,
}

const ENDPOINTS: &str = "SELECT application, id, record
    FROM endpoint
    WHERE (application, id) > ($1, $2)
    ORDER BY application, id
    LIMIT $3";

const SET_ENDPOINT: &str = "UPDATE endpoint SET record = $4, version = version + 1
    WHERE application = $1 AND id = $2 AND record = $3";

const SOURCES: &str = "SELECT id, record FROM source WHERE id > $1 ORDER BY id LIMIT $2";

const SET_SOURCE: &str = "UPDATE source SET record = $3, version = version + 1
    WHERE id = $1 AND record = $2";

const CONSUMERS: &str = "SELECT id, record FROM consumer WHERE id > $1 ORDER BY id LIMIT $2";

const SET_CONSUMER: &str = "UPDATE consumer SET record = $3, version = version + 1
    WHERE id = $1 AND record = $2";

const RESPONSES: &str = "SELECT digest, answer
    FROM reservation
    WHERE digest > $1 AND answer IS NOT NULL
    ORDER BY digest
    LIMIT $2";

const SET_RESPONSE: &str = "UPDATE reservation SET answer = $3 WHERE digest = $1 AND answer = $2";

/// The values that were replaced, and the key of the last one that was shown.
type Shown = (u64, Option<Vec<u8>>);

pub(in crate::postgres) async fn page(
    session: &mut Session,
    position: RewritePosition,
    limit: usize,
    rewrite: &dyn Rewrite,
) -> Result<RewritePage, DatabaseError> {
    let Some(kind) = KINDS.get(position.kind) else {
        return Ok(RewritePage { replaced: 0, next: None });
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let after = &position.after;
    let (replaced, last) = match kind {
        Kind::Endpoint => endpoints(session, after, limit, rewrite).await?,
        Kind::Source => {
            let statements = [SOURCES, SET_SOURCE];
            by_id(session, statements, (after, limit), |it| rewrite.source(it)).await?
        },
        Kind::Consumer => {
            let statements = [CONSUMERS, SET_CONSUMER];
            by_id(session, statements, (after, limit), |it| rewrite.consumer(it)).await?
        },
        Kind::Response => responses(session, after, limit, rewrite).await?,
    };
    Ok(RewritePage { replaced, next: position.following(last, KINDS.len()) })
}

async fn endpoints(
    session: &mut Session,
    after: &[u8],
    limit: i64,
    rewrite: &dyn Rewrite,
) -> Result<Shown, DatabaseError> {
    let (application, id) = after.split_at(after.len() / 2);
    let rows = session.query(ENDPOINTS, &[&uuid(application)?, &uuid(id)?, &limit]).await?;
    let (mut count, mut last) = (0, None);
    for row in &rows {
        let (application, id): (Uuid, Uuid) = (row.get(0), row.get(1));
        last = Some([application.0.to_be_bytes(), id.0.to_be_bytes()].concat());
        let old: &str = row.get(2);
        let Some(new) = rewrite.endpoint(&record(old)?) else { continue };
        count += session.execute(SET_ENDPOINT, &[&application, &id, &old, &json(&new)?]).await?;
    }
    Ok((count, last))
}

/// Rewrites records that are found by their id: statements that list and that replace them.
async fn by_id<R: DeserializeOwned + Serialize>(
    session: &mut Session,
    [list, set]: [&'static str; 2],
    (after, limit): (&[u8], i64),
    rewrite: impl Fn(&R) -> Option<R>,
) -> Result<Shown, DatabaseError> {
    let rows = session.query(list, &[&uuid(after)?, &limit]).await?;
    let (mut count, mut last) = (0, None);
    for row in &rows {
        let id: Uuid = row.get(0);
        last = Some(id.0.to_be_bytes().to_vec());
        let old: &str = row.get(1);
        let Some(new) = rewrite(&record(old)?) else { continue };
        count += session.execute(set, &[&id, &old, &json(&new)?]).await?;
    }
    Ok((count, last))
}

async fn responses(
    session: &mut Session,
    after: &[u8],
    limit: i64,
    rewrite: &dyn Rewrite,
) -> Result<Shown, DatabaseError> {
    let rows = session.query(RESPONSES, &[&after, &limit]).await?;
    let (mut count, mut last) = (0, None);
    for row in &rows {
        let digest: Vec<u8> = row.get(0);
        let old: &[u8] = row.get(1);
        let key = digest.as_slice().try_into();
        let key = key.map_err(|error| DatabaseError::corrupt("idempotency key", error))?;
        if let Some(new) = rewrite.response(key, old) {
            count += session.execute(SET_RESPONSE, &[&digest, &old, &new]).await?;
        }
        last = Some(digest);
    }
    Ok((count, last))
}

/// The id in a position; the lowest one before the first value.
fn uuid(bytes: &[u8]) -> Result<Uuid, DatabaseError> {
    if bytes.is_empty() {
        return Ok(Uuid(0));
    }
    let bytes = bytes.try_into().map_err(|error| DatabaseError::corrupt("position", error))?;
    Ok(Uuid(u128::from_be_bytes(bytes)))
}

fn record<T: DeserializeOwned>(text: &str) -> Result<T, DatabaseError> {
    serde_json::from_str(text).map_err(|error| DatabaseError::corrupt("record", error))
}

fn json(record: &impl Serialize) -> Result<String, DatabaseError> {
    serde_json::to_string(record).map_err(|error| DatabaseError::corrupt("record", error))
}
