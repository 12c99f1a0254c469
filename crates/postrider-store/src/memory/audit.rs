//! The audit log.

use async_trait::async_trait;
use postrider::{AuditId, OrganizationId};
use postrider_core::audit::AuditEntry;

use super::{MemoryStore, catalog, state::State};
use crate::{
    contract::{
        audit::{self, AuditFilter, AuditLog, BatchedChange, Change, Changed},
        deliveries::Scope,
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl AuditLog for MemoryStore {
    async fn change(&self, change: Change, entry: AuditEntry) -> Result<Changed, StoreError> {
        self.transact(|state| {
            let changed = state.change(change)?;
            if changed.has_effect() {
                state.audit_log.insert(entry.id, entry);
            }
            Ok(changed)
        })
    }

    async fn change_all(&self, changes: Vec<BatchedChange>) -> Result<Vec<Changed>, StoreError> {
        self.transact(|state| {
            let before = state.clone();
            let changes = changes.into_iter().map(|it| state.change_one(it));
            let changed = changes.collect::<Result<Vec<_>, _>>();
            if changed.is_err() {
                *state = before;
            }
            changed
        })
    }

    async fn audit_log(
        &self,
        organization: &OrganizationId,
        filter: AuditFilter,
        scan: Scan<AuditId>,
    ) -> Result<ScanPage<AuditEntry, AuditId>, StoreError> {
        self.transact(|state| Ok(state.list_audit_log(organization, &filter, &scan)))
    }
}

impl State {
    fn change_one(&mut self, it: BatchedChange) -> Result<Changed, StoreError> {
        let changed = self.change(it.change)?;
        if let Some(entry) = it.entry.filter(|_| changed.has_effect()) {
            self.audit_log.insert(entry.id, entry);
        }
        Ok(changed)
    }

    fn change(&mut self, change: Change) -> Result<Changed, StoreError> {
        Ok(match change {
            Change::SaveRecord(row, expected) => Changed::Saved(self.save_record(row, expected)?),
            Change::RemoveRecord(kind, parent, id) => {
                Changed::Done(self.remove_record(&catalog::key(kind, &parent, id), &parent))
            },
            Change::Resend { application, delivery, at, mode } => {
                Changed::Done(self.resend(application, delivery, at, mode))
            },
            Change::Reschedule { application, message, deliver_at, body_until } => {
                Changed::Done(self.reschedule(application, message, deliver_at, body_until))
            },
            Change::CancelMessage(application, message) => {
                Changed::Done(self.cancel(Scope::Message(application, message)) > 0)
            },
            Change::Skip { application, endpoint, until } => {
                Changed::Done(self.skip(application, endpoint, until) > 0)
            },
            Change::RetryNow { application, endpoint, at } => {
                Changed::Done(self.retry_now(application, endpoint, at))
            },
            Change::ExpungeMessage(_, message) => Changed::Done(self.expunge(message)),
            Change::ExpungeAttempt(_, message, id) => {
                Changed::Done(self.expunge_attempt(message, id))
            },
            Change::BeginSignIn(digest, sign_in) => {
                self.begin_sign_in(digest, sign_in);
                Changed::Done(true)
            },
            Change::EndSignIn(digest) => Changed::Done(self.end_sign_in(digest)),
            Change::Elsewhere => Changed::Done(true),
        })
    }

    fn list_audit_log(
        &self,
        organization: &OrganizationId,
        filter: &AuditFilter,
        scan: &Scan<AuditId>,
    ) -> ScanPage<AuditEntry, AuditId> {
        let (low, high) = filter.bounds(scan);
        let is_within = |entry: &&AuditEntry| {
            let id = entry.id.as_u128();
            entry.organization == *organization && id > low && id < high
        };
        let all = self.audit_log.values().filter(is_within);
        let limit = audit::rows(scan) + 1;
        let found = if scan.ascending {
            all.take(limit).cloned().collect()
        } else {
            all.rev().take(limit).cloned().collect()
        };
        filter.page(found, scan)
    }
}
