//! Replaces encrypted values. A value that another node has changed meanwhile stays as it is.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    contract::maintenance::Rewrite,
    postgres::{error::DatabaseError, session::Session, value::Uuid},
};

/// Rows that are read at a time.
const PAGE: i64 = 500;

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

pub(in crate::postgres) async fn rewrite(
    session: &mut Session,
    rewrite: &dyn Rewrite,
) -> Result<u64, DatabaseError> {
    let endpoints = rewrite_endpoints(session, rewrite).await?;
    let sources = rewrite_by_id(session, [SOURCES, SET_SOURCE], |it| rewrite.source(it)).await?;
    let consumers =
        rewrite_by_id(session, [CONSUMERS, SET_CONSUMER], |it| rewrite.consumer(it)).await?;
    Ok(endpoints + sources + consumers + rewrite_responses(session, rewrite).await?)
}

async fn rewrite_endpoints(
    session: &mut Session,
    rewrite: &dyn Rewrite,
) -> Result<u64, DatabaseError> {
    let (mut count, mut after) = (0, (Uuid(0), Uuid(0)));
    loop {
        let rows = session.query(ENDPOINTS, &[&after.0, &after.1, &PAGE]).await?;
        for row in &rows {
            after = (row.get(0), row.get(1));
            let old: &str = row.get(2);
            let Some(new) = rewrite.endpoint(&record(old)?) else { continue };
            count +=
                session.execute(SET_ENDPOINT, &[&after.0, &after.1, &old, &json(&new)?]).await?;
        }
        if rows.is_empty() {
            return Ok(count);
        }
    }
}

/// Rewrites records that are found by their id: statements that list and that replace them.
async fn rewrite_by_id<R: DeserializeOwned + Serialize>(
    session: &mut Session,
    [list, set]: [&'static str; 2],
    rewrite: impl Fn(&R) -> Option<R>,
) -> Result<u64, DatabaseError> {
    let (mut count, mut after) = (0, Uuid(0));
    loop {
        let rows = session.query(list, &[&after, &PAGE]).await?;
        for row in &rows {
            after = row.get(0);
            let old: &str = row.get(1);
            let Some(new) = rewrite(&record(old)?) else { continue };
            let new = json(&new)?;
            count += session.execute(set, &[&after, &old, &new]).await?;
        }
        if rows.is_empty() {
            return Ok(count);
        }
    }
}

async fn rewrite_responses(
    session: &mut Session,
    rewrite: &dyn Rewrite,
) -> Result<u64, DatabaseError> {
    let (mut count, mut after) = (0, Vec::new());
    loop {
        let rows = session.query(RESPONSES, &[&after, &PAGE]).await?;
        for row in &rows {
            after = row.get(0);
            let old: &[u8] = row.get(1);
            let key = after.as_slice().try_into();
            let key = key.map_err(|error| DatabaseError::corrupt("idempotency key", error))?;
            let Some(new) = rewrite.response(key, old) else { continue };
            count += session.execute(SET_RESPONSE, &[&after, &old, &new]).await?;
        }
        if rows.is_empty() {
            return Ok(count);
        }
    }
}

fn record<T: DeserializeOwned>(text: &str) -> Result<T, DatabaseError> {
    serde_json::from_str(text).map_err(|error| DatabaseError::corrupt("record", error))
}

fn json(record: &impl Serialize) -> Result<String, DatabaseError> {
    serde_json::to_string(record).map_err(|error| DatabaseError::corrupt("record", error))
}
