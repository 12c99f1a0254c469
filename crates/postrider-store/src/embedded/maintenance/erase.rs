//! Erasure: removing what is left of removed applications and endpoints, a bounded amount per
//! call.

pub(super) mod search;

use std::time::Duration;

use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::{
    embedded::{
        journal::Change,
        ledger::Ledger,
        number::{
            ApplicationNumber, AttemptSequence, DeliveryKey, EndpointNumber, JournalPosition,
            MessageSequence,
        },
        numbers::AnyNumber,
        row::{
            blob,
            message::{self, Head},
        },
    },
    error::StoreError,
};

/// Requests that were under way when an application was removed can still add data for it. They
/// end within this time.
const LATE_REQUESTS: Duration = Duration::from_secs(60);

/// The time until a number that something still refers to is looked at again.
const RETRY: Duration = Duration::from_secs(1);

/// A removed application whose erasure is due.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Erasure {
    application: ApplicationNumber,
    /// It was erased before; now late requests are done as well.
    is_last: bool,
}

/// What is left of an application, or the beginning of it.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Remaining {
    messages: Vec<MessageSequence>,
    attempts: Vec<RemainingAttempt>,
}

#[derive(Clone, Copy, Debug)]
struct RemainingAttempt {
    attempt: AttemptSequence,
    delivery: DeliveryKey,
}

/// When a search started. The index had every commit up to the position at least.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct SearchedAt {
    pub(in crate::embedded) time: Timestamp,
    pub(in crate::embedded) position: JournalPosition,
}

const BEGIN_ERASURE: &str = "INSERT INTO erasures (application, due_at) VALUES (?1, 0)
    ON CONFLICT (application) DO UPDATE SET due_at = 0";

const RETIRE: &str = "INSERT OR IGNORE INTO retired (endpoint) VALUES (?1)";

impl Ledger {
    /// Starts to erase what is left of a removed application.
    pub(in crate::embedded) fn begin_erasure(
        &mut self,
        id: ApplicationId,
    ) -> Result<(), StoreError> {
        let position = self.next_position();
        let number = self.numbers_mut().assign_application(id, position);
        self.db.prepare_cached(BEGIN_ERASURE)?.execute([number])?;
        Ok(())
    }

    /// The number of a removed endpoint is freed once nothing refers to it any more.
    pub(in crate::embedded) fn retire_endpoint(
        &mut self,
        id: EndpointId,
    ) -> Result<(), StoreError> {
        self.endpoint_number(id).map_or(Ok(()), |number| self.retire(number))
    }

    fn retire(&self, number: EndpointNumber) -> Result<(), StoreError> {
        self.db.prepare_cached(RETIRE)?.execute([number])?;
        Ok(())
    }
}

const NEXT_ERASURES: &str = "SELECT application, due_at
    FROM erasures
    WHERE due_at <= ?1
    ORDER BY due_at
    LIMIT 50";

impl Ledger {
    pub(in crate::embedded) fn next_erasures(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<Erasure>, StoreError> {
        let mut statement = self.db.prepare_cached(NEXT_ERASURES)?;
        let found = statement.query_map([now.as_millis()], |row| {
            Ok(Erasure { application: row.get(0)?, is_last: row.get::<_, u64>(1)? > 0 })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Erases what the search found. If it found nothing, the application is done.
    pub(in crate::embedded) fn erase(
        &mut self,
        erasure: Erasure,
        found: &Remaining,
        searched: SearchedAt,
    ) -> Result<(), StoreError> {
        if self.is_application(erasure.application)? {
            // A request that was under way saved it again. New messages belong to it now, and
            // cannot be told from the old ones.
            return self.end_erasure(erasure.application);
        }
        if found.messages.is_empty() && found.attempts.is_empty() {
            return self.finish_erasure(erasure, searched);
        }
        // Overwrites the removed rows, so that they cannot be read from the file.
        self.db.pragma_update(None, "secure_delete", true)?;
        let erased = self.erase_found(erasure.application, found);
        self.db.pragma_update(None, "secure_delete", false)?;
        erased
    }
}

const IS_APPLICATION: &str = "SELECT 1 FROM applications WHERE id = ?1";

const REMOVE_ATTEMPT: &str = "DELETE FROM attempts WHERE sequence = ?1";

impl Ledger {
    fn is_application(&self, application: ApplicationNumber) -> Result<bool, StoreError> {
        let id = blob(self.numbers().application(application)?.as_u128());
        Ok(self.db.prepare_cached(IS_APPLICATION)?.exists([id])?)
    }

    fn erase_found(
        &mut self,
        application: ApplicationNumber,
        found: &Remaining,
    ) -> Result<(), StoreError> {
        for &RemainingAttempt { attempt, delivery } in &found.attempts {
            self.db.prepare_cached(REMOVE_ATTEMPT)?.execute([attempt])?;
            let DeliveryKey { message, endpoint } = delivery;
            self.changes.push(Change::AttemptRemoved { attempt, message, endpoint });
        }
        found.messages.iter().try_for_each(|&message| self.erase_message(application, message))
    }
}

const HEAD: &str = "SELECT sequence, tail, application, head
    FROM messages
    WHERE sequence = ?1 AND application = ?2";

const REMOVE_DIGEST: &str = "DELETE FROM idempotent WHERE message = ?1";

impl Ledger {
    fn erase_message(
        &mut self,
        application: ApplicationNumber,
        message: MessageSequence,
    ) -> Result<(), StoreError> {
        let head = {
            let mut statement = self.db.prepare_cached(HEAD)?;
            let found = statement.query_row(params![message, application], message::intact_head);
            found.optional()?.flatten()
        };
        self.cancel_message(message)?;
        self.db.prepare_cached(REMOVE_DIGEST)?.execute([message])?;
        // A damaged row is removed like any other, and its change reaches the index.
        let head = head.unwrap_or_else(Head::unreadable);
        head.targets.iter().try_for_each(|&endpoint| self.retire(endpoint))?;
        self.remove_message(message, application, head)
    }
}

const POSTPONE: &str = "UPDATE erasures SET due_at = ?2 WHERE application = ?1";

const END_ERASURE: &str = "DELETE FROM erasures WHERE application = ?1";

const REMOVE_APPLICATION_NUMBER: &str = "DELETE FROM application_numbers WHERE number = ?1";

impl Ledger {
    /// Looks at the application once more after late requests have ended, and then frees its
    /// numbers.
    fn finish_erasure(&mut self, erasure: Erasure, searched: SearchedAt) -> Result<(), StoreError> {
        let Erasure { application, is_last } = erasure;
        if !is_last {
            return self.postpone_erasure(application, searched.time + LATE_REQUESTS);
        }
        let endpoints = self.endpoint_numbers_of(application)?;
        endpoints.iter().try_for_each(|&endpoint| self.retire(endpoint))?;
        let number = AnyNumber::Application(application);
        // What commits after the search refer to, the search cannot have found.
        let is_used = !self.numbers().is_unused_since(number, searched.position);
        if !endpoints.is_empty() || is_used {
            return self.postpone_erasure(application, searched.time + RETRY);
        }
        self.end_erasure(application)?;
        let id = self.numbers().application(application)?.as_u128();
        self.changes.push(Change::StatisticsErased { application: id });
        self.db.prepare_cached(REMOVE_APPLICATION_NUMBER)?.execute([application])?;
        self.free_number(number);
        Ok(())
    }

    fn postpone_erasure(
        &self,
        application: ApplicationNumber,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let values = params![application, until.as_millis()];
        self.db.prepare_cached(POSTPONE)?.execute(values)?;
        Ok(())
    }

    fn end_erasure(&self, application: ApplicationNumber) -> Result<(), StoreError> {
        self.db.prepare_cached(END_ERASURE)?.execute([application])?;
        Ok(())
    }
}

const ENDPOINT_NUMBERS_OF: &str = "SELECT number FROM endpoint_numbers WHERE application = ?1";

impl Ledger {
    fn endpoint_numbers_of(
        &self,
        application: ApplicationNumber,
    ) -> Result<Vec<EndpointNumber>, StoreError> {
        let mut statement = self.db.prepare_cached(ENDPOINT_NUMBERS_OF)?;
        let found = statement.query_map([application], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

const RETIRED: &str = "SELECT endpoint
    FROM retired
    WHERE endpoint > ?1
    ORDER BY endpoint
    LIMIT ?2";

impl Ledger {
    /// Removed endpoints whose numbers may be freed; the next ones with each call.
    pub(in crate::embedded) fn next_retired(
        &mut self,
        limit: usize,
    ) -> Result<Vec<EndpointNumber>, StoreError> {
        let after = self.cursors.retired_endpoint.map_or(-1, |number| i64::from(number.0));
        let retired: Vec<EndpointNumber> = {
            let mut statement = self.db.prepare_cached(RETIRED)?;
            let found = statement.query_map(params![after, limit], |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        self.cursors.retired_endpoint = retired.last().filter(|_| retired.len() == limit).copied();
        Ok(retired)
    }

    /// Frees the numbers of endpoints that the index did not contain when it had everything up
    /// to the position.
    pub(in crate::embedded) fn free_endpoints(
        &mut self,
        endpoints: &[EndpointNumber],
        position: JournalPosition,
    ) -> Result<(), StoreError> {
        for &endpoint in endpoints {
            if self.numbers().is_unused_since(AnyNumber::Endpoint(endpoint), position) {
                self.free_endpoint(endpoint)?;
            }
        }
        Ok(())
    }
}

const END_RETIREMENT: &str = "DELETE FROM retired WHERE endpoint = ?1";

const IS_ENDPOINT: &str = "SELECT 1 FROM endpoints WHERE id = ?1";

const REMOVE_ENDPOINT_NUMBER: &str = "DELETE FROM endpoint_numbers WHERE number = ?1";

impl Ledger {
    /// Frees the number, unless the endpoint was saved again.
    fn free_endpoint(&mut self, endpoint: EndpointNumber) -> Result<(), StoreError> {
        self.db.prepare_cached(END_RETIREMENT)?.execute([endpoint])?;
        let id = blob(self.numbers().endpoint(endpoint)?.as_u128());
        if self.db.prepare_cached(IS_ENDPOINT)?.exists([id])? {
            return Ok(());
        }
        self.db.prepare_cached(REMOVE_ENDPOINT_NUMBER)?.execute([endpoint])?;
        self.leases.remove_lane(endpoint);
        self.free_number(AnyNumber::Endpoint(endpoint));
        Ok(())
    }
}
