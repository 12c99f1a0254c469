//! Facts added up for each subject and period.

use std::{cmp::Ordering, collections::BTreeMap};

use postrider::{ApplicationId, EndpointId, OrganizationId, SourceId};

use super::{
    counters::Counters,
    fact::{Counted, CountedFor},
    resolution::Resolution,
};
use crate::time::Timestamp;

/// What statistics are about. In the order of [`Self::to_bytes`]: an application, and then what
/// belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

    /// The parts of [`Self::to_bytes`], in its order.
    const fn parts(&self) -> (u128, u8, u128) {
        match self {
            Self::Organization(_) => (0, 0, 0),
            Self::Application(id) => (id.as_u128(), 0, 0),
            Self::Endpoint(application, id) => (application.as_u128(), ENDPOINT, id.as_u128()),
            Self::Source(application, id) => (application.as_u128(), SOURCE, id.as_u128()),
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

impl Ord for Subject {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Organization(own), Self::Organization(other)) => {
                own.as_str().cmp(other.as_str())
            },
            _ => self.parts().cmp(&other.parts()),
        }
    }
}

impl PartialOrd for Subject {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
    fn subjects_are_in_the_order_of_their_bytes() {
        let (one, two) = (ApplicationId::from_u128(1), ApplicationId::from_u128(2));
        let mut subjects = [
            Subject::Source(one, SourceId::from_u128(3)),
            Subject::Endpoint(two, EndpointId::from_u128(1)),
            Subject::Organization("org_2".parse().unwrap()),
            Subject::Application(two),
            Subject::Endpoint(one, EndpointId::from_u128(9)),
            Subject::Organization("org_1".parse().unwrap()),
            Subject::Application(one),
        ];
        subjects.sort();
        let mut bytes: Vec<_> = subjects.iter().map(Subject::to_bytes).collect();
        let sorted = bytes.clone();
        bytes.sort();
        assert_eq!(sorted, bytes);
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
