//! The parameters of a settlement: an array for each column.

use postrider_core::{
    delivery::{Settlement, Trigger},
    retry::Verdict,
    statistics::Fact,
};

use crate::postgres::{
    parameter::Param,
    row,
    value::{Uuid, millis},
};

/// Verdicts in the statements. The first two are states of the table `delivery` too.
const DELIVERED: i16 = 1;
const FAILED: i16 = 2;
const RETRY: i16 = 3;

#[derive(Default)]
pub(super) struct Columns {
    application: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    message: Vec<Uuid>,
    id: Vec<Uuid>,
    number: Vec<i16>,
    is_manual: Vec<bool>,
    status: Vec<i16>,
    details: Vec<Vec<u8>>,
    response: Vec<Option<Vec<u8>>>,
    fact: Vec<i64>,
    verdict: Vec<i16>,
    retry_at: Vec<Option<i64>>,
    is_reported: Vec<bool>,
}

impl Columns {
    pub(super) fn of(round: &[&Settlement]) -> Self {
        let mut columns = Self::default();
        for settlement in round {
            columns.push(settlement);
        }
        columns
    }

    fn push(&mut self, settlement: &Settlement) {
        let Settlement { delivery, attempt, verdict, .. } = settlement;
        self.application.push(delivery.application.into());
        self.endpoint.push(delivery.id.endpoint.into());
        self.message.push(delivery.id.message.into());
        self.id.push(attempt.id.into());
        self.number.push(row::to_smallint(delivery.attempt));
        self.is_manual.push(delivery.trigger == Trigger::Manual);
        self.status.push(row::status(attempt.outcome));
        self.details.push(row::attempt_details(attempt));
        self.response.push(row::response(attempt));
        self.fact.push(Fact::settlement(settlement).pack());
        let (verdict, retry_at) = match verdict {
            Verdict::Delivered => (DELIVERED, None),
            Verdict::GiveUp(_) => (FAILED, None),
            Verdict::RetryAt(at) => (RETRY, Some(millis(*at))),
        };
        self.verdict.push(verdict);
        self.retry_at.push(retry_at);
        self.is_reported.push(delivery.reported);
    }

    /// The parameters of the statements that move deliveries.
    pub(super) fn params<'a>(&'a self, node: &'a i64) -> Vec<Param<'a>> {
        let more: [Param<'a>; 4] = [&self.verdict, &self.retry_at, &self.is_reported, node];
        [&self.attempts()[..], &more].concat()
    }

    /// The parameters of the statement that only records attempts.
    pub(super) fn attempts(&self) -> [Param<'_>; 10] {
        [
            &self.application,
            &self.endpoint,
            &self.message,
            &self.id,
            &self.number,
            &self.is_manual,
            &self.status,
            &self.details,
            &self.response,
            &self.fact,
        ]
    }
}
