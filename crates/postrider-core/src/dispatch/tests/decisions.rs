//! Single decisions, without a store.

use super::*;
use crate::{
    breaker::BreakerState,
    delivery::{Response, ShadowRequest, Transformed},
    dispatch::lane::{HeldDelivery, Lane},
};

const ENDPOINT: EndpointId = EndpointId::from_u128(1);

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn delivery(message: u128) -> Delivery {
    let id = DeliveryId { endpoint: ENDPOINT, message: MessageId::from_u128(message) };
    Delivery::first(id, ApplicationId::from_u128(1))
}

/// A dispatcher with one lane, whose first claim has returned `count` deliveries.
fn dispatcher(config: Config, count: u128) -> Dispatcher<(), ()> {
    let policy = Policy {
        application: ApplicationId::from_u128(1),
        max_in_flight: 100,
        max_rest: crate::concurrency::MAX_REST,
        rate: None,
        order: DeliveryOrder::Any,
        breaker: breaker::Policy { threshold: 50, rest: SECOND, rest_max: SECOND },
        schedule: Schedule::new(&[SECOND], 0.0),
        disable_after: Duration::ZERO,
        retry_requested_at: None,
        batch: None,
    };
    let lease = Lease { epoch: 1, valid_until: at(10_000) };
    let mut dispatcher = Dispatcher::new(config, lease);
    assert_eq!(names(&mut dispatcher, at(0)), "claim", "a start claims at once");
    let setup = LaneSetup { endpoint: ENDPOINT, policy, route: (), failing_since: None };
    dispatcher.handle(Input::Configure(Box::new(setup)), at(0));
    claimed(&mut dispatcher, (1..=count).map(delivery), at(0));
    dispatcher
}

fn claimed(
    dispatcher: &mut Dispatcher<(), ()>,
    deliveries: impl Iterator<Item = Delivery>,
    now: Timestamp,
) {
    let deliveries = deliveries.map(|delivery| ClaimedDelivery {
        delivery,
        payload: (),
        bytes: 1,
        release_until: None,
    });
    let result = ClaimResult { deliveries: deliveries.collect(), next_due: None };
    dispatcher.handle(Input::Claimed(result), now);
}

/// The actions at a time, by name.
fn names(dispatcher: &mut Dispatcher<(), ()>, now: Timestamp) -> String {
    let actions = std::iter::from_fn(|| dispatcher.poll(now));
    let names = actions.map(|action| match action {
        Action::Send(call) => format!("send {}", call.delivery.id.message.as_u128()),
        Action::Settle(batch) => format!("settle {}", batch.settlements.len()),
        Action::RetrySettle => "retry settle".to_owned(),
        Action::Release(batch) => format!("release {}", batch.len()),
        Action::Claim(_) => "claim".to_owned(),
        Action::Disable(_) => "disable".to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn end_call(dispatcher: &mut Dispatcher<(), ()>, message: u128, status: u16, now: Timestamp) {
    let outcome = Outcome::Answered { status, retry_after: None };
    let (attempt, jitter) = (attempt(&delivery(message), outcome), JitterSample(0.5));
    dispatcher.handle(Input::CallEnded { attempt, jitter }, now);
}

#[test]
fn no_call_and_no_claim_starts_without_a_valid_lease() {
    let mut dispatcher = dispatcher(CONFIG, 2);
    assert_eq!(names(&mut dispatcher, at(10_000)), "");
    assert!(!dispatcher.reserve(ENDPOINT, at(10_000)));
    let renewed = Lease { epoch: 1, valid_until: at(20_000) };
    dispatcher.handle(Input::Lease(renewed), at(10_001));
    assert_eq!(names(&mut dispatcher, at(10_001)), "send 1, send 2, claim");
}

#[test]
fn a_new_epoch_drops_what_waits_and_what_was_on_its_way() {
    let mut dispatcher = dispatcher(CONFIG, 3);
    assert!(dispatcher.reserve(ENDPOINT, at(0)));
    assert_eq!(names(&mut dispatcher, at(1_000)), "send 1, send 2, send 3, claim");
    let lease = Lease { epoch: 2, valid_until: Timestamp::MAX };
    dispatcher.handle(Input::Lease(lease), at(1_001));
    claimed(&mut dispatcher, (4..6).map(delivery), at(1_002));
    let new = NewDelivery { delivery: delivery(7), payload: (), bytes: 1, epoch: 1 };
    dispatcher.handle(Input::Appended(new), at(1_002));
    assert_eq!(dispatcher.held(), 3, "calls in flight end normally");
    assert_eq!(dispatcher.take_counts().lost, 3);
    assert_eq!(names(&mut dispatcher, at(1_002)), "claim", "nothing is released");
}

#[test]
fn settlements_wait_for_each_other_and_for_the_batch_before() {
    let config = Config { settle_batch: 2, settle_linger: Duration::from_millis(10), ..CONFIG };
    let mut dispatcher = dispatcher(config, 4);
    assert_eq!(names(&mut dispatcher, at(0)), "send 1, send 2, send 3, send 4");
    end_call(&mut dispatcher, 1, 200, at(20));
    assert_eq!(
        (names(&mut dispatcher, at(29)).as_str(), dispatcher.deadline(at(29))),
        ("", at(30))
    );
    assert_eq!(names(&mut dispatcher, at(30)), "settle 1");
    end_call(&mut dispatcher, 2, 200, at(31));
    end_call(&mut dispatcher, 3, 200, at(31));
    assert_eq!(names(&mut dispatcher, at(60)), "", "one batch at a time");
    dispatcher.handle(Input::SettleFailed, at(100));
    assert_eq!(
        (names(&mut dispatcher, at(349)).as_str(), dispatcher.deadline(at(349))),
        ("", at(350))
    );
    assert_eq!(names(&mut dispatcher, at(350)), "retry settle");
    dispatcher.handle(Input::SettleFailed, at(400));
    assert_eq!(names(&mut dispatcher, at(900)), "retry settle", "the pause doubles");
    dispatcher.handle(Input::Settled { settlements: &[], has_messages: false }, at(901));
    assert_eq!(names(&mut dispatcher, at(901)), "settle 2", "a full batch does not wait");
}

#[test]
fn calls_stop_while_too_many_settlements_wait() {
    let config =
        Config { in_flight: 2, unsettled: 2, settle_batch: 100, settle_linger: SECOND, ..CONFIG };
    let mut dispatcher = dispatcher(config, 5);
    assert_eq!(names(&mut dispatcher, at(0)), "send 1");
    end_call(&mut dispatcher, 1, 200, at(1));
    assert_eq!(names(&mut dispatcher, at(1)), "send 2");
    end_call(&mut dispatcher, 2, 200, at(2));
    assert_eq!(names(&mut dispatcher, at(2)), "");
    assert_eq!(names(&mut dispatcher, at(1_001)), "settle 2, send 3, claim");
}

#[test]
fn no_claim_starts_while_a_release_is_in_doubt() {
    let mut dispatcher = releasing();
    dispatcher.handle(Input::ReleaseFailed, at(1_010));
    dispatcher.handle(Input::DueNow, at(1_010));
    assert_eq!(names(&mut dispatcher, at(1_509)), "");
    assert_eq!(names(&mut dispatcher, at(1_510)), "release 2");
    dispatcher.handle(Input::Released, at(1_520));
    assert_eq!(names(&mut dispatcher, at(1_520)), "claim");
}

/// A dispatcher whose release of two deliveries is in flight.
fn releasing() -> Dispatcher<(), ()> {
    let mut dispatcher = dispatcher(CONFIG, 0);
    claimable(&mut dispatcher, at(1_000));
    claimed(&mut dispatcher, (1..3).map(delivery), at(1_001));
    dispatcher.handle(Input::Close(ENDPOINT), at(1_001));
    assert_eq!(names(&mut dispatcher, at(1_001)), "release 2");
    dispatcher
}

#[test]
fn a_new_epoch_ends_the_doubt_about_a_failed_release() {
    let mut dispatcher = releasing();
    dispatcher.handle(Input::ReleaseFailed, at(1_010));
    let lease = Lease { epoch: 2, valid_until: Timestamp::MAX };
    dispatcher.handle(Input::Lease(lease), at(1_011));
    assert_eq!(names(&mut dispatcher, at(1_011)), "claim");
}

#[test]
fn after_a_new_epoch_no_claim_starts_before_a_repeated_release_has_ended() {
    for end in [Input::Released, Input::ReleaseFailed] {
        let mut dispatcher = releasing();
        dispatcher.handle(Input::ReleaseFailed, at(1_010));
        assert_eq!(names(&mut dispatcher, at(1_600)), "release 2");
        let lease = Lease { epoch: 2, valid_until: Timestamp::MAX };
        dispatcher.handle(Input::Lease(lease), at(1_601));
        assert_eq!(names(&mut dispatcher, at(1_601)), "");
        dispatcher.handle(end, at(1_602));
        assert_eq!(names(&mut dispatcher, at(1_602)), "claim", "nothing is released again");
    }
}

#[test]
fn a_release_in_doubt_waits_for_the_claim_that_may_have_met_it() {
    let mut dispatcher = dispatcher(CONFIG, 0);
    claimable(&mut dispatcher, at(1_000));
    claimed(&mut dispatcher, (1..3).map(delivery), at(1_001));
    dispatcher.handle(Input::Close(ENDPOINT), at(1_001));
    dispatcher.handle(Input::DueNow, at(1_001));
    assert_eq!(names(&mut dispatcher, at(1_001)), "release 2, claim");
    dispatcher.handle(Input::ReleaseFailed, at(1_010));
    assert_eq!(names(&mut dispatcher, at(5_000)), "", "the claim is still in flight");
    dispatcher.handle(Input::ClaimFailed, at(5_001));
    assert_eq!(names(&mut dispatcher, at(5_001)), "release 2");
}

fn claimable(dispatcher: &mut Dispatcher<(), ()>, now: Timestamp) {
    assert_eq!(names(dispatcher, now), "claim");
}

#[test]
fn an_endpoint_is_disabled_once_and_after_its_last_attempt_is_written() {
    let mut dispatcher = dispatcher(CONFIG, 2);
    assert_eq!(names(&mut dispatcher, at(0)), "send 1, send 2");
    end_call(&mut dispatcher, 1, 410, at(1));
    end_call(&mut dispatcher, 2, 410, at(1));
    assert_eq!(names(&mut dispatcher, at(1)), "settle 2");
    dispatcher.handle(Input::SettleFailed, at(2));
    assert_eq!(names(&mut dispatcher, at(900)), "retry settle");
    dispatcher.handle(Input::Settled { settlements: &[], has_messages: false }, at(901));
    assert_eq!(names(&mut dispatcher, at(901)), "disable");
    assert!(!dispatcher.is_idle());
    let ended = Input::DisableEnded { endpoint: ENDPOINT, is_refuted: false };
    dispatcher.handle(ended, at(902));
    assert!(dispatcher.is_idle());
}

#[test]
fn a_stop_releases_what_waits_and_writes_what_ends() {
    let config = Config { in_flight: 2, settle_linger: SECOND, settle_batch: 100, ..CONFIG };
    let mut dispatcher = dispatcher(config, 3);
    assert_eq!(names(&mut dispatcher, at(0)), "send 1");
    dispatcher.handle(Input::Stop, at(1));
    assert!(!dispatcher.reserve(ENDPOINT, at(1)));
    assert_eq!(names(&mut dispatcher, at(1)), "release 2");
    end_call(&mut dispatcher, 1, 200, at(2));
    assert_eq!(names(&mut dispatcher, at(2)), "settle 1", "without lingering");
    dispatcher.handle(Input::Settled { settlements: &[], has_messages: false }, at(3));
    dispatcher.handle(Input::ReleaseFailed, at(3));
    assert!(dispatcher.is_idle(), "a failed release is not repeated");
    dispatcher.handle(Input::DueNow, at(4));
    assert_eq!(names(&mut dispatcher, at(4)), "", "nothing more is claimed");
}

/// An attempt whose transformation cancelled the delivery.
fn cancelled(message: u128) -> Attempt {
    let record = Transformed { is_cancelled: true, ..Transformed::default() };
    let response = Some(Response::default().transformed(&record));
    Attempt { response, ..attempt(&delivery(message), Outcome::ACCEPTED) }
}

/// An attempt of an application in shadow mode.
fn shadowed(message: u128) -> Attempt {
    let response = Some(Response::default().shadowed(&ShadowRequest::default()));
    Attempt { response, ..attempt(&delivery(message), Outcome::ACCEPTED) }
}

#[test]
fn a_delivery_that_was_not_sent_says_nothing_about_the_endpoint() {
    check_unsent(cancelled);
    check_unsent(shadowed);
}

fn check_unsent(cancelled: fn(u128) -> Attempt) {
    let policy = Policy {
        application: ApplicationId::from_u128(1),
        max_in_flight: 100,
        max_rest: crate::concurrency::MAX_REST,
        rate: None,
        order: DeliveryOrder::Any,
        batch: None,
        retry_requested_at: None,
        breaker: breaker::Policy { threshold: 1, rest: SECOND, rest_max: SECOND },
        schedule: Schedule::new(&[SECOND], 0.0),
        disable_after: Duration::MAX,
    };
    let mut lane = Lane::<(), ()>::new(policy, (), Some(at(5)));
    let failed = Outcome::Answered { status: 500, retry_after: None };
    lane.record(&attempt(&delivery(1), failed), false, at(10));
    lane.record(&cancelled(2), false, at(11));
    assert!(lane.is_resting(at(12)), "a call that began before the pause does not end it");
    let (delivery, payload, bytes, until) = (delivery(3), (), 1, Timestamp::MAX);
    lane.push(HeldDelivery { delivery, payload, bytes, until });
    lane.send(at(1_010));
    assert!(lane.is_resting(at(1_011)), "the probe is in flight");
    lane.take_in_flight(delivery.id.message);
    lane.record(&cancelled(3), false, at(1_020));
    let state = lane.state(ENDPOINT, at(1_020));
    let (since, probe_at) = (at(10), at(1_020));
    assert_eq!(state.breaker, BreakerState::Open { since, probe_at }, "the next probe may be sent");
    assert_eq!(lane.failing_since, Some(at(5)));
    assert_eq!(lane.capacity(100, SECOND, at(1_020)), 1);
}

/// Gives the endpoint a lane, and delivers messages to it one after the other.
fn deliver(dispatcher: &mut Dispatcher<(), ()>, endpoint: EndpointId, messages: u128) {
    let schedule = Schedule::new(&[SECOND], 0.0);
    let breaker = breaker::Policy { threshold: 50, rest: SECOND, rest_max: SECOND };
    for message in 1..=messages {
        if dispatcher.open_route(endpoint).is_none() {
            let policy = Policy {
                application: ApplicationId::from_u128(endpoint.as_u128()),
                max_in_flight: 100,
                max_rest: crate::concurrency::MAX_REST,
                rate: None,
                order: DeliveryOrder::Any,
                breaker,
                schedule: schedule.clone(),
                disable_after: Duration::ZERO,
                retry_requested_at: None,
                batch: None,
            };
            let setup = LaneSetup { endpoint, policy, route: (), failing_since: None };
            dispatcher.handle(Input::Configure(Box::new(setup)), at(1));
        }
        let id = DeliveryId { endpoint, message: MessageId::from_u128(message) };
        let delivery = Delivery::first(id, ApplicationId::from_u128(endpoint.as_u128()));
        assert!(dispatcher.reserve(endpoint, at(1)));
        let new = NewDelivery { delivery, payload: (), bytes: 1, epoch: 1 };
        dispatcher.handle(Input::Appended(new), at(1));
        assert_eq!(names(dispatcher, at(1)), format!("send {message}"));
        let outcome = Outcome::Answered { status: 200, retry_after: None };
        let (attempt, jitter) = (attempt(&delivery, outcome), JitterSample(0.5));
        dispatcher.handle(Input::CallEnded { attempt, jitter }, at(1));
        assert_eq!(names(dispatcher, at(1)), "settle 1");
        dispatcher.handle(Input::Settled { settlements: &[], has_messages: false }, at(1));
    }
}

#[test]
fn of_very_many_endpoints_only_those_keep_lanes_that_are_called_often() {
    let mut dispatcher = dispatcher(CONFIG, 0);
    let endpoints = (10..).map(EndpointId::from_u128);
    // Few lanes are kept, although they know little.
    endpoints.clone().take(1_000).for_each(|it| deliver(&mut dispatcher, it, 1));
    assert_eq!(dispatcher.lane_states(None, at(1)).len(), 1_000);
    endpoints.skip(1_000).take(1_000).for_each(|it| deliver(&mut dispatcher, it, 1));
    assert_eq!(dispatcher.lane_states(None, at(1)).len(), 1_000);
    assert_eq!(dispatcher.applications().len(), 1_000);
}
