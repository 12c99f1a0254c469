//! What is left of removed applications and endpoints, taken away a bounded amount at a time.

use postrider::{ApplicationId, EndpointId};
use rusqlite::{OptionalExtension, params};

use super::Ledger;
use crate::{
    StoreError,
    embedded::{
        journal::Event,
        numbers::{Number, NumberCounts},
        row::{self, Head, blob},
    },
};

/// What an application may still get after its removal, by requests that were under way, comes
/// within this time.
const LATE_MILLIS: u64 = 60_000;

/// Until a number that is still referred to is looked at again.
const AGAIN_MILLIS: u64 = 1_000;

/// Event types that one call takes back.
const EVENT_TYPES: usize = 1_000;

const ERASE: &str = "INSERT INTO erasures (application, due_at) VALUES (?1, 0)
    ON CONFLICT (application) DO UPDATE SET due_at = 0";

pub(in crate::embedded) const NEXT_ERASURES: &str = "SELECT application, due_at
    FROM erasures
    WHERE due_at <= ?1
    ORDER BY due_at
    LIMIT 50";

const POSTPONE: &str = "UPDATE erasures SET due_at = ?2 WHERE application = ?1";

const END_ERASURE: &str = "DELETE FROM erasures WHERE application = ?1";

const RETIRE: &str = "INSERT OR IGNORE INTO retired (endpoint) VALUES (?1)";

const ENDPOINTS_OF: &str = "SELECT number FROM endpoint_numbers WHERE application = ?1";

const RETIRED: &str = "SELECT endpoint
    FROM retired
    WHERE endpoint > ?1
    ORDER BY endpoint
    LIMIT ?2";

const UNRETIRE: &str = "DELETE FROM retired WHERE endpoint = ?1";

const IS_APPLICATION: &str = "SELECT 1 FROM applications WHERE id = ?1";

const IS_ENDPOINT: &str = "SELECT 1 FROM endpoints WHERE id = ?1";

const FORGET_ENDPOINT: &str = "DELETE FROM endpoint_numbers WHERE number = ?1";

const FORGET_APPLICATION: &str = "DELETE FROM application_numbers WHERE number = ?1";

const FORGET_EVENT_TYPE: &str = "DELETE FROM event_type_numbers WHERE number = ?1";

const MESSAGE: &str = "SELECT head FROM messages WHERE sequence = ?1 AND application = ?2";

const FORGET_DIGEST: &str = "DELETE FROM idempotent WHERE message = ?1";

const FORGET_ATTEMPT: &str = "DELETE FROM attempts WHERE sequence = ?1";

const OLDEST_MESSAGE: &str = "SELECT min(sequence) FROM messages";

/// The application whose erasure is due.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Erasure {
    pub(in crate::embedded) application: u32,
    /// It was erased before; this is about what came late.
    is_last: bool,
}

/// What the index knows of an application, or the beginning of it.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Remains {
    pub(in crate::embedded) messages: Vec<u64>,
    /// Length of the messages' bodies.
    pub(in crate::embedded) bytes: u64,
    /// Each with its message and its endpoint.
    pub(in crate::embedded) attempts: Vec<(u64, u64, u32)>,
}

impl Ledger {
    /// Begins to erase what is left of a removed application.
    pub(super) fn begin_erasure(&mut self, id: ApplicationId) -> Result<(), StoreError> {
        let position = self.position + 1;
        let number = self.numbers_mut().give_application(id, position);
        self.db.prepare_cached(ERASE)?.execute([number])?;
        Ok(())
    }

    /// The number of a removed endpoint is taken back when nothing refers to it any more.
    pub(super) fn retire_endpoint(&mut self, id: EndpointId) -> Result<(), StoreError> {
        if let Some(number) = self.number_of(id) {
            self.db.prepare_cached(RETIRE)?.execute([number])?;
        }
        Ok(())
    }

    /// The next applications to be erased.
    pub(in crate::embedded) fn next_erasures(
        &mut self,
        now: u64,
    ) -> Result<Vec<Erasure>, StoreError> {
        let mut statement = self.db.prepare_cached(NEXT_ERASURES)?;
        let found = statement.query_map([now], |row| {
            Ok(Erasure { application: row.get(0)?, is_last: row.get::<_, u64>(1)? > 0 })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Erases what was found; if that is nothing, the application is done. The index was asked
    /// when it had everything up to `as_of`.
    pub(in crate::embedded) fn erase(
        &mut self,
        erasure: Erasure,
        found: &Remains,
        (now, as_of): (u64, u64),
    ) -> Result<(), StoreError> {
        if self.is_back(erasure.application)? {
            // A change that was under way brought it back; what comes now is its own.
            self.db.prepare_cached(END_ERASURE)?.execute([erasure.application])?;
            return Ok(());
        }
        if found.messages.is_empty() && found.attempts.is_empty() {
            return self.end_erasure(erasure, now, as_of);
        }
        // What is erased is overwritten, so that it cannot be read from the file any more.
        self.db.pragma_update(None, "secure_delete", true)?;
        let erased = self.erase_all(erasure.application, found);
        self.db.pragma_update(None, "secure_delete", false)?;
        erased
    }

    fn is_back(&self, application: u32) -> Result<bool, StoreError> {
        let id = blob(self.numbers().application(application)?.as_u128());
        Ok(self.db.prepare_cached(IS_APPLICATION)?.exists([id])?)
    }

    fn erase_all(&mut self, application: u32, found: &Remains) -> Result<(), StoreError> {
        for &(attempt, message, endpoint) in &found.attempts {
            self.db.prepare_cached(FORGET_ATTEMPT)?.execute([attempt])?;
            self.events.push(Event::AttemptForgotten { attempt, message, endpoint });
        }
        for &message in &found.messages {
            self.erase_message(application, message)?;
        }
        Ok(())
    }

    fn erase_message(&mut self, application: u32, message: u64) -> Result<(), StoreError> {
        let head = {
            let mut statement = self.db.prepare_cached(MESSAGE)?;
            let found = statement.query_row(params![message, application], |it| {
                Ok(row::decode_if_whole::<Head>("messages", message, row::blob_of(it, 0)?))
            });
            found.optional()?.flatten()
        };
        self.cancel_message(message)?;
        self.db.prepare_cached(FORGET_DIGEST)?.execute([message])?;
        // One that cannot be read is known to have been here.
        let head = head.unwrap_or_else(Head::unreadable);
        for &endpoint in &head.targets {
            self.db.prepare_cached(RETIRE)?.execute([endpoint])?;
        }
        self.forget(message, application, head)
    }

    /// An application is looked at once more when nothing can come for it any more; then its
    /// numbers are taken back.
    fn end_erasure(&mut self, it: Erasure, now: u64, as_of: u64) -> Result<(), StoreError> {
        let Erasure { application, is_last } = it;
        if !is_last {
            let values = params![application, now + LATE_MILLIS];
            self.db.prepare_cached(POSTPONE)?.execute(values)?;
            return Ok(());
        }
        let endpoints: Vec<u32> = {
            let mut statement = self.db.prepare_cached(ENDPOINTS_OF)?;
            let found = statement.query_map([application], |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        for endpoint in &endpoints {
            self.db.prepare_cached(RETIRE)?.execute([endpoint])?;
        }
        let number = Number::Application(application);
        if !endpoints.is_empty() || !self.numbers().is_unused_since(number, as_of) {
            let values = params![application, now + AGAIN_MILLIS];
            self.db.prepare_cached(POSTPONE)?.execute(values)?;
            return Ok(());
        }
        self.db.prepare_cached(END_ERASURE)?.execute([application])?;
        self.db.prepare_cached(FORGET_APPLICATION)?.execute([application])?;
        self.withdraw(number);
        Ok(())
    }

    /// Removed endpoints whose numbers may be taken back; the next ones with each call.
    pub(in crate::embedded) fn next_retired(
        &mut self,
        limit: usize,
    ) -> Result<Vec<u32>, StoreError> {
        let retired: Vec<u32> = {
            let mut statement = self.db.prepare_cached(RETIRED)?;
            let found = statement.query_map(params![self.retired, limit], |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        let last = retired.last().filter(|_| retired.len() == limit);
        self.retired = last.map_or(-1, |&last| last.into());
        Ok(retired)
    }

    /// Takes numbers back that the index knew nothing of when it had everything up to `as_of`.
    pub(in crate::embedded) fn take_back(
        &mut self,
        endpoints: &[u32],
        as_of: u64,
    ) -> Result<(), StoreError> {
        for &endpoint in endpoints {
            let number = Number::Endpoint(endpoint);
            if !self.numbers().is_unused_since(number, as_of) {
                continue;
            }
            self.db.prepare_cached(UNRETIRE)?.execute([endpoint])?;
            let id = blob(self.numbers().endpoint(endpoint)?.as_u128());
            if self.db.prepare_cached(IS_ENDPOINT)?.exists([id])? {
                continue;
            }
            self.db.prepare_cached(FORGET_ENDPOINT)?.execute([endpoint])?;
            self.holdings.remove_lane(endpoint);
            self.withdraw(number);
        }
        Ok(())
    }

    /// Takes back the numbers of event types that no message has any more: those that were given
    /// by this process and are counted, and those that were used last for messages older than the
    /// oldest that is there. `true` if there may be more.
    pub(super) fn release_event_types(&mut self) -> Result<bool, StoreError> {
        let mut unused = self.idle.split_off(self.idle.len().saturating_sub(EVENT_TYPES));
        unused.retain(|&number| self.numbers().is_event_type_unused(number));
        let oldest: Option<u64> =
            self.db.prepare_cached(OLDEST_MESSAGE)?.query_row([], |row| row.get(0))?;
        let oldest = oldest.unwrap_or(u64::MAX);
        if oldest != self.oldest {
            let old = self.numbers().event_types_before(oldest, EVENT_TYPES);
            self.oldest = if old.len() == EVENT_TYPES { 0 } else { oldest };
            unused.extend(old);
        }
        for &number in &unused {
            self.db.prepare_cached(FORGET_EVENT_TYPE)?.execute([number])?;
            self.withdraw(Number::EventType(number));
        }
        Ok(!self.idle.is_empty() || self.oldest == 0)
    }

    fn withdraw(&mut self, number: Number) {
        self.numbers_mut().withdraw(number);
        self.withdrawn.push(number);
    }

    /// What was withdrawn since these marks stays after all.
    pub(super) fn restore_numbers(&mut self, withdrawn: usize, let_go: usize) {
        self.let_go.truncate(let_go);
        let restored = self.withdrawn.split_off(withdrawn.min(self.withdrawn.len()));
        let mut numbers = self.numbers_mut();
        for number in restored {
            numbers.restore(number);
        }
    }

    /// What was withdrawn is gone.
    pub(super) fn forget_numbers(&mut self) {
        if self.withdrawn.is_empty() && self.let_go.is_empty() {
            return;
        }
        let (gone, let_go) =
            (std::mem::take(&mut self.withdrawn), std::mem::take(&mut self.let_go));
        let mut idle = Vec::new();
        {
            let mut numbers = self.numbers_mut();
            for number in gone {
                numbers.forget(number);
            }
            idle.extend(let_go.into_iter().filter(|&it| numbers.give_back_event_type(it)));
        }
        self.idle.extend(idle);
    }

    /// How many numbers and lanes are in memory.
    pub(in crate::embedded) fn sizes(&self) -> (NumberCounts, usize) {
        (self.numbers().count(), self.holdings.lanes().count())
    }
}
