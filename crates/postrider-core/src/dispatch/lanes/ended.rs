//! What follows from a call that ended.

use super::Lanes;
use crate::{
    delivery::{Attempt, Delivery, DeliveryId},
    dispatch::batch::{self, BatchOutcome, PlannedDelivery},
    health::{self, Notice},
    outcome::Outcome,
    retry::{self, JitterSample, Verdict},
    time::Timestamp,
};

/// What follows from a call that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dispatch) struct CallResult {
    /// As it was sent, except for whether it is reported after this attempt.
    pub delivery: Delivery,
    pub verdict: Verdict,
    pub notice: Option<Notice>,
    /// When the first delivery was exhausted since the last success, if that changed.
    #[expect(clippy::option_option, reason = "it changes to none when the endpoint recovers")]
    pub failing_since: Option<Option<Timestamp>>,
    /// The endpoint has to be disabled; it has been failing since this time.
    pub disable: Option<Timestamp>,
}

impl CallResult {
    fn new(delivery: Delivery, verdict: Verdict, change: EndpointChange) -> Self {
        let EndpointChange { failing_since, disable } = change;
        Self {
            delivery: Delivery { reported: health::reported(&delivery, verdict), ..delivery },
            verdict,
            notice: health::notice(&delivery, verdict),
            failing_since,
            disable,
        }
    }
}

/// How a call changed the state of its endpoint; the fields are those of [`CallResult`].
#[derive(Clone, Copy, Debug, Default)]
struct EndpointChange {
    #[expect(clippy::option_option, reason = "it changes to none when the endpoint recovers")]
    failing_since: Option<Option<Timestamp>>,
    disable: Option<Timestamp>,
}

/// The attempt that says how the call ended: the first of a message that was in it, or of a damaged
/// one if there was no call.
fn called(attempts: &[Attempt]) -> Option<&Attempt> {
    attempts.iter().find(|it| !it.outcome.is_damaged()).or_else(|| attempts.first())
}

impl<R: Clone, P> Lanes<R, P> {
    /// Decides what follows from a call that ended.
    pub(in crate::dispatch) fn call_ended(
        &mut self,
        attempt: &Attempt,
        jitter: JitterSample,
        now: Timestamp,
    ) -> CallResult {
        let (id, outcome) = (attempt.delivery, attempt.outcome);
        let delivery = self.take_in_flight(id);
        self.in_flight -= 1;
        let verdict = self.verdict(&delivery, outcome, jitter, now);
        let change = self.end_call(&[(delivery, verdict)], attempt, now);
        CallResult::new(delivery, verdict, change)
    }

    /// Decides what follows from a call with several deliveries. The first result has the changes
    /// of the endpoint's state.
    pub(in crate::dispatch) fn batch_ended(
        &mut self,
        attempts: &[Attempt],
        jitter: JitterSample,
        now: Timestamp,
    ) -> Vec<CallResult> {
        let Some(called) = called(attempts) else { return Vec::new() };
        let (endpoint, outcome) = (called.delivery.endpoint, called.outcome);
        self.in_flight -= 1;
        let deliveries: Vec<_> =
            attempts.iter().map(|it| self.take_in_flight(it.delivery)).collect();
        let plan = |(delivery, attempt): (&Delivery, &Attempt)| PlannedDelivery {
            plan: delivery.retry_plan,
            verdict: self.verdict(delivery, attempt.outcome, jitter, now),
            is_damaged: attempt.outcome.is_damaged(),
        };
        let mut planned: Vec<_> = deliveries.iter().zip(attempts).map(plan).collect();
        let result = BatchOutcome { outcome, at: now, jitter };
        batch::align(&mut planned, &self.by_endpoint[&endpoint].policy.schedule, result);
        let verdicts = planned.into_iter().map(|it| it.verdict);
        let ended: Vec<_> = deliveries.into_iter().zip(verdicts).collect();
        let change = self.end_call(&ended, called, now);
        let changes = std::iter::once(change).chain(std::iter::repeat(EndpointChange::default()));
        let results = ended.into_iter().zip(changes);
        results
            .map(|((delivery, verdict), change)| CallResult::new(delivery, verdict, change))
            .collect()
    }

    fn take_in_flight(&mut self, id: DeliveryId) -> Delivery {
        let (delivery, bytes) = self.lane_mut(id.endpoint).take_in_flight(id.message);
        self.held -= 1;
        self.held_bytes -= bytes;
        delivery
    }

    /// What follows for one delivery.
    fn verdict(
        &self,
        delivery: &Delivery,
        outcome: Outcome,
        jitter: JitterSample,
        now: Timestamp,
    ) -> Verdict {
        let schedule = &self.by_endpoint[&delivery.id.endpoint].policy.schedule;
        let planned = retry::decide(schedule, delivery.attempt, outcome, now, jitter);
        delivery.retry_plan.follow(planned, outcome, now)
    }

    /// Updates the lane after a call with these deliveries, all to the same endpoint; `attempt` is
    /// that of one of them.
    fn end_call(
        &mut self,
        ended: &[(Delivery, Verdict)],
        attempt: &Attempt,
        now: Timestamp,
    ) -> EndpointChange {
        let endpoint = ended[0].0.id.endpoint;
        let lane = self.by_endpoint.get_mut(&endpoint).expect("a lane outlives its calls");
        lane.call_ended();
        let span = lane.policy.schedule.span();
        let is_exhausted = ended
            .iter()
            .any(|(delivery, verdict)| health::is_exhausted(delivery, *verdict, span, now));
        let before = lane.failing_since;
        let disable = lane.record(attempt, is_exhausted, now);
        let after = lane.failing_since;
        lane.await_settle(ended.iter().map(|(delivery, _)| delivery));
        // In order, nothing may overtake the retry: what is behind it goes back to the store,
        // which keeps the order.
        let blocks_order = lane.is_in_order()
            && ended.iter().any(|(_, verdict)| matches!(verdict, Verdict::RetryAt(_)));
        if blocks_order || lane.is_resting(now) {
            self.release_waiting(endpoint);
        }
        self.update_wants_claim(endpoint, now);
        self.wake(endpoint);
        self.note_ended(endpoint);
        EndpointChange { failing_since: (before != after).then_some(after), disable }
    }
}
