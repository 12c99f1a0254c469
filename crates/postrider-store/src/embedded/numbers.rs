//! The assignment of short numbers to ids and names, so that rows and keys are short.
//!
//! A number is assigned once, and freed when nothing refers to it any more. A number that was
//! assigned in a transaction that failed is written by the next one that commits.

mod assignments;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use postrider::{ApplicationId, EndpointId, EventTypeName};
use postrider_core::hash::FastMap;
use rusqlite::{Connection, params};

use self::assignments::Assignments;
use super::{
    error::{self, Inconsistency},
    number::{
        ApplicationNumber, EndpointNumber, EventTypeNumber, JournalPosition, MessageSequence,
    },
    row,
};

/// The numbers, shared by the commit thread, which assigns them, and the readers.
#[derive(Clone, Debug)]
pub(super) struct SharedNumbers(Arc<RwLock<Numbers>>);

impl SharedNumbers {
    pub(super) fn new(numbers: Numbers) -> Self {
        Self(Arc::new(RwLock::new(numbers)))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Numbers> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Numbers> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub(super) struct Numbers {
    applications: Assignments<ApplicationNumber, ApplicationId, JournalPosition>,
    endpoints: Assignments<EndpointNumber, EndpointId, JournalPosition>,
    /// The application of each endpoint.
    parents: FastMap<EndpointNumber, ApplicationNumber>,
    event_types: Assignments<EventTypeNumber, EventTypeName, MessageSequence>,
}

/// A number of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnyNumber {
    Application(ApplicationNumber),
    Endpoint(EndpointNumber),
    EventType(EventTypeNumber),
}

/// How many numbers are assigned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberCounts {
    pub applications: usize,
    pub endpoints: usize,
    pub event_types: usize,
}

impl Numbers {
    /// `newest` is the newest message, which may have any of the event types.
    pub(super) fn load(db: &Connection, newest: MessageSequence) -> rusqlite::Result<Self> {
        let mut numbers = Self::default();
        numbers.load_applications(db)?;
        numbers.load_endpoints(db)?;
        numbers.load_event_types(db, newest)?;
        Ok(numbers)
    }
}

const LOAD_APPLICATIONS: &str = "SELECT number, id FROM application_numbers ORDER BY number";

impl Numbers {
    fn load_applications(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare(LOAD_APPLICATIONS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = ApplicationId::from_u128(row::id(row, 1)?);
            self.applications.load(row.get(0)?, id, JournalPosition(0));
        }
        Ok(())
    }
}

const LOAD_ENDPOINTS: &str = "SELECT number, id, application FROM endpoint_numbers ORDER BY number";

impl Numbers {
    fn load_endpoints(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare(LOAD_ENDPOINTS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = EndpointId::from_u128(row::id(row, 1)?);
            self.endpoints.load(row.get(0)?, id, JournalPosition(0));
            self.parents.insert(row.get(0)?, row.get(2)?);
        }
        Ok(())
    }
}

const LOAD_EVENT_TYPES: &str = "SELECT number, name FROM event_type_numbers ORDER BY number";

impl Numbers {
    fn load_event_types(
        &mut self,
        db: &Connection,
        newest: MessageSequence,
    ) -> rusqlite::Result<()> {
        let mut statement = db.prepare(LOAD_EVENT_TYPES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name = row.get_ref(1)?.as_str()?;
            let name = EventTypeName::stored(name).map_err(error::undecodable)?;
            self.event_types.load(row.get(0)?, name, newest);
        }
        Ok(())
    }
}

const SAVE_APPLICATION: &str = "INSERT INTO application_numbers (number, id) VALUES (?1, ?2)";

const SAVE_ENDPOINT: &str =
    "INSERT INTO endpoint_numbers (number, id, application) VALUES (?1, ?2, ?3)";

const SAVE_EVENT_TYPE: &str = "INSERT INTO event_type_numbers (number, name) VALUES (?1, ?2)";

impl Numbers {
    /// Writes the assignments that the database does not have; call [`Self::saved`] once that is
    /// committed.
    pub(super) fn save(&self, db: &Connection) -> rusqlite::Result<()> {
        for (number, id) in self.applications.unsaved() {
            db.prepare_cached(SAVE_APPLICATION)?
                .execute(params![number, row::blob(id.as_u128())])?;
        }
        for (number, id) in self.endpoints.unsaved() {
            let values = params![number, row::blob(id.as_u128()), self.parents.get(&number)];
            db.prepare_cached(SAVE_ENDPOINT)?.execute(values)?;
        }
        for (number, name) in self.event_types.unsaved() {
            db.prepare_cached(SAVE_EVENT_TYPE)?.execute(params![number, name.as_str()])?;
        }
        Ok(())
    }

    pub(super) const fn has_unsaved(&self) -> bool {
        !self.applications.is_saved() || !self.endpoints.is_saved() || !self.event_types.is_saved()
    }

    pub(super) fn saved(&mut self) {
        self.applications.saved();
        self.endpoints.saved();
        self.event_types.saved();
    }

    /// The number of an application that the commit at `position` refers to.
    pub(super) fn assign_application(
        &mut self,
        id: ApplicationId,
        position: JournalPosition,
    ) -> ApplicationNumber {
        self.applications.assign(&id, position)
    }

    /// The number of an endpoint that the commit at `position` refers to.
    pub(super) fn assign_endpoint(
        &mut self,
        id: EndpointId,
        application: ApplicationNumber,
        position: JournalPosition,
    ) -> EndpointNumber {
        let number = self.endpoints.assign(&id, position);
        self.parents.entry(number).or_insert(application);
        number
    }

    /// The number of an event type that the message refers to.
    pub(super) fn assign_event_type(
        &mut self,
        name: &EventTypeName,
        message: MessageSequence,
    ) -> EventTypeNumber {
        self.event_types.assign(name, message)
    }

    pub(super) fn application_number(&self, id: ApplicationId) -> Option<ApplicationNumber> {
        self.applications.number(&id)
    }

    pub(super) fn endpoint_number(&self, id: EndpointId) -> Option<EndpointNumber> {
        self.endpoints.number(&id)
    }

    pub(super) fn application(&self, number: ApplicationNumber) -> rusqlite::Result<ApplicationId> {
        self.applications.key(number).copied()
    }

    pub(super) fn endpoint(&self, number: EndpointNumber) -> rusqlite::Result<EndpointId> {
        self.endpoints.key(number).copied()
    }

    /// The application that the endpoint belongs to.
    pub(super) fn application_of(
        &self,
        endpoint: EndpointNumber,
    ) -> rusqlite::Result<ApplicationId> {
        let parent = self.parents.get(&endpoint);
        self.application(*parent.ok_or(Inconsistency::UnknownNumber)?)
    }

    pub(super) fn event_type_number(&self, name: &EventTypeName) -> Option<EventTypeNumber> {
        self.event_types.number(name)
    }

    pub(super) fn event_type(&self, number: EventTypeNumber) -> rusqlite::Result<EventTypeName> {
        self.event_types.key(number).cloned()
    }

    /// Whether no commit after `position` refers to the application or the endpoint.
    pub(super) fn is_unused_since(&self, number: AnyNumber, position: JournalPosition) -> bool {
        let last_use = match number {
            AnyNumber::Application(it) => self.applications.last_use(it),
            AnyNumber::Endpoint(it) => self.endpoints.last_use(it),
            AnyNumber::EventType(_) => return false,
        };
        last_use.is_none_or(|last_use| last_use <= position)
    }

    /// A message that had the event type is removed; `true` if no other one is known to have it.
    pub(super) fn release_event_type(&mut self, number: EventTypeNumber) -> bool {
        self.event_types.release(number)
    }

    pub(super) fn is_event_type_unused(&self, number: EventTypeNumber) -> bool {
        self.event_types.is_unused(number)
    }

    /// At most `limit` event types that no message from this one on has.
    pub(super) fn event_types_before(
        &self,
        oldest: MessageSequence,
        limit: usize,
    ) -> Vec<EventTypeNumber> {
        self.event_types.used_before(oldest, limit)
    }

    /// Nothing refers to the number any more, if the transaction is committed.
    pub(super) fn free(&mut self, number: AnyNumber) {
        match number {
            AnyNumber::Application(it) => self.applications.free(it),
            AnyNumber::Endpoint(it) => self.endpoints.free(it),
            AnyNumber::EventType(it) => self.event_types.free(it),
        }
    }

    /// The transaction that freed the number was rolled back.
    pub(super) fn restore(&mut self, number: AnyNumber) {
        match number {
            AnyNumber::Application(it) => self.applications.restore(it),
            AnyNumber::Endpoint(it) => self.endpoints.restore(it),
            AnyNumber::EventType(it) => self.event_types.restore(it),
        }
    }

    /// The transaction that freed the number is committed.
    pub(super) fn remove(&mut self, number: AnyNumber) {
        match number {
            AnyNumber::Application(it) => self.applications.remove(it),
            AnyNumber::Endpoint(it) => {
                self.endpoints.remove(it);
                self.parents.remove(&it);
            },
            AnyNumber::EventType(it) => self.event_types.remove(it),
        }
    }

    pub(super) fn counts(&self) -> NumberCounts {
        NumberCounts {
            applications: self.applications.len(),
            endpoints: self.endpoints.len(),
            event_types: self.event_types.len(),
        }
    }
}
