//! Small numbers for long names, so that rows and keys are short.
//!
//! A number is given once and never taken back. One that was given in a transaction that
//! then failed is written by the next one that commits.

use std::{collections::HashMap, hash::Hash};

use postrider::{ApplicationId, EndpointId, EventTypeName};
use rusqlite::{Connection, params};

use super::{row, trouble};

#[derive(Debug, Default)]
pub(super) struct Numbers {
    applications: Table<ApplicationId>,
    endpoints: Table<EndpointId>,
    /// The application of the endpoint with this number.
    parents: Vec<u32>,
    event_types: Table<EventTypeName>,
}

#[derive(Debug)]
struct Table<K> {
    numbers: HashMap<K, u32>,
    keys: Vec<K>,
    /// So many of the keys are in the database.
    saved: usize,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), keys: Vec::new(), saved: 0 }
    }
}

impl<K: Clone + Eq + Hash> Table<K> {
    fn number(&mut self, key: &K) -> u32 {
        if let Some(&number) = self.numbers.get(key) {
            return number;
        }
        let number = u32::try_from(self.keys.len()).expect("there are fewer than 2^32 names");
        self.numbers.insert(key.clone(), number);
        self.keys.push(key.clone());
        number
    }

    fn load(&mut self, number: u32, key: K) -> rusqlite::Result<()> {
        if number as usize != self.keys.len() {
            return Err(trouble::implausible("a number is missing"));
        }
        self.numbers.insert(key.clone(), number);
        self.keys.push(key);
        self.saved = self.keys.len();
        Ok(())
    }

    fn key(&self, number: u32) -> rusqlite::Result<&K> {
        self.keys.get(number as usize).ok_or_else(|| trouble::implausible("a number is unknown"))
    }

    /// Numbers and keys that the database does not have yet.
    fn unsaved(&self) -> impl Iterator<Item = (usize, &K)> {
        self.keys.iter().enumerate().skip(self.saved)
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
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut loaded = Self::default();
        let mut statement = db.prepare(LOAD_APPLICATIONS)?;
        let mut rows = statement.query([])?;
        while let Some(it) = rows.next()? {
            loaded.applications.load(it.get(0)?, ApplicationId::from_u128(row::id(it, 1)?))?;
        }
        let mut statement = db.prepare(LOAD_ENDPOINTS)?;
        let mut rows = statement.query([])?;
        while let Some(it) = rows.next()? {
            loaded.endpoints.load(it.get(0)?, EndpointId::from_u128(row::id(it, 1)?))?;
            loaded.parents.push(it.get(2)?);
        }
        let mut statement = db.prepare(LOAD_EVENT_TYPES)?;
        let mut rows = statement.query([])?;
        while let Some(it) = rows.next()? {
            let name = it.get_ref(1)?.as_str()?;
            let name = EventTypeName::stored(name).map_err(trouble::undecodable)?;
            loaded.event_types.load(it.get(0)?, name)?;
        }
        Ok(loaded)
    }

    pub(super) fn has_unsaved(&self) -> bool {
        self.applications.saved < self.applications.keys.len()
            || self.endpoints.saved < self.endpoints.keys.len()
            || self.event_types.saved < self.event_types.keys.len()
    }

    /// Writes what the database does not have; [`Self::saved`] when that is committed.
    pub(super) fn save(&self, db: &Connection) -> rusqlite::Result<()> {
        for (number, id) in self.applications.unsaved() {
            db.prepare_cached(SAVE_APPLICATION)?
                .execute(params![number, row::blob(id.as_u128())])?;
        }
        for (number, id) in self.endpoints.unsaved() {
            let values = params![number, row::blob(id.as_u128()), self.parents[number]];
            db.prepare_cached(SAVE_ENDPOINT)?.execute(values)?;
        }
        for (number, name) in self.event_types.unsaved() {
            db.prepare_cached(SAVE_EVENT_TYPE)?.execute(params![number, name.as_str()])?;
        }
        Ok(())
    }

    pub(super) fn saved(&mut self) {
        self.applications.saved = self.applications.keys.len();
        self.endpoints.saved = self.endpoints.keys.len();
        self.event_types.saved = self.event_types.keys.len();
    }

    pub(super) fn give_application(&mut self, id: ApplicationId) -> u32 {
        self.applications.number(&id)
    }

    pub(super) fn give_endpoint(&mut self, id: EndpointId, application: u32) -> u32 {
        let number = self.endpoints.number(&id);
        if number as usize == self.parents.len() {
            self.parents.push(application);
        }
        number
    }

    pub(super) fn give_event_type(&mut self, name: &EventTypeName) -> u32 {
        self.event_types.number(name)
    }

    pub(super) fn number_of_application(&self, id: ApplicationId) -> Option<u32> {
        self.applications.numbers.get(&id).copied()
    }

    pub(super) fn number_of_endpoint(&self, id: EndpointId) -> Option<u32> {
        self.endpoints.numbers.get(&id).copied()
    }

    pub(super) fn application(&self, number: u32) -> rusqlite::Result<ApplicationId> {
        self.applications.key(number).copied()
    }

    pub(super) fn endpoint(&self, number: u32) -> rusqlite::Result<EndpointId> {
        self.endpoints.key(number).copied()
    }

    pub(super) fn application_of(&self, endpoint: u32) -> rusqlite::Result<ApplicationId> {
        let parent = self.parents.get(endpoint as usize);
        self.application(*parent.ok_or_else(|| trouble::implausible("a number is unknown"))?)
    }

    pub(super) fn event_type(&self, number: u32) -> rusqlite::Result<EventTypeName> {
        self.event_types.key(number).cloned()
    }
}
