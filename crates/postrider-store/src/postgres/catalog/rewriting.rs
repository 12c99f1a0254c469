//! Writes down again what is encrypted. What another node saved meanwhile stays.

use tokio_postgres::types::Type;

use super::json;
use crate::{
    Rewrite, StoreError,
    postgres::{
        session::{Param, Session},
        trouble,
        value::Uuid,
    },
};

/// Rows that are looked at at a time.
const PAGE: i64 = 500;

const ENDPOINTS: &str = "SELECT application, id, record
    FROM endpoint
    WHERE (application, id) > ($1, $2)
    ORDER BY application, id
    LIMIT $3";

const SET_ENDPOINT: &str = "UPDATE endpoint SET record = $4
    WHERE application = $1 AND id = $2 AND record = $3";

const SOURCES: &str = "SELECT id, record FROM source WHERE id > $1 ORDER BY id LIMIT $2";

const SET_SOURCE: &str = "UPDATE source SET record = $3 WHERE id = $1 AND record = $2";

const ANSWERS: &str = "SELECT digest, answer
    FROM reservation
    WHERE digest > $1 AND answer IS NOT NULL
    ORDER BY digest
    LIMIT $2";

const SET_ANSWER: &str = "UPDATE reservation SET answer = $3 WHERE digest = $1 AND answer = $2";

pub(in crate::postgres) async fn rewrite(
    session: &mut Session,
    rewrite: &dyn Rewrite,
) -> Result<u64, StoreError> {
    let endpoints = rewrite_endpoints(session, rewrite).await?;
    let sources = rewrite_sources(session, rewrite).await?;
    Ok(endpoints + sources + rewrite_answers(session, rewrite).await?)
}

async fn rewrite_endpoints(
    session: &mut Session,
    rewrite: &dyn Rewrite,
) -> Result<u64, StoreError> {
    let (mut count, mut after) = (0, (Uuid(0), Uuid(0)));
    loop {
        let from: [Param<'_>; 3] =
            [(&after.0, Type::UUID), (&after.1, Type::UUID), (&PAGE, Type::INT8)];
        let rows = session.query(ENDPOINTS, &from).await?;
        for row in &rows {
            after = (row.get(0), row.get(1));
            let old: &str = row.get(2);
            let Some(new) = rewrite.endpoint(&record(old)?) else { continue };
            let values: [Param<'_>; 4] = [
                (&after.0, Type::UUID),
                (&after.1, Type::UUID),
                (&old, Type::TEXT),
                (&json(&new)?, Type::TEXT),
            ];
            count += session.execute(SET_ENDPOINT, &values).await?;
        }
        if rows.is_empty() {
            return Ok(count);
        }
    }
}

async fn rewrite_sources(session: &mut Session, rewrite: &dyn Rewrite) -> Result<u64, StoreError> {
    let (mut count, mut after) = (0, Uuid(0));
    loop {
        let rows = session.query(SOURCES, &[(&after, Type::UUID), (&PAGE, Type::INT8)]).await?;
        for row in &rows {
            after = row.get(0);
            let old: &str = row.get(1);
            let Some(new) = rewrite.source(&record(old)?) else { continue };
            let new = json(&new)?;
            let values: [Param<'_>; 3] =
                [(&after, Type::UUID), (&old, Type::TEXT), (&new, Type::TEXT)];
            count += session.execute(SET_SOURCE, &values).await?;
        }
        if rows.is_empty() {
            return Ok(count);
        }
    }
}

async fn rewrite_answers(session: &mut Session, rewrite: &dyn Rewrite) -> Result<u64, StoreError> {
    let (mut count, mut after) = (0, Vec::new());
    loop {
        let rows = session.query(ANSWERS, &[(&after, Type::BYTEA), (&PAGE, Type::INT8)]).await?;
        for row in &rows {
            after = row.get(0);
            let old: &[u8] = row.get(1);
            let key = after.as_slice().try_into();
            let key = key.map_err(|error| trouble::corrupt("idempotency key", error))?;
            let Some(new) = rewrite.response(key, old) else { continue };
            let values: [Param<'_>; 3] =
                [(&after, Type::BYTEA), (&old, Type::BYTEA), (&new, Type::BYTEA)];
            count += session.execute(SET_ANSWER, &values).await?;
        }
        if rows.is_empty() {
            return Ok(count);
        }
    }
}

fn record<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| trouble::corrupt("record", error))
}
