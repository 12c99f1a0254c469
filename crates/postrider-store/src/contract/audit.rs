//! The audit log, and changes that are recorded in it.

use std::fmt;

use async_trait::async_trait;
use postrider::{ApplicationId, AttemptId, AuditId, EndpointId, MessageId, OrganizationId};
use postrider_core::{
    audit::AuditEntry,
    delivery::{DeliveryId, ResendMode},
    time::Timestamp,
};

use super::{
    catalog::{Expected, Parent, RecordId, RecordKind, RecordRow, Version},
    deliveries::Scope,
    sign_ins::SignIn,
};
use crate::{
    error::StoreError,
    page::{Scan, ScanPage},
    weight::Weight,
};

/// Most deliveries of each kind, with a place in an order and without, that become due with
/// [`Change::RetryNow`].
pub(crate) const RETRIED_AT_ONCE: u32 = 1_000;

/// A change that a client asks for. Each does what the method of the same name does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    SaveRecord(RecordRow, Expected),
    RemoveRecord(RecordKind, Parent, RecordId),
    Resend {
        application: ApplicationId,
        delivery: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    },
    /// Changes when the first attempts of a message are made. Its deliveries that wait for their
    /// first attempt, and are not held, become due then, and the message gets this
    /// `deliver_at` and `body_until`. Without such a delivery, or without a body, nothing changes.
    Reschedule {
        application: ApplicationId,
        message: MessageId,
        deliver_at: Timestamp,
        body_until: Timestamp,
    },
    /// Cancels the pending deliveries of a message, as
    /// [`Deliveries::cancel`](super::deliveries::Deliveries::cancel) does.
    CancelMessage(ApplicationId, MessageId),
    /// Cancels pending deliveries of an endpoint, leased or not: that of the message, and if it has
    /// a place in the order, those before it. Without a message, the first of the order. If the
    /// message has no pending delivery to the endpoint, nothing changes.
    Skip {
        application: ApplicationId,
        endpoint: EndpointId,
        until: Option<MessageId>,
    },
    /// Makes deliveries of an endpoint that are not held and due later due at `at`: up to 1,000
    /// in the order, beginning with the first, and 1,000 others, those that are due next.
    RetryNow {
        application: ApplicationId,
        endpoint: EndpointId,
        at: Timestamp,
    },
    ExpungeMessage(ApplicationId, MessageId),
    ExpungeAttempt(ApplicationId, MessageId, AttemptId),
    /// Stores a session under the digest of its token, and removes some that have expired.
    BeginSignIn([u8; 32], SignIn),
    /// Ends the session of the token with this digest, if there is one.
    EndSignIn([u8; 32]),
    /// Nothing in the store, such as the creation of a token: only the entry is written.
    Elsewhere,
}

/// One of several changes that are made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchedChange {
    pub change: Change,
    /// Its entry in the audit log; none if another entry of the batch records it.
    pub entry: Option<AuditEntry>,
}

/// The result of a [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The record was saved, and has this version.
    Saved(Version),
    /// Whether the change had an effect.
    Done(bool),
}

/// Conditions on entries of the audit log; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The entry was created before this time.
    pub before: Option<Timestamp>,
    /// The entry was created at this time or later.
    pub after: Option<Timestamp>,
    pub operation: Option<String>,
    /// The id of the actor.
    pub principal: Option<String>,
    /// The id of the record.
    pub record: Option<String>,
}

/// Makes changes together with their entries in the audit log, and reads the log.
#[async_trait]
pub trait AuditLog: Send + Sync + fmt::Debug + 'static {
    /// Makes the change, and writes the entry in the same transaction. A change without an effect,
    /// such as removing a record that does not exist, writes no entry.
    ///
    /// Where a change cancels very many deliveries, these may be cancelled in transactions of their
    /// own before that one.
    async fn change(&self, change: Change, entry: AuditEntry) -> Result<Changed, StoreError>;

    /// Makes all changes in their order, with their entries, in one transaction. If one of them
    /// fails, none is made, and the result is its error. If a removed record has very many pending
    /// deliveries, the last of them are cancelled after that transaction, in transactions of their
    /// own: until then, only lists of deliveries still show them.
    async fn change_all(&self, changes: Vec<BatchedChange>) -> Result<Vec<Changed>, StoreError>;

    /// Lists entries in the order of their ids.
    async fn audit_log(
        &self,
        organization: &OrganizationId,
        filter: AuditFilter,
        scan: Scan<AuditId>,
    ) -> Result<ScanPage<AuditEntry, AuditId>, StoreError>;
}

/// The column by which a filter finds entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditColumn {
    Organization,
    Record,
    Principal,
    Operation,
}

/// Entries that one scan looks at, at least: with two conditions, few of them may match both.
pub(crate) const AUDIT_SCAN: usize = 500;

impl Change {
    /// The deliveries that the change cancels because their application or endpoint is removed.
    pub(crate) const fn cancels(&self) -> Option<Scope> {
        let Self::RemoveRecord(kind, parent, id) = self else { return None };
        Scope::of_removal(*kind, parent, id)
    }
}

impl Changed {
    /// Whether there is something to record.
    pub const fn has_effect(self) -> bool {
        match self {
            Self::Saved(_) => true,
            Self::Done(done) => done,
        }
    }
}

impl AuditFilter {
    /// The column to search, the most selective first, and its value.
    pub(crate) fn column<'a>(&'a self, organization: &'a OrganizationId) -> (AuditColumn, &'a str) {
        match (&self.record, &self.principal, &self.operation) {
            (Some(record), ..) => (AuditColumn::Record, record),
            (None, Some(principal), _) => (AuditColumn::Principal, principal),
            (None, None, Some(operation)) => (AuditColumn::Operation, operation),
            (None, None, None) => (AuditColumn::Organization, organization.as_str()),
        }
    }

    /// Whether the entry matches.
    pub(crate) fn admits(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        is(&self.operation, &entry.operation)
            && is(&self.principal, &entry.actor.id)
            && is(&self.record, &entry.record.id)
            && self.before.is_none_or(|before| entry.at() < before)
            && self.after.is_none_or(|after| entry.at() >= after)
    }

    /// The ids between which a scan finds entries, both excluded.
    pub(crate) fn bounds(&self, scan: &Scan<AuditId>) -> (u128, u128) {
        let first_id = |at: Timestamp| u128::from(at.as_millis().min((1 << 48) - 1)) << 80;
        let mut low = self.after.map_or(0, |after| first_id(after).saturating_sub(1));
        let mut high = self.before.map_or(u128::MAX, first_id);
        match scan.after.map(AuditId::as_u128) {
            Some(after) if scan.ascending => low = low.max(after),
            Some(after) => high = high.min(after),
            None => {},
        }
        (low, high)
    }

    /// The page of the entries that a scan of this many found, one more than it was to look at if
    /// there are more.
    pub(crate) fn page(
        &self,
        mut found: Vec<AuditEntry>,
        scan: &Scan<AuditId>,
    ) -> ScanPage<AuditEntry, AuditId> {
        let looked_at = rows(scan);
        let more = found.len() > looked_at;
        found.truncate(looked_at);
        let last = found.last().map(|entry| entry.id);
        found.retain(|entry| self.admits(entry));
        let mut page = ScanPage::cut(found, scan.limit, |entry: &AuditEntry| entry.id);
        if page.resume.is_none() && more {
            page.resume = last;
        }
        page
    }
}

/// How many entries a scan looks at. It fetches one more, to learn whether there are more.
pub(crate) fn rows(scan: &Scan<AuditId>) -> usize {
    scan.limit.max(AUDIT_SCAN)
}

impl Weight for AuditEntry {
    fn weight(&self) -> usize {
        let values = self.changes.iter().flat_map(|it| it.old.iter().chain(&it.new));
        self.operation.len() + values.map(|value| value.to_string().len()).sum::<usize>()
    }
}

/// The entry as it is stored.
pub(crate) fn encode(entry: &AuditEntry) -> String {
    serde_json::to_string(entry).expect("entries serialize")
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(json: &str) -> Result<AuditEntry, serde_json::Error> {
    serde_json::from_str(json)
}
