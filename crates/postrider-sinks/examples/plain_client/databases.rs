//! Rows of databases, in a table of their own with the columns that an endpoint has by default.

use mysql_async::prelude::Queryable;
use rusqlite::params;

use crate::{EVENT_TYPE, Message, Result, Run};

#[expect(clippy::disallowed_methods, reason = "it ends with the example")]
pub(crate) async fn postgres(run: &mut Run) -> Result {
    let (mut client, connection) =
        tokio_postgres::connect(run.text("url")?, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    client
        .batch_execute(
            "CREATE TABLE plain (id text PRIMARY KEY, type text, timestamp timestamptz, event jsonb)",
        )
        .await?;
    let statement = client
        .prepare(
            "INSERT INTO plain
            SELECT id, type, timestamp::timestamptz, event::jsonb
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                AS row (id, type, timestamp, event)",
        )
        .await?;
    while let Some(messages) = run.batch() {
        let column = |of: fn(&Message) -> String| messages.iter().map(of).collect::<Vec<_>>();
        let (ids, times) = (column(|it| it.id.clone()), column(|it| it.timestamp.clone()));
        let (types, events) = (column(|_| EVENT_TYPE.to_owned()), column(Message::event));
        let transaction = client.transaction().await?;
        transaction.execute(&statement, &[&ids, &types, &times, &events]).await?;
        transaction.commit().await?;
    }
    drop(client);
    Ok(connection.await??)
}

pub(crate) async fn mysql(run: &mut Run) -> Result {
    let pool = mysql_async::Pool::from_url(run.text("url")?)?;
    let mut connection = pool.get_conn().await?;
    connection
        .query_drop(
            "CREATE TABLE plain (id varchar(64) PRIMARY KEY, type varchar(256), \
             timestamp datetime(3), event json)",
        )
        .await?;
    let values = vec!["(?, ?, ?, ?)"; crate::BATCH].join(", ");
    let statement = connection.prep(format!("INSERT INTO plain VALUES {values}")).await?;
    while let Some(messages) = run.batch() {
        let mut values: Vec<mysql_async::Value> = Vec::with_capacity(4 * messages.len());
        for message in &messages {
            values.push(message.id.as_str().into());
            values.push(EVENT_TYPE.into());
            values.push("2026-01-01 00:00:00.000".into());
            values.push(message.event().into());
        }
        connection.exec_drop(&statement, values).await?;
    }
    drop(connection);
    Ok(pool.disconnect().await?)
}

pub(crate) fn sqlite(run: &mut Run) -> Result {
    let mut connection = rusqlite::Connection::open(run.text("file")?)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        CREATE TABLE plain (id TEXT PRIMARY KEY, type TEXT, timestamp TEXT, event TEXT);",
    )?;
    while let Some(messages) = run.batch() {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO plain VALUES (?, ?, ?, ?)")?;
            for message in &messages {
                insert.execute(params![
                    message.id,
                    EVENT_TYPE,
                    message.timestamp,
                    message.event()
                ])?;
            }
        }
        transaction.commit()?;
    }
    Ok(())
}
