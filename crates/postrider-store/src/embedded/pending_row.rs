//! A row of `pending`: a delivery that is due later, or whose lease has to survive a restart.

use postrider_core::{
    delivery::{ResendMode, Trigger},
    retry::RetryPlan,
    time::Timestamp,
};
use rusqlite::Row;

use super::number::{AttemptNumber, DeliveryKey};

/// Where positions in an order begin: beyond every time in milliseconds, so that the two kinds
/// of positions of a lane never overlap.
pub(super) const FIRST_ORDERED: u64 = 1 << 62;

const MANUAL: u8 = 1;
const REPORTED: u8 = 2;
/// The attempt was requested, and no other follows it.
const ONCE: u8 = 4;

/// A row of `pending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PendingRow {
    pub(super) key: DeliveryKey,
    pub(super) due_at: Timestamp,
    pub(super) attempt: AttemptNumber,
    pub(super) trigger: Trigger,
    pub(super) retry_plan: RetryPlan,
    pub(super) reported: bool,
    /// The endpoint receives it in order: deliveries of later messages wait for it.
    pub(super) in_order: bool,
}

impl PendingRow {
    /// The delivery of a message that was just accepted.
    pub(super) const fn first(key: DeliveryKey, due_at: Timestamp) -> Self {
        Self {
            key,
            due_at,
            attempt: AttemptNumber(1),
            trigger: Trigger::Scheduled,
            retry_plan: RetryPlan::Schedule,
            reported: false,
            in_order: false,
        }
    }

    /// The delivery after a failed attempt that is retried; see
    /// [`postrider_core::delivery::Delivery::after_failure`].
    pub(super) const fn after_failure(self, due_at: Timestamp, reported: bool) -> Self {
        let attempt = AttemptNumber(self.retry_plan.next_attempt(self.attempt.0));
        let (trigger, retry_plan) = (Trigger::Scheduled, RetryPlan::Schedule);
        Self { due_at, attempt, trigger, retry_plan, reported, ..self }
    }

    /// The pending delivery after a request to resend it; see
    /// [`postrider_core::delivery::Delivery::resent`].
    pub(super) fn resent(self, mode: ResendMode, at: Timestamp) -> Self {
        match mode {
            ResendMode::Once => {
                let retry_plan = self.retry_plan.interrupted(self.due_at);
                let trigger = Trigger::Manual;
                Self { due_at: at, in_order: false, trigger, retry_plan, ..self }
            },
            ResendMode::Retry => Self::requested(self.key, mode, at),
        }
    }

    /// A delivery that is sent again after it ended, or that the message never had.
    pub(super) const fn requested(key: DeliveryKey, mode: ResendMode, at: Timestamp) -> Self {
        let retry_plan = match mode {
            ResendMode::Once => RetryPlan::Once,
            ResendMode::Retry => RetryPlan::Schedule,
        };
        Self { trigger: Trigger::Manual, retry_plan, ..Self::first(key, at) }
    }

    /// Reads the columns `endpoint, free_at, message, attempt, flags, due_at, resume_at`.
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let flags: u8 = row.get(4)?;
        let ordered_due_at: Option<u64> = row.get(5)?;
        let resume_at: Option<u64> = row.get(6)?;
        let retry_plan = match resume_at {
            _ if flags & ONCE != 0 => RetryPlan::Once,
            Some(at) => RetryPlan::Resume(Timestamp::from_millis(at)),
            None => RetryPlan::Schedule,
        };
        let due_at = ordered_due_at.map_or_else(|| row.get(1), Ok)?;
        Ok(Self {
            key: DeliveryKey { endpoint: row.get(0)?, message: row.get(2)? },
            due_at: Timestamp::from_millis(due_at),
            attempt: row.get(3)?,
            trigger: if flags & MANUAL != 0 { Trigger::Manual } else { Trigger::Scheduled },
            retry_plan,
            reported: flags & REPORTED != 0,
            in_order: ordered_due_at.is_some(),
        })
    }

    /// The column `free_at`: the row's position in its lane.
    pub(super) const fn position(&self) -> u64 {
        if self.in_order { FIRST_ORDERED + self.key.message.0 } else { self.due_at.as_millis() }
    }

    /// The column `due_at`: when an ordered delivery is due, since its position does not say.
    pub(super) fn ordered_due_at(&self) -> Option<u64> {
        self.in_order.then(|| self.due_at.as_millis())
    }

    /// The column `resume_at`.
    pub(super) const fn resume_at(&self) -> Option<u64> {
        match self.retry_plan {
            RetryPlan::Resume(at) => Some(at.as_millis()),
            RetryPlan::Schedule | RetryPlan::Once => None,
        }
    }

    /// The column `flags`.
    pub(super) fn flags(&self) -> u8 {
        u8::from(self.trigger == Trigger::Manual) * MANUAL
            + u8::from(self.reported) * REPORTED
            + u8::from(self.retry_plan == RetryPlan::Once) * ONCE
    }
}
