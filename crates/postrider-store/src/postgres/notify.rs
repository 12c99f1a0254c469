//! Notifications of other nodes, sent when the transaction commits.
//!
//! A notification takes a lock that all transactions with notifications share, so none is sent
//! while a message is accepted or delivered.
//!
//! The channel belongs to the schema, so that nodes of another installation in the same database
//! do not receive its notifications.

use postrider::{ApplicationId, OrganizationId};
use postrider_core::catalog::organization_digest;

use crate::contract::cluster::StoreEvent;

use super::{error::DatabaseError, session::Session, value::Uuid};

/// Payload when deliveries fell due or lost their holder.
pub(super) const DUE: &str = "due";

/// First word of the payload when an application changed; its id and that of the change follow.
pub(super) const CHANGED: &str = "changed ";

/// Records the change for nodes that cannot listen, and notifies those that can.
const NOTIFY_CHANGED: &str = "
WITH noted AS (INSERT INTO change (application) VALUES ($1) RETURNING id)
SELECT pg_notify('postrider_' || current_schema(), $2 || $1::text || ' ' || id) FROM noted";

/// Tells all nodes that this transaction changes or removes the application or one of its
/// endpoints.
pub(super) async fn changed(
    session: &mut Session,
    application: ApplicationId,
) -> Result<(), DatabaseError> {
    session.execute(NOTIFY_CHANGED, &[&Uuid::from(application), &CHANGED]).await.map(drop)
}

/// Means access in place of an application: no application has it.
pub(super) const ACCESS: ApplicationId = ApplicationId::from_u128(0);

/// Tells all nodes that this transaction changes API keys or expires tokens.
pub(super) async fn access_changed(session: &mut Session) -> Result<(), DatabaseError> {
    changed(session, ACCESS).await
}

/// Tells all nodes that this transaction changes or removes an event type of the organization.
pub(super) async fn event_types_changed(
    session: &mut Session,
    organization: &OrganizationId,
) -> Result<(), DatabaseError> {
    changed(session, event_types(organization_digest(organization))).await
}

/// The first half of what means event types in place of an application. No application has it: it
/// is no UUID of version 7.
const EVENT_TYPES: u64 = 1;

/// Means the event types of organizations with this digest.
fn event_types(digest: u64) -> ApplicationId {
    ApplicationId::from_u128(u128::from(EVENT_TYPES) << 64 | u128::from(digest))
}

/// What a change of this application means.
pub(super) fn event(application: ApplicationId) -> StoreEvent {
    if application == ACCESS {
        return StoreEvent::AccessChanged;
    }
    let meaning = application.as_u128();
    match u64::try_from(meaning & u128::from(u64::MAX)) {
        Ok(digest) if meaning >> 64 == u128::from(EVENT_TYPES) => {
            StoreEvent::EventTypesChanged(digest)
        },
        _ => StoreEvent::ApplicationChanged(application),
    }
}

const NOTIFY_DUE: &str = "SELECT pg_notify('postrider_' || current_schema(), $1)";

/// Tells all nodes that deliveries are due.
pub(super) async fn due(session: &mut Session) -> Result<(), DatabaseError> {
    session.execute(NOTIFY_DUE, &[&DUE]).await.map(drop)
}

/// The name of the channel, quoted for `LISTEN`.
pub(super) const CHANNEL: &str = "SELECT quote_ident('postrider_' || current_schema())";
