//! Which applications a search reaches, and of which kind endpoints are. A page has few different
//! ones, so each is read once.

use std::collections::HashMap;

use postrider::{ApplicationId, api::EndpointKind};
use rusqlite::{OptionalExtension, params};
use serde::Deserialize;

use crate::{
    contract::search::Reach,
    embedded::{
        error,
        number::{ApplicationNumber, EndpointNumber},
        readers::Reader,
        row::blob,
    },
};

/// The applications that a search reaches, as far as that was asked.
pub(super) struct Owners<'a> {
    reader: &'a Reader,
    reach: &'a Reach,
    known: HashMap<ApplicationId, bool>,
}

pub(in crate::embedded) const IS_OF_ORGANIZATION: &str =
    "SELECT 1 FROM applications WHERE id = ?1 AND organization = ?2";

impl<'a> Owners<'a> {
    pub(super) fn new(reader: &'a Reader, reach: &'a Reach) -> Self {
        Self { reader, reach, known: HashMap::new() }
    }

    pub(super) fn reaches(&mut self, application: ApplicationId) -> rusqlite::Result<bool> {
        if !self.reach.includes(application) {
            return Ok(false);
        }
        if let Some(known) = self.known.get(&application) {
            return Ok(*known);
        }
        let mut statement = self.reader.main.prepare_cached(IS_OF_ORGANIZATION)?;
        let values = params![blob(application.as_u128()), self.reach.organization.as_str()];
        let reaches = statement.exists(values)?;
        self.known.insert(application, reaches);
        Ok(reaches)
    }

    pub(super) fn reaches_number(&mut self, number: ApplicationNumber) -> rusqlite::Result<bool> {
        let application = self.reader.numbers().application(number)?;
        self.reaches(application)
    }

    /// Whether the endpoint's application is one of them.
    pub(super) fn reaches_endpoint(&mut self, endpoint: EndpointNumber) -> rusqlite::Result<bool> {
        let application = self.reader.numbers().application_of(endpoint)?;
        self.reaches(application)
    }
}

/// The kinds of endpoints, as far as they were asked for.
pub(super) struct Kinds<'a> {
    reader: &'a Reader,
    known: HashMap<EndpointNumber, Option<EndpointKind>>,
}

#[derive(Deserialize)]
struct WithKind {
    #[serde(default)]
    kind: EndpointKind,
}

const RECORD: &str = "SELECT record FROM endpoints WHERE id = ?1";

impl<'a> Kinds<'a> {
    pub(super) fn new(reader: &'a Reader) -> Self {
        Self { reader, known: HashMap::new() }
    }

    /// The kind of the endpoint, if it exists.
    pub(super) fn of(&mut self, number: EndpointNumber) -> rusqlite::Result<Option<EndpointKind>> {
        if let Some(known) = self.known.get(&number) {
            return Ok(*known);
        }
        let id = self.reader.numbers().endpoint(number)?;
        let mut statement = self.reader.main.prepare_cached(RECORD)?;
        let record = statement.query_row([blob(id.as_u128())], |row| row.get::<_, String>(0));
        let kind = match record.optional()? {
            None => None,
            Some(record) => {
                let read = serde_json::from_str::<WithKind>(&record).map_err(error::undecodable)?;
                Some(read.kind)
            },
        };
        self.known.insert(number, kind);
        Ok(kind)
    }
}
