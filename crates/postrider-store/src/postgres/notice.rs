//! What a transaction tells the other nodes when it commits.
//!
//! A notification takes a lock that all transactions with notifications share, so nothing on
//! the way of a message sends one.

use postrider::ApplicationId;
use tokio_postgres::types::Type;

use super::{session::Session, value::Uuid};
use crate::StoreError;

/// The channel of this installation: nodes of another schema do not hear it.
macro_rules! channel {
    () => {
        "'postrider_' || current_schema()"
    };
}
pub(super) use channel;

macro_rules! due_payload {
    () => {
        "due"
    };
}
pub(super) use due_payload;

/// What is told when deliveries fell due or were given back.
pub(super) const DUE: &str = due_payload!();

/// What is told when an application changed, before its id and the change's.
pub(super) const CHANGED: &str = "changed ";

/// Tells all nodes that the application or an endpoint of it is changed or removed by this
/// transaction: with a note, for those that cannot listen, and aloud.
pub(super) async fn changed(
    session: &mut Session,
    application: ApplicationId,
) -> Result<(), StoreError> {
    let sql = concat!(
        "WITH noted AS (INSERT INTO change (application) VALUES ($1) RETURNING id)
         SELECT pg_notify(",
        channel!(),
        ", $2 || $1::text || ' ' || id) FROM noted"
    );
    let params = [(&Uuid::from(application) as _, Type::UUID), (&CHANGED as _, Type::TEXT)];
    session.execute(sql, &params).await?;
    Ok(())
}

/// Tells all nodes that deliveries are due.
pub(super) async fn due(session: &mut Session) -> Result<(), StoreError> {
    let sql = concat!("SELECT pg_notify(", channel!(), ", $1)");
    session.execute(sql, &[(&DUE, Type::TEXT)]).await?;
    Ok(())
}

/// The channel's name, as it is to be listened to.
pub(super) const CHANNEL: &str = concat!("SELECT quote_ident(", channel!(), ")");
