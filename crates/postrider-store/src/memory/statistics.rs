//! Statistics, counted at once.

use async_trait::async_trait;
use postrider::{ApplicationId, OrganizationId};
use postrider_core::{
    delivery::Settlement,
    message::Message,
    statistics::{
        Counted, CountedFor, Counters, Fact, Period, RollupKey, StatisticsRetention, Subject,
    },
    time::Timestamp,
};

use super::{MemoryStore, state::State};
use crate::{
    contract::{
        catalog::{Parent, RecordKind},
        statistics::{Ranked, Statistics},
    },
    error::StoreError,
    ranking::Ranking,
};

#[async_trait]
impl Statistics for MemoryStore {
    async fn count(&self, counted: Vec<Counted>) -> Result<(), StoreError> {
        self.transact(|state| {
            for it in counted {
                state.count_request(it);
            }
            Ok(())
        })
    }

    async fn rollups(
        &self,
        subjects: Vec<Subject>,
        period: Period,
    ) -> Result<Vec<(RollupKey, Counters)>, StoreError> {
        let is_wanted = |key: &RollupKey| is_within(key, period) && subjects.contains(&key.subject);
        self.transact(|state| {
            let wanted = state.rollups.entries().iter().filter(|(key, _)| is_wanted(key));
            Ok(wanted.map(|(key, counters)| (key.clone(), counters.clone())).collect())
        })
    }

    async fn worst(
        &self,
        organization: OrganizationId,
        ranked: Ranked,
        period: Period,
        limit: usize,
    ) -> Result<Vec<(Subject, Counters)>, StoreError> {
        self.transact(|state| {
            let mut ranking = Ranking::default();
            for (key, counters) in state.rollups.entries() {
                if is_within(key, period) && ranked.includes(&key.subject) {
                    ranking.add(key.subject.clone(), counters);
                }
            }
            let is_of = |subject: &Subject| {
                let application = subject.application();
                application.and_then(|it| state.organization(it)) == Some(&organization)
            };
            Ok(ranking.worst(is_of, limit))
        })
    }

    async fn maintain_statistics(
        &self,
        now: Timestamp,
        retention: StatisticsRetention,
    ) -> Result<bool, StoreError> {
        self.transact(|state| {
            state.rollups.retain(|key| key.start >= retention.first_kept(key.resolution, now));
            Ok(false)
        })
    }
}

fn is_within(key: &RollupKey, period: Period) -> bool {
    key.resolution == period.resolution && key.start >= period.since && key.start < period.until
}

impl State {
    pub(super) fn organization(&self, application: ApplicationId) -> Option<&OrganizationId> {
        match &self.record(RecordKind::Application, application.as_u128())?.parent {
            Parent::Organization(id) => Some(id),
            Parent::Application(_) | Parent::Consumer(_) => None,
        }
    }

    pub(super) fn count_message(&mut self, message: &Message, is_filtered: bool) {
        self.count_one(Counted {
            application: message.application,
            of: CountedFor::Application,
            fact: Fact::message(message, is_filtered),
            count: 1,
        });
    }

    pub(super) fn count_attempt(&mut self, settlement: &Settlement) {
        self.count_one(Counted {
            application: settlement.delivery.application,
            of: CountedFor::Endpoint(settlement.delivery.id.endpoint),
            fact: Fact::settlement(settlement),
            count: 1,
        });
    }

    fn count_request(&mut self, counted: Counted) {
        let CountedFor::Source(source) = counted.of else { return };
        if self.record(RecordKind::Source, source.as_u128()).is_some() {
            self.count_one(counted);
        }
    }

    fn count_one(&mut self, counted: Counted) {
        let organization = self.organization(counted.application).cloned();
        self.rollups.add(counted, organization.as_ref());
    }
}
