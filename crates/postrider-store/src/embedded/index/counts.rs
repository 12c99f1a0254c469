//! What a batch counts: equal facts are added up before anything is looked up for them.

use std::collections::HashMap;

use postrider::{ApplicationId, OrganizationId, SourceId};
use postrider_core::statistics::{Counted, CountedFor, Fact, FactKind, Rollups};
use rusqlite::{Connection, OptionalExtension};

use super::{indexer_error::IndexerError, rollups};
use crate::embedded::{
    error,
    journal::Change,
    number::{ApplicationNumber, EndpointNumber, MessageSequence, PackedFact},
    numbers::SharedNumbers,
    row::blob,
};

/// Organizations that are remembered.
const ORGANIZATIONS: usize = 10_000;

/// What a fact is about, as the journal names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SubjectNumber {
    Application(ApplicationNumber),
    Endpoint(EndpointNumber),
    Source(ApplicationNumber, u128),
}

/// The facts of a batch.
#[derive(Debug, Default)]
pub(super) struct Counts {
    facts: HashMap<(SubjectNumber, PackedFact), u64>,
    erased: Vec<ApplicationId>,
}

impl Counts {
    pub(super) fn add(&mut self, change: &Change) {
        match *change {
            Change::MessageAccepted { message, application, ref deliveries } => {
                self.add_message(message, application, deliveries.is_empty());
            },
            Change::AttemptCounted { endpoint, fact, .. } => self.add_attempt(endpoint, fact),
            Change::RequestsCounted { application, source, fact, count } => {
                self.add_fact(SubjectNumber::Source(application, source), fact, count);
            },
            Change::StatisticsErased { application } => {
                self.erased.push(ApplicationId::from_u128(application));
            },
            Change::AttemptRecorded { .. }
            | Change::DeliveryMoved { .. }
            | Change::EndpointCancelled { .. }
            | Change::MessageRemoved { .. }
            | Change::AttemptRemoved { .. } => {},
        }
    }

    pub(super) fn add_message(
        &mut self,
        message: MessageSequence,
        application: ApplicationNumber,
        is_filtered: bool,
    ) {
        let fact = Fact::new(message.time(), FactKind::Message { is_filtered });
        self.add_fact(SubjectNumber::Application(application), PackedFact(fact.pack()), 1);
    }

    pub(super) fn add_attempt(&mut self, endpoint: EndpointNumber, fact: PackedFact) {
        self.add_fact(SubjectNumber::Endpoint(endpoint), fact, 1);
    }

    fn add_fact(&mut self, subject: SubjectNumber, fact: PackedFact, count: u64) {
        *self.facts.entry((subject, fact)).or_default() += count;
    }

    /// Adds the facts to the rollups, inside the caller's transaction. Erases last: nothing is
    /// counted for an application after its erasure.
    pub(super) fn write(
        self,
        index: &Connection,
        main: &Connection,
        subjects: &mut Subjects,
    ) -> Result<(), IndexerError> {
        let mut rollups = Rollups::default();
        for ((subject, fact), count) in self.facts {
            let Some(counted) = subjects.counted(subject, fact, count) else { continue };
            let organization = subjects.organization(main, counted.application);
            let organization = organization.map_err(IndexerError::Main)?;
            rollups.add(counted, organization);
        }
        rollups::add(index, &rollups)?;
        for application in self.erased {
            rollups::erase(index, application)?;
        }
        Ok(())
    }
}

/// Finds what the journal's numbers stand for.
#[derive(Debug)]
pub(super) struct Subjects {
    numbers: SharedNumbers,
    organizations: HashMap<ApplicationId, OrganizationId>,
}

impl Subjects {
    pub(super) fn new(numbers: SharedNumbers) -> Self {
        Self { numbers, organizations: HashMap::new() }
    }

    /// The fact with ids; `None` if a number was freed, which means that the application was
    /// erased, or if a later version stored the fact.
    fn counted(&self, subject: SubjectNumber, fact: PackedFact, count: u64) -> Option<Counted> {
        let numbers = self.numbers.read();
        let (application, of) = match subject {
            SubjectNumber::Application(number) => {
                (numbers.application(number).ok()?, CountedFor::Application)
            },
            SubjectNumber::Endpoint(number) => {
                let endpoint = numbers.endpoint(number).ok()?;
                (numbers.application_of(number).ok()?, CountedFor::Endpoint(endpoint))
            },
            SubjectNumber::Source(number, source) => {
                let source = CountedFor::Source(SourceId::from_u128(source));
                (numbers.application(number).ok()?, source)
            },
        };
        Some(Counted { application, of, fact: Fact::unpack(fact.0)?, count })
    }
}

const ORGANIZATION: &str = "SELECT organization FROM applications WHERE id = ?1";

impl Subjects {
    /// The organization of the application, unless that was removed.
    fn organization(
        &mut self,
        main: &Connection,
        application: ApplicationId,
    ) -> rusqlite::Result<Option<&OrganizationId>> {
        if !self.organizations.contains_key(&application) {
            if self.organizations.len() >= ORGANIZATIONS {
                self.organizations.clear();
            }
            let Some(found) = organization(main, application)? else { return Ok(None) };
            self.organizations.insert(application, found);
        }
        Ok(self.organizations.get(&application))
    }
}

/// The organization of an application, if there is such an application.
pub(in crate::embedded) fn organization(
    main: &Connection,
    application: ApplicationId,
) -> rusqlite::Result<Option<OrganizationId>> {
    let mut statement = main.prepare_cached(ORGANIZATION)?;
    let key = [blob(application.as_u128())];
    let found: Option<String> = statement.query_row(key, |row| row.get(0)).optional()?;
    found.map(|text| text.parse().map_err(error::undecodable)).transpose()
}
