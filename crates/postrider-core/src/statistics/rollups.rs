//! Facts added up for each subject and period.

use std::collections::BTreeMap;

use postrider::{ApplicationId, EndpointId, OrganizationId, SourceId};

use super::{
    counters::Counters,
    fact::{Counted, CountedFor, Fact},
    resolution::Resolution,
};
use crate::time::Timestamp;

/// What statistics are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Organization(OrganizationId),
    Application(ApplicationId),
    Endpoint(ApplicationId, EndpointId),
    Source(ApplicationId, SourceId),
}

/// A subject in a period.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKey {
    pub resolution: Resolution,
    pub start: Timestamp,
    pub subject: Subject,
}

/// Numbers by subject and period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollups(BTreeMap<RollupKey, Counters>);

impl Rollups {
    /// Counts equal facts for everything that they are about.
    pub fn add(&mut self, counted: Counted, organization: Option<&OrganizationId>) {
        let Counted { application, of, .. } = counted;
        if let Some(subject) = Subject::part(application, of) {
            self.add_to(&subject, counted);
        }
        self.add_to(&Subject::Application(application), counted);
        if let Some(id) = organization {
            self.add_to(&Subject::Organization(id.clone()), counted);
        }
    }

    fn add_to(&mut self, subject: &Subject, counted: Counted) {
        for resolution in Resolution::ALL {
            let start = resolution.start(counted.fact.at());
            let key = RollupKey { resolution, start, subject: subject.clone() };
            self.0.entry(key).or_default().add(counted.fact.kind, counted.count);
        }
    }

    /// In the order of their keys: resolution, time, subject.
    pub const fn entries(&self) -> &BTreeMap<RollupKey, Counters> {
        &self.0
    }

    /// Removes those that do not match.
    pub fn retain(&mut self, keep: impl Fn(&RollupKey) -> bool) {
        self.0.retain(|key, _| keep(key));
    }
}

/// Adds up facts of a batch, which are about few minutes: as [`Rollups::add`] does for each subject, in
/// the same order, at less cost if there are very many subjects.
pub fn sum(mut facts: Vec<(Subject, Fact, u64)>) -> Vec<(RollupKey, Counters)> {
    facts.sort_unstable_by(|(a, of_a, _), (b, of_b, _)| a.cmp(b).then(of_a.at().cmp(&of_b.at())));
    let mut rows = Vec::new();
    for resolution in Resolution::ALL {
        let from = rows.len();
        for (subject, fact, count) in &facts {
            let start = resolution.start(fact.at());
            let is_next = |(key, _): &&mut (RollupKey, Counters)| {
                key.start == start && key.subject == *subject
            };
            if let Some((_, counters)) = rows[from..].last_mut().filter(is_next) {
                counters.add(fact.kind, *count);
                continue;
            }
            let mut counters = Counters::default();
            counters.add(fact.kind, *count);
            let key = RollupKey { resolution, start, subject: subject.clone() };
            rows.push((key, counters));
        }
        // Keeps the order of the subjects.
        rows[from..].sort_by_key(|(key, _)| key.start);
    }
    rows
}

/// The kinds of subjects, as stores write them.
const ENDPOINT: u8 = 1;
const SOURCE: u8 = 2;

/// In place of the application of an organization. No application has this id.
const NO_APPLICATION: [u8; 16] = [0; 16];

impl Subject {
    /// The part of the application that something is counted for, if it is not the whole.
    pub const fn part(application: ApplicationId, of: CountedFor) -> Option<Self> {
        match of {
            CountedFor::Application => None,
            CountedFor::Endpoint(id) => Some(Self::Endpoint(application, id)),
            CountedFor::Source(id) => Some(Self::Source(application, id)),
        }
    }

    /// The subject as stores write it: the id of its application, then the kind and the id of
    /// what belongs to that. So an application's subjects have a common prefix.
    pub fn to_bytes(&self) -> Vec<u8> {
        let part = |application: ApplicationId, kind, id: u128| {
            [&application.as_u128().to_be_bytes()[..], &[kind], &id.to_be_bytes()].concat()
        };
        match self {
            Self::Organization(id) => [&NO_APPLICATION, id.as_str().as_bytes()].concat(),
            Self::Application(id) => id.as_u128().to_be_bytes().to_vec(),
            Self::Endpoint(application, id) => part(*application, ENDPOINT, id.as_u128()),
            Self::Source(application, id) => part(*application, SOURCE, id.as_u128()),
        }
    }

    /// Reverses [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (application, rest) = bytes.split_first_chunk::<16>()?;
        if *application == NO_APPLICATION {
            return std::str::from_utf8(rest).ok()?.parse().ok().map(Self::Organization);
        }
        let application = ApplicationId::from_u128(u128::from_be_bytes(*application));
        let Some((&kind, id)) = rest.split_first() else {
            return Some(Self::Application(application));
        };
        let id = u128::from_be_bytes(id.try_into().ok()?);
        match kind {
            ENDPOINT => Some(Self::Endpoint(application, EndpointId::from_u128(id))),
            SOURCE => Some(Self::Source(application, SourceId::from_u128(id))),
            _ => None,
        }
    }

    /// The application that the subject is, or belongs to.
    pub const fn application(&self) -> Option<ApplicationId> {
        match self {
            Self::Organization(_) => None,
            Self::Application(id) | Self::Endpoint(id, _) | Self::Source(id, _) => Some(*id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Fact, FactKind};

    #[test]
    fn a_subject_is_read_as_it_was_written() {
        let application = ApplicationId::from_u128(7);
        let subjects = [
            Subject::Organization("org_1".parse().unwrap()),
            Subject::Application(application),
            Subject::Endpoint(application, EndpointId::from_u128(8)),
            Subject::Source(application, SourceId::from_u128(9)),
        ];
        for subject in subjects {
            assert_eq!(Subject::from_bytes(&subject.to_bytes()), Some(subject));
        }
        for bytes in [&[][..], &[2, 1], &[1; 18]] {
            assert_eq!(Subject::from_bytes(bytes), None);
        }
    }

    #[test]
    fn a_sum_is_the_same_as_adding_each_fact() {
        let (one, two) = (ApplicationId::from_u128(1), ApplicationId::from_u128(2));
        let endpoint = |number| CountedFor::Endpoint(EndpointId::from_u128(number));
        let mut counted = Vec::new();
        for minute in [7, 3, 59, 60, 61, 24 * 60, 3] {
            for (application, of) in
                [(two, endpoint(9)), (one, CountedFor::Application), (one, endpoint(8))]
            {
                let kind = FactKind::Message { is_filtered: minute % 2 == 0 };
                let fact = Fact::new(Timestamp::from_millis(minute * 60_000), kind);
                counted.push(Counted { application, of, fact, count: minute + 1 });
            }
        }
        let organization = "org_1".parse().unwrap();
        let (mut rollups, mut facts) = (Rollups::default(), Vec::new());
        for it in counted {
            rollups.add(it, Some(&organization));
            let mut subjects = vec![
                Subject::Organization(organization.clone()),
                Subject::Application(it.application),
            ];
            subjects.extend(Subject::part(it.application, it.of));
            facts.extend(subjects.into_iter().map(|subject| (subject, it.fact, it.count)));
        }
        let expected: Vec<_> = rollups.entries().clone().into_iter().collect();
        assert_eq!(sum(facts), expected);
    }

    #[test]
    fn a_fact_is_counted_for_its_subject_its_application_and_its_organization() {
        let mut rollups = Rollups::default();
        let counted = Counted {
            application: ApplicationId::from_u128(1),
            of: CountedFor::Endpoint(EndpointId::from_u128(2)),
            fact: Fact::new(
                Timestamp::from_millis(90_000_000),
                FactKind::Message { is_filtered: false },
            ),
            count: 3,
        };
        rollups.add(counted, Some(&"org_1".parse().unwrap()));
        rollups.add(counted, None);
        let counts = rollups
            .entries()
            .iter()
            .map(|(key, counters)| (key.resolution, key.start.as_millis(), counters.accepted()));
        let day = |count| (Resolution::Day, 86_400_000, count);
        let hour = |count| (Resolution::Hour, 90_000_000, count);
        let minute = |count| (Resolution::Minute, 90_000_000, count);
        let expected =
            [minute(3), minute(6), minute(6), hour(3), hour(6), hour(6), day(3), day(6), day(6)];
        assert_eq!(counts.collect::<Vec<_>>(), expected);
    }
}
