//! Small numbers for long names, so that rows and keys are short.
//!
//! A number is given once, and taken back when nothing refers to it any more. One that was
//! given in a transaction that then failed is written by the next one that commits.

use std::{collections::HashMap, hash::Hash};

use postrider::{ApplicationId, EndpointId, EventTypeName};
use rusqlite::{Connection, params};

use super::{row, trouble};

#[derive(Debug, Default)]
pub(super) struct Numbers {
    applications: Table<ApplicationId>,
    endpoints: Table<EndpointId>,
    /// The application of the endpoint with this number.
    parents: HashMap<u32, u32>,
    event_types: Table<EventTypeName>,
}

/// A number of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Application(u32),
    Endpoint(u32),
    EventType(u32),
}

/// How many numbers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberCounts {
    pub applications: usize,
    pub endpoints: usize,
    pub event_types: usize,
}

#[derive(Debug)]
struct Table<K> {
    given: HashMap<K, Given>,
    keys: HashMap<u32, K>,
    next: u32,
    /// Numbers that are not in the database yet.
    unsaved: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    number: u32,
    /// When the number was asked for last, in the unit that its kind is taken back by.
    used: u64,
    /// How often it was asked for and not given back; unknown if it is older than the process.
    uses: Option<u64>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { given: HashMap::new(), keys: HashMap::new(), next: 0, unsaved: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash> Table<K> {
    fn number(&mut self, key: &K, used: u64) -> u32 {
        if let Some(given) = self.given.get_mut(key) {
            given.used = given.used.max(used);
            given.uses = given.uses.map(|uses| uses + 1);
            return given.number;
        }
        let number = self.next;
        self.next = number.checked_add(1).expect("there are fewer than 2^32 names");
        self.given.insert(key.clone(), Given { number, used, uses: Some(1) });
        self.keys.insert(number, key.clone());
        self.unsaved.push(number);
        number
    }

    fn load(&mut self, number: u32, key: K, used: u64) {
        self.given.insert(key.clone(), Given { number, used, uses: None });
        self.keys.insert(number, key);
        self.next = self.next.max(number.saturating_add(1));
    }

    fn number_of(&self, key: &K) -> Option<u32> {
        self.given.get(key).map(|it| it.number)
    }

    fn key(&self, number: u32) -> rusqlite::Result<&K> {
        self.keys.get(&number).ok_or_else(|| trouble::implausible("a number is unknown"))
    }

    /// The number, if its name still has it.
    fn given(&self, number: u32) -> Option<&Given> {
        self.given.get(self.keys.get(&number)?).filter(|it| it.number == number)
    }

    fn given_mut(&mut self, number: u32) -> Option<&mut Given> {
        self.given.get_mut(self.keys.get(&number)?).filter(|it| it.number == number)
    }

    /// Numbers and keys that the database does not have yet.
    fn unsaved(&self) -> impl Iterator<Item = (u32, &K)> {
        let kept = |&number: &u32| {
            self.given(number)?;
            Some((number, self.keys.get(&number)?))
        };
        self.unsaved.iter().filter_map(kept)
    }

    /// The name gets another number if it is used again; what was read before still finds it.
    fn withdraw(&mut self, number: u32) {
        if self.given(number).is_some()
            && let Some(key) = self.keys.get(&number)
        {
            self.given.remove(key);
        }
    }

    /// How often it is used is not known any more.
    fn restore(&mut self, number: u32) {
        if let Some(key) = self.keys.get(&number) {
            let given = Given { number, used: u64::MAX, uses: None };
            self.given.entry(key.clone()).or_insert(given);
        }
    }
}

const LOAD_APPLICATIONS: &str = "SELECT number, id FROM application_numbers ORDER BY number";
const LOAD_ENDPOINTS: &str = "SELECT number, id, application FROM endpoint_numbers ORDER BY number";
const LOAD_EVENT_TYPES: &str = "SELECT number, name FROM event_type_numbers ORDER BY number";

const SAVE_APPLICATION: &str = "INSERT INTO application_numbers (number, id) VALUES (?1, ?2)";
const SAVE_ENDPOINT: &str =
    "INSERT INTO endpoint_numbers (number, id, application) VALUES (?1, ?2, ?3)";
const SAVE_EVENT_TYPE: &str = "INSERT INTO event_type_numbers (number, name) VALUES (?1, ?2)";

impl Numbers {
    /// `newest` is the newest message, which may use any of the event types.
    pub(super) fn load(db: &Connection, newest: u64) -> rusqlite::Result<Self> {
        let mut loaded = Self::default();
        let mut statement = db.prepare(LOAD_APPLICATIONS)?;
        let mut rows = statement.query([])?;
        while let Some(it) = rows.next()? {
            loaded.applications.load(it.get(0)?, ApplicationId::from_u128(row::id(it, 1)?), 0);
        }
        let mut statement = db.prepare(LOAD_ENDPOINTS)?;
        let mut rows = statement.query([])?;
        while let Some(it) = rows.next()? {
            loaded.endpoints.load(it.get(0)?, EndpointId::from_u128(row::id(it, 1)?), 0);
            loaded.parents.insert(it.get(0)?, it.get(2)?);
        }
        let mut statement = db.prepare(LOAD_EVENT_TYPES)?;
        let mut rows = statement.query([])?;
        while let Some(it) = rows.next()? {
            let name = it.get_ref(1)?.as_str()?;
            let name = EventTypeName::stored(name).map_err(trouble::undecodable)?;
            loaded.event_types.load(it.get(0)?, name, newest);
        }
        Ok(loaded)
    }

    pub(super) fn has_unsaved(&self) -> bool {
        !self.applications.unsaved.is_empty()
            || !self.endpoints.unsaved.is_empty()
            || !self.event_types.unsaved.is_empty()
    }

    /// Writes what the database does not have; [`Self::saved`] when that is committed.
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

    pub(super) fn saved(&mut self) {
        self.applications.unsaved.clear();
        self.endpoints.unsaved.clear();
        self.event_types.unsaved.clear();
    }

    /// The number of an application that the commit at `position` refers to.
    pub(super) fn give_application(&mut self, id: ApplicationId, position: u64) -> u32 {
        self.applications.number(&id, position)
    }

    /// The number of an endpoint that the commit at `position` refers to.
    pub(super) fn give_endpoint(&mut self, id: EndpointId, application: u32, position: u64) -> u32 {
        let number = self.endpoints.number(&id, position);
        self.parents.entry(number).or_insert(application);
        number
    }

    /// The number of an event type that the message refers to.
    pub(super) fn give_event_type(&mut self, name: &EventTypeName, message: u64) -> u32 {
        self.event_types.number(name, message)
    }

    pub(super) fn number_of_application(&self, id: ApplicationId) -> Option<u32> {
        self.applications.number_of(&id)
    }

    pub(super) fn number_of_endpoint(&self, id: EndpointId) -> Option<u32> {
        self.endpoints.number_of(&id)
    }

    pub(super) fn application(&self, number: u32) -> rusqlite::Result<ApplicationId> {
        self.applications.key(number).copied()
    }

    pub(super) fn endpoint(&self, number: u32) -> rusqlite::Result<EndpointId> {
        self.endpoints.key(number).copied()
    }

    pub(super) fn application_of(&self, endpoint: u32) -> rusqlite::Result<ApplicationId> {
        let parent = self.parents.get(&endpoint);
        self.application(*parent.ok_or_else(|| trouble::implausible("a number is unknown"))?)
    }

    pub(super) fn event_type(&self, number: u32) -> rusqlite::Result<EventTypeName> {
        self.event_types.key(number).cloned()
    }

    /// Whether no commit after `position` refers to the application or the endpoint.
    pub(super) fn is_unused_since(&self, number: Number, position: u64) -> bool {
        let given = match number {
            Number::Application(it) => self.applications.given(it),
            Number::Endpoint(it) => self.endpoints.given(it),
            Number::EventType(_) => return false,
        };
        given.is_none_or(|it| it.used <= position)
    }

    /// A message that had the event type is gone; `true` if none is left, as far as is known.
    pub(super) fn give_back_event_type(&mut self, number: u32) -> bool {
        let Some(given) = self.event_types.given_mut(number) else { return false };
        given.uses = given.uses.map(|uses| uses.saturating_sub(1));
        given.uses == Some(0)
    }

    pub(super) fn is_event_type_unused(&self, number: u32) -> bool {
        self.event_types.given(number).is_some_and(|it| it.uses == Some(0))
    }

    /// Event types that only messages older than this one may have, at most `limit`.
    pub(super) fn event_types_before(&self, oldest: u64, limit: usize) -> Vec<u32> {
        let old = self.event_types.given.values().filter(|it| it.used < oldest);
        old.map(|it| it.number).take(limit).collect()
    }

    /// Nothing refers to the number any more, if the transaction is committed.
    pub(super) fn withdraw(&mut self, number: Number) {
        match number {
            Number::Application(it) => self.applications.withdraw(it),
            Number::Endpoint(it) => self.endpoints.withdraw(it),
            Number::EventType(it) => self.event_types.withdraw(it),
        }
    }

    /// The transaction that withdrew it was undone.
    pub(super) fn restore(&mut self, number: Number) {
        match number {
            Number::Application(it) => self.applications.restore(it),
            Number::Endpoint(it) => self.endpoints.restore(it),
            Number::EventType(it) => self.event_types.restore(it),
        }
    }

    /// The transaction that withdrew it is committed.
    pub(super) fn forget(&mut self, number: Number) {
        match number {
            Number::Application(it) => drop(self.applications.keys.remove(&it)),
            Number::Endpoint(it) => {
                self.endpoints.keys.remove(&it);
                self.parents.remove(&it);
            },
            Number::EventType(it) => drop(self.event_types.keys.remove(&it)),
        }
    }

    pub(super) fn count(&self) -> NumberCounts {
        NumberCounts {
            applications: self.applications.keys.len(),
            endpoints: self.endpoints.keys.len(),
            event_types: self.event_types.keys.len(),
        }
    }
}
