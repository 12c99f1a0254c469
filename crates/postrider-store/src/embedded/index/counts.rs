//! What a batch counts: equal facts are added up before anything is looked up for them.

use postrider::{ApplicationId, OrganizationId, SourceId};
use postrider_core::{
    hash::FastMap,
    statistics::{self, Counted, CountedFor, Fact, FactKind, Subject},
};
use rusqlite::{Connection, OptionalExtension};

use super::{
    indexer_error::IndexerError,
    recent::{self, Recent},
    rollups,
};
use crate::embedded::{
    error,
    journal::Change,
    number::{ApplicationNumber, EndpointNumber, MessageSequence, PackedFact},
    numbers::SharedNumbers,
    row::blob,
};

/// Applications whose organizations are remembered, 24 bytes each. Every batch looks all of its
/// applications up, and a query for each takes longer than what is counted.
const APPLICATIONS: usize = 500_000;

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
    facts: FastMap<(SubjectNumber, PackedFact), u64>,
    erased: Vec<ApplicationId>,
}

impl Counts {
    pub(super) fn add(&mut self, change: &Change) {
        match *change {
            Change::MessageAccepted { message, application, ref deliveries }
            | Change::MessageLabelled { message, application, ref deliveries, .. } => {
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

    /// How many different numbers there are.
    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    /// Stores what was counted, inside the caller's transaction of the index. Erases last: nothing
    /// is counted for an application after its erasure.
    pub(super) fn write(
        self,
        (index, main): (&Connection, &Connection),
        subjects: &mut Subjects,
        recent: &mut Recent,
    ) -> Result<(), IndexerError> {
        let mut facts = Vec::with_capacity(2 * self.facts.len());
        // Most facts of an organization are equal but for the application.
        let mut of_organizations: FastMap<(usize, Fact), u64> = FastMap::default();
        for ((subject, fact), count) in self.facts {
            let Some(counted) = subjects.counted(subject, fact, count) else { continue };
            let Counted { application, of, fact, count } = counted;
            facts.extend(Subject::part(application, of).map(|part| (part, fact, count)));
            facts.push((Subject::Application(application), fact, count));
            let organization = subjects.organization(main, application);
            if let Some(organization) = organization.map_err(IndexerError::Main)? {
                *of_organizations.entry((organization, fact)).or_default() += count;
            }
        }
        facts.extend(of_organizations.into_iter().map(|((organization, fact), count)| {
            (Subject::Organization(subjects.organizations[organization].clone()), fact, count)
        }));
        recent.add(index, statistics::by_subject(facts))?;
        for application in self.erased {
            recent::erase(index, application)?;
            rollups::erase(index, application)?;
        }
        Ok(())
    }
}

/// Finds what the journal's numbers stand for.
#[derive(Debug)]
pub(super) struct Subjects {
    numbers: SharedNumbers,
    /// Each once.
    organizations: Vec<OrganizationId>,
    places: FastMap<OrganizationId, usize>,
    /// The places of the organizations of applications, by the bytes of their ids: the number would
    /// be aligned, which takes a third more memory.
    known: FastMap<[u8; 16], u32>,
}

impl Subjects {
    pub(super) fn new(numbers: SharedNumbers) -> Self {
        Self {
            numbers,
            organizations: Vec::new(),
            places: FastMap::default(),
            known: FastMap::default(),
        }
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
    /// The place of the application's organization, unless the application was removed.
    fn organization(
        &mut self,
        main: &Connection,
        application: ApplicationId,
    ) -> rusqlite::Result<Option<usize>> {
        let key = blob(application.as_u128());
        if let Some(place) = self.known.get(&key) {
            return Ok(Some(*place as usize));
        }
        let Some(found) = organization(main, application)? else { return Ok(None) };
        if self.known.len() >= APPLICATIONS {
            self.known.clear();
        }
        let place = *self.places.entry(found).or_insert_with_key(|found| {
            self.organizations.push(found.clone());
            self.organizations.len() - 1
        });
        if let Ok(short) = u32::try_from(place) {
            self.known.insert(key, short);
        }
        Ok(Some(place))
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
