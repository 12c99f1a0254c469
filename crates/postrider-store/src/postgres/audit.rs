//! The audit log.

use async_trait::async_trait;
use postrider::{ApplicationId, AuditId, MessageId, OrganizationId};
use postrider_core::audit::AuditEntry;
use tokio_postgres::Row;

use super::{
    catalog::{remove, save},
    deliveries::{cancel, reschedule, resend, skip},
    error::DatabaseError,
    history::expunge,
    parameter::Param,
    session::Session,
    sign_ins,
    store::{PostgresStore, with_session},
    value::{self, Uuid},
};
use crate::{
    contract::{
        audit::{self, AuditColumn, AuditFilter, AuditLog, BatchedChange, Change, Changed},
        catalog::{RecordKind, RecordRow, too_many_dead_letters},
        deliveries::{Deliveries, Scope},
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl AuditLog for PostgresStore {
    async fn change(&self, change: Change, entry: AuditEntry) -> Result<Changed, StoreError> {
        let changes = [BatchedChange { change, entry: Some(entry) }];
        let changed = self.record(&changes).await?;
        Ok(changed.into_iter().next().expect("one change has one result"))
    }

    async fn change_all(&self, changes: Vec<BatchedChange>) -> Result<Vec<Changed>, StoreError> {
        self.record(&changes).await
    }

    async fn audit_log(
        &self,
        organization: &OrganizationId,
        filter: AuditFilter,
        scan: Scan<AuditId>,
    ) -> Result<ScanPage<AuditEntry, AuditId>, StoreError> {
        with_session!(self.node.api_session(), |session| list(
            session,
            organization,
            &filter,
            &scan
        ))
    }
}

impl PostgresStore {
    async fn record(&self, changes: &[BatchedChange]) -> Result<Vec<Changed>, StoreError> {
        for it in changes {
            if let Change::SaveRecord(row, _) = &it.change
                && !self.has_room_for(row).await?
            {
                return Err(too_many_dead_letters());
            }
        }
        let changed: Result<_, StoreError> =
            with_session!(self.node.api_session(), |session| record(session, changes));
        let changed = changed?;
        if changes.len() > 1 {
            for scope in changes.iter().filter_map(|it| it.change.cancels()) {
                self.cancel_rest(scope).await;
            }
        }
        Ok(changed)
    }

    /// Cancels what a removed record has left. If that fails, claims cancel what they find.
    async fn cancel_rest(&self, scope: Scope) {
        if let Err(error) = self.cancel(scope).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "deliveries of a removed record were not cancelled yet");
        }
    }

    async fn has_room_for(&self, row: &RecordRow) -> Result<bool, StoreError> {
        Ok(row.kind != RecordKind::DeadLetter || self.has_room(&row.parent).await?)
    }
}

/// Makes the changes and writes their entries.
async fn record(
    session: &mut Session,
    changes: &[BatchedChange],
) -> Result<Vec<Changed>, DatabaseError> {
    if let [only] = changes
        && let Some(scope) = only.change.cancels()
    {
        cancel::cancel(session, scope).await?;
    }
    // One of several may be refused, and then nothing may have changed: what the transaction has no
    // time to cancel is cancelled after it.
    session.begin_outer().await?;
    match apply_all(session, changes).await {
        Ok(changed) => {
            session.commit_outer().await?;
            Ok(changed)
        },
        Err(error @ (DatabaseError::Conflict { .. } | DatabaseError::VersionMismatch { .. })) => {
            session.rollback_outer().await?;
            Err(error)
        },
        Err(error) => Err(error),
    }
}

async fn apply_all(
    session: &mut Session,
    changes: &[BatchedChange],
) -> Result<Vec<Changed>, DatabaseError> {
    let mut results = Vec::with_capacity(changes.len());
    for BatchedChange { change, entry } in changes {
        let changed = apply(session, change).await?;
        if let Some(entry) = entry.as_ref().filter(|_| changed.has_effect()) {
            insert(session, entry).await?;
        }
        results.push(changed);
    }
    Ok(results)
}

async fn apply(session: &mut Session, change: &Change) -> Result<Changed, DatabaseError> {
    Ok(match change {
        Change::SaveRecord(row, expected) => {
            Changed::Saved(save::save(session, row, *expected).await?)
        },
        Change::RemoveRecord(kind, parent, id) => {
            Changed::Done(remove::remove(session, *kind, parent, id).await?)
        },
        Change::Resend { application, delivery, at, mode } => {
            Changed::Done(resend::resend(session, *application, *delivery, (*mode, *at)).await?)
        },
        Change::Reschedule { application, message, deliver_at, body_until } => {
            let times = (*deliver_at, *body_until);
            Changed::Done(reschedule::reschedule(session, *application, *message, times).await?)
        },
        Change::CancelMessage(application, message) => {
            Changed::Done(cancel_message(session, *application, *message).await?)
        },
        Change::Skip { application, endpoint, until } => {
            Changed::Done(skip::skip(session, (*application, *endpoint), *until).await?)
        },
        Change::RetryNow { application, endpoint, at } => {
            Changed::Done(skip::retry_now(session, (*application, *endpoint), *at).await?)
        },
        Change::ExpungeMessage(application, message) => {
            Changed::Done(expunge::expunge_message(session, *application, *message).await?)
        },
        Change::ExpungeAttempt(application, message, id) => {
            Changed::Done(expunge::expunge_attempt(session, *application, *message, *id).await?)
        },
        Change::BeginSignIn(digest, sign_in) => {
            sign_ins::begin(session, digest, sign_in).await?;
            Changed::Done(true)
        },
        Change::EndSignIn(digest) => Changed::Done(sign_ins::end(session, digest).await?),
        Change::Elsewhere => Changed::Done(true),
    })
}

async fn cancel_message(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let count = cancel::cancel_step(session, Scope::Message(application, message)).await?;
    session.commit().await?;
    Ok(count > 0)
}

const INSERT: &str = "INSERT INTO audit_log
        (id, organization, record_id, principal, operation, entry)
    VALUES ($1, $2, $3, $4, $5, $6)";

async fn insert(session: &mut Session, entry: &AuditEntry) -> Result<(), DatabaseError> {
    let values: [Param<'_>; 6] = [
        &Uuid::from(entry.id),
        &entry.organization.as_str(),
        &entry.record.id,
        &entry.actor.id,
        &entry.operation,
        &audit::encode(entry),
    ];
    session.execute(INSERT, &values).await.map(drop)
}

/// The statements that list entries, by the column that they search.
macro_rules! lists {
    ($($name:ident = $condition:literal, $order:literal;)+) => {$(
        pub(super) const $name: &str = concat!(
            "SELECT entry
    FROM audit_log
    WHERE organization = $1 AND ", $condition, " AND id > $3 AND id < $4
    ORDER BY id", $order, "
    LIMIT $5"
        );
    )+};
}

lists! {
    ALL_UP = "$2 IS NOT NULL", "";
    ALL_DOWN = "$2 IS NOT NULL", " DESC";
    RECORD_UP = "record_id = $2", "";
    RECORD_DOWN = "record_id = $2", " DESC";
    PRINCIPAL_UP = "principal = $2", "";
    PRINCIPAL_DOWN = "principal = $2", " DESC";
    OPERATION_UP = "operation = $2", "";
    OPERATION_DOWN = "operation = $2", " DESC";
}

const fn sql(column: AuditColumn, ascending: bool) -> &'static str {
    match (column, ascending) {
        (AuditColumn::Organization, true) => ALL_UP,
        (AuditColumn::Organization, false) => ALL_DOWN,
        (AuditColumn::Record, true) => RECORD_UP,
        (AuditColumn::Record, false) => RECORD_DOWN,
        (AuditColumn::Principal, true) => PRINCIPAL_UP,
        (AuditColumn::Principal, false) => PRINCIPAL_DOWN,
        (AuditColumn::Operation, true) => OPERATION_UP,
        (AuditColumn::Operation, false) => OPERATION_DOWN,
    }
}

async fn list(
    session: &mut Session,
    organization: &OrganizationId,
    filter: &AuditFilter,
    scan: &Scan<AuditId>,
) -> Result<ScanPage<AuditEntry, AuditId>, DatabaseError> {
    let (column, value) = filter.column(organization);
    let (low, high) = filter.bounds(scan);
    let limit = value::to_bigint(audit::rows(scan)).saturating_add(1);
    let values: [Param<'_>; 5] = [&organization.as_str(), &value, &Uuid(low), &Uuid(high), &limit];
    let rows = session.query(sql(column, scan.ascending), &values).await?;
    let entry = |row: &Row| {
        audit::decode(row.get(0)).map_err(|error| DatabaseError::corrupt("audit entry", error))
    };
    Ok(filter.page(rows.iter().map(entry).collect::<Result<_, _>>()?, scan))
}
