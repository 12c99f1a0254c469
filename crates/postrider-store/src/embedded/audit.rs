//! The audit log.

use async_trait::async_trait;
use postrider::{AuditId, OrganizationId};
use postrider_core::{audit::AuditEntry, time::Timestamp};
use rusqlite::{Connection, params};

use super::{
    deliveries::cancel,
    error,
    ledger::Ledger,
    number::MessageSequence,
    row::{self, blob},
    store::EmbeddedStore,
};
use crate::{
    contract::{
        audit::{self, AuditColumn, AuditFilter, AuditLog, BatchedChange, Change, Changed},
        deliveries::{Deliveries, Scope},
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

/// Entries that one call of [`Ledger::expire_audit_log`] removes.
const EXPIRED_PER_CALL: usize = 1_000;

#[async_trait]
impl AuditLog for EmbeddedStore {
    async fn change(&self, change: Change, entry: AuditEntry) -> Result<Changed, StoreError> {
        self.cancel_ahead(&change).await?;
        self.commit(move |ledger| {
            let changed = ledger.change(change, cancel::STEP)?;
            if changed.has_effect() {
                ledger.insert_audit_entry(&entry)?;
            }
            Ok(changed)
        })
        .await
    }

    async fn change_all(&self, changes: Vec<BatchedChange>) -> Result<Vec<Changed>, StoreError> {
        if let [only] = &*changes {
            self.cancel_ahead(&only.change).await?;
        }
        // One of several may be refused, and then nothing may have changed: what the transaction
        // has no time to cancel is cancelled after it.
        let removals: Vec<Scope> = changes.iter().filter_map(|it| it.change.cancels()).collect();
        let limit = cancel::STEP / removals.len().max(1);
        let changed = self
            .commit(move |ledger| {
                changes.into_iter().map(|it| ledger.change_one(it, limit)).collect()
            })
            .await?;
        for scope in removals {
            self.cancel_rest(scope).await;
        }
        Ok(changed)
    }

    async fn audit_log(
        &self,
        organization: &OrganizationId,
        filter: AuditFilter,
        scan: Scan<AuditId>,
    ) -> Result<ScanPage<AuditEntry, AuditId>, StoreError> {
        let organization = organization.clone();
        self.read(move |reader| Ok(list(&reader.main, &organization, &filter, &scan)?)).await
    }
}

impl EmbeddedStore {
    /// Cancels what may be very many deliveries, in transactions of their own.
    async fn cancel_ahead(&self, change: &Change) -> Result<(), StoreError> {
        if let Some(scope) = change.cancels() {
            self.cancel(scope).await?;
        }
        if let &Change::Skip { endpoint, until: Some(until), .. } = change {
            while self.commit(move |ledger| ledger.skip_step(endpoint, until)).await? {}
        }
        Ok(())
    }

    /// Cancels what a removed record has left. If that fails, claims cancel what they find.
    async fn cancel_rest(&self, scope: Scope) {
        if let Err(error) = self.cancel(scope).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "deliveries of a removed record were not cancelled yet");
        }
    }
}

impl Ledger {
    /// Makes a change that cancels at most this many deliveries of a removed record.
    fn change_one(&mut self, it: BatchedChange, limit: usize) -> Result<Changed, StoreError> {
        let changed = self.change(it.change, limit)?;
        if let Some(entry) = it.entry.filter(|_| changed.has_effect()) {
            self.insert_audit_entry(&entry)?;
        }
        Ok(changed)
    }

    fn change(&mut self, change: Change, limit: usize) -> Result<Changed, StoreError> {
        Ok(match change {
            Change::SaveRecord(row, expected) => Changed::Saved(self.save_record(&row, expected)?),
            Change::RemoveRecord(kind, parent, id) => {
                Changed::Done(self.remove_record(kind, &parent, &id, limit)?)
            },
            Change::Resend { application, delivery, at, mode } => {
                Changed::Done(self.resend(application, delivery, at, mode)?)
            },
            Change::Reschedule { application, message, deliver_at, body_until } => {
                Changed::Done(self.reschedule(application, message, deliver_at, body_until)?)
            },
            Change::CancelMessage(_, message) => {
                Changed::Done(self.cancel_message(MessageSequence::of(message))? > 0)
            },
            Change::Skip { endpoint, until, .. } => Changed::Done(self.skip(endpoint, until)?),
            Change::RetryNow { endpoint, at, .. } => Changed::Done(self.retry_now(endpoint, at)?),
            Change::ExpungeMessage(_, message) => Changed::Done(self.expunge_message(message)?),
            Change::ExpungeAttempt(_, message, id) => {
                Changed::Done(self.expunge_attempt(message, id)?)
            },
            Change::BeginSignIn(digest, sign_in) => {
                self.begin_sign_in(digest, &sign_in)?;
                Changed::Done(true)
            },
            Change::EndSignIn(digest) => Changed::Done(self.end_sign_in(digest)?),
            Change::Elsewhere => Changed::Done(true),
        })
    }
}

const INSERT: &str = "INSERT INTO audit_log
        (id, organization, record_id, principal, operation, entry)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) const REMOVE_OLD: &str = "DELETE FROM audit_log
    WHERE id IN (SELECT id FROM audit_log WHERE id < ?1 ORDER BY id LIMIT ?2)";

impl Ledger {
    pub(super) fn insert_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        let values = params![
            blob(entry.id.as_u128()),
            entry.organization.as_str(),
            entry.record.id,
            entry.actor.id,
            entry.operation,
            audit::encode(entry),
        ];
        self.db.prepare_cached(INSERT)?.execute(values)?;
        Ok(())
    }

    /// Removes entries that were created before `first_kept`; `true` if there may be more.
    pub(super) fn expire_audit_log(&self, first_kept: Timestamp) -> Result<bool, StoreError> {
        let values = params![row::first_id_at(first_kept), EXPIRED_PER_CALL];
        Ok(self.db.prepare_cached(REMOVE_OLD)?.execute(values)? == EXPIRED_PER_CALL)
    }
}

/// The statements that list entries, by the column that they search. `SQLite` has no statistics,
/// and would not choose the index of the column itself.
macro_rules! lists {
    ($($name:ident = $index:literal, $condition:literal, $order:literal;)+) => {$(
        pub(super) const $name: &str = concat!(
            "SELECT entry
    FROM audit_log INDEXED BY audit_log_by_", $index, "
    WHERE organization = ?1 AND ", $condition, " AND id > ?3 AND id < ?4
    ORDER BY id", $order, "
    LIMIT ?5"
        );
    )+};
}

lists! {
    ALL_UP = "organization", "?2 IS NOT NULL", "";
    ALL_DOWN = "organization", "?2 IS NOT NULL", " DESC";
    RECORD_UP = "record", "record_id = ?2", "";
    RECORD_DOWN = "record", "record_id = ?2", " DESC";
    PRINCIPAL_UP = "principal", "principal = ?2", "";
    PRINCIPAL_DOWN = "principal", "principal = ?2", " DESC";
    OPERATION_UP = "operation", "operation = ?2", "";
    OPERATION_DOWN = "operation", "operation = ?2", " DESC";
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

fn list(
    db: &Connection,
    organization: &OrganizationId,
    filter: &AuditFilter,
    scan: &Scan<AuditId>,
) -> rusqlite::Result<ScanPage<AuditEntry, AuditId>> {
    let (column, value) = filter.column(organization);
    let (low, high) = filter.bounds(scan);
    let (low, high, limit) = (blob(low), blob(high), audit::rows(scan).saturating_add(1));
    let mut statement = db.prepare_cached(sql(column, scan.ascending))?;
    let values = params![organization.as_str(), value, low, high, limit];
    let found = statement.query_map(values, |row| {
        audit::decode(row.get_ref(0)?.as_str()?).map_err(error::undecodable)
    })?;
    Ok(filter.page(found.collect::<Result<_, _>>()?, scan))
}
