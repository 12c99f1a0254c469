//! The record finds what is lost, doubled, misdirected, overtaken or too fast.

use super::*;
use crate::soak::model::Topic;

fn message(number: u64, topic: Topic) -> Message {
    Message { number, owner: 0, topic, even: false, sequence: 0, sent_at: 0, transformed: false }
}

fn placed(number: u64, sequence: u64) -> Message {
    Message { sequence, ..message(number, Topic::Ordered) }
}

/// The number of the endpoint of the first application with this role.
fn index_of(record: &Record, role: Role) -> usize {
    record.lines.iter().position(|it| it.endpoint == Endpoint { owner: 0, role }).unwrap()
}

fn receive(record: &mut Record, role: Role, messages: &[Message]) {
    let index = index_of(record, role);
    record.begin(index, messages, 0.0);
    record.arrive(index, messages, 0.0);
}

#[track_caller]
fn check(record: &Record, expected: &[&str]) {
    assert_eq!(record.violations.len(), expected.len(), "{:?}", record.violations);
    for (actual, expected) in record.violations.iter().zip(expected) {
        assert!(actual.contains(expected), "{actual}");
    }
}

#[test]
fn what_was_accepted_and_has_not_arrived_is_lost() {
    let mut record = Record::new(5);
    record.accept(&message(1, Topic::Plain), Some("msg_1"), 10.0);
    record.accept(&message(2, Topic::Plain), Some("msg_2"), 20.0);
    record.accept(&message(3, Topic::Dead), Some("msg_3"), 20.0);
    receive(&mut record, Role::Fast, &[message(2, Topic::Plain)]);
    assert_eq!(record.pending(), 1);
    assert!((record.oldest_pending(30.0) - 20.0).abs() < 1e-9);
    record.close(30.0, 60.0);
    check(&record, &["fast of 0: message 1 was lost, 20 s ago"]);
}

#[test]
fn a_lost_message_whose_payload_has_expired_is_named_as_such() {
    let mut record = Record::new(5);
    record.accept(&message(1, Topic::Plain), None, 10.0);
    record.close(80.0, 60.0);
    let cause = "fast of 0: message 1 was lost, 70 s ago, pending for longer than its payload";
    check(&record, &[cause]);
}

#[test]
fn a_message_may_arrive_before_its_acceptance_is_known_and_more_than_once() {
    let mut record = Record::new(5);
    receive(&mut record, Role::Fast, &[message(1, Topic::Plain)]);
    record.accept(&message(1, Topic::Plain), None, 0.0);
    receive(&mut record, Role::Fast, &[message(1, Topic::Plain)]);
    record.close(0.0, 60.0);
    check(&record, &[]);
    let counts = record.counts()["fast"];
    assert_eq!((counts.distinct, counts.repeated, counts.calls), (1, 1, 2));
}

#[test]
fn an_endpoint_gets_only_what_it_subscribes_to() {
    let mut record = Record::new(5);
    receive(&mut record, Role::Nothing, &[message(1, Topic::Plain)]);
    receive(&mut record, Role::Filtered, &[message(1, Topic::Plain)]);
    receive(&mut record, Role::Filtered, &[Message { even: true, ..message(2, Topic::Plain) }]);
    receive(&mut record, Role::Transformed, &[message(3, Topic::Hard)]);
    check(&record, &["nothing of 0 got", "filtered of 0 got", "not transformed"]);
}

#[test]
fn no_message_overtakes_another_at_an_ordered_endpoint() {
    let mut record = Record::new(5);
    let index = index_of(&record, Role::Ordered);
    receive(&mut record, Role::Ordered, &[placed(1, 1)]);
    // The second one fails, and the first one is repeated after a crash.
    record.begin(index, &[placed(2, 2)], 0.0);
    receive(&mut record, Role::Ordered, &[placed(1, 1)]);
    receive(&mut record, Role::Ordered, &[placed(2, 2)]);
    check(&record, &[]);
    receive(&mut record, Role::Ordered, &[placed(4, 4)]);
    check(&record, &["ordered of 0 got [4] after 2"]);
}

#[test]
fn a_batch_is_in_order_itself() {
    let mut record = Record::new(5);
    receive(&mut record, Role::Batched, &[placed(1, 1), placed(2, 2)]);
    receive(&mut record, Role::Batched, &[placed(2, 2), placed(3, 3)]);
    check(&record, &[]);
    receive(&mut record, Role::Batched, &[placed(5, 5), placed(4, 4)]);
    check(&record, &["batched of 0 got [5, 4] after 3"]);
}

#[test]
fn a_message_that_is_stored_twice_is_found_by_its_ids() {
    let mut record = Record::new(5);
    record.check_id(7, "msg_1");
    record.accept(&message(7, Topic::Dead), Some("msg_1"), 0.0);
    check(&record, &[]);
    record.check_id(7, "msg_2");
    check(&record, &["message 7 was stored twice"]);
}

#[test]
fn a_resent_message_has_to_arrive_again() {
    let mut record = Record::new(5);
    let sent = message(16, Topic::Plain);
    record.accept(&sent, Some("msg_1"), 0.0);
    assert_eq!(record.choose_resend(0, 60.0), None, "it has not arrived yet");
    receive(&mut record, Role::Fast, std::slice::from_ref(&sent));
    let (index, number, _) = record.choose_resend(0, 60.0).unwrap();
    assert_eq!(record.choose_resend(0, 60.0), None, "it is being sent again");
    record.resend_ended(index, number, true);
    assert_eq!(record.pending(), 1);
    receive(&mut record, Role::Fast, std::slice::from_ref(&sent));
    assert_eq!((record.pending(), record.resends_arrived), (0, 1));
    let (index, number, _) = record.choose_resend(0, 60.0).unwrap();
    record.resend_ended(index, number, false);
    record.arrive(index, std::slice::from_ref(&sent), 50.0);
    assert_eq!(record.choose_resend(0, 60.0), None, "its last attempt may not be stored yet");
    record.close(0.0, 60.0);
    check(&record, &[]);
}

#[test]
fn a_resend_may_arrive_before_its_response() {
    let mut record = Record::new(5);
    let sent = message(16, Topic::Plain);
    record.accept(&sent, Some("msg_1"), 0.0);
    receive(&mut record, Role::Fast, std::slice::from_ref(&sent));
    let (index, number, _) = record.choose_resend(0, 60.0).unwrap();
    receive(&mut record, Role::Fast, std::slice::from_ref(&sent));
    record.resend_ended(index, number, true);
    assert_eq!((record.pending(), record.resends_arrived), (0, 1));
}

#[test]
fn a_paused_endpoint_gets_nothing_after_its_calls_have_ended() {
    let mut record = Record::new(5);
    let index = index_of(&record, Role::Paused);
    record.set_paused(index, Some(10.0));
    record.begin(index, &[message(1, Topic::Limited)], 11.0);
    check(&record, &[]);
    record.begin(index, &[message(1, Topic::Limited)], 30.0);
    record.set_paused(index, None);
    record.begin(index, &[message(1, Topic::Limited)], 31.0);
    check(&record, &["paused of 0 was called while it was paused"]);
}

#[test]
fn calls_above_a_strict_rate_are_found() {
    let mut record = Record::new(5);
    let index = index_of(&record, Role::Limited);
    for call in 0..200_u32 {
        record.begin(index, &[message(1, Topic::Limited)], f64::from(call) / 5.0);
    }
    check(&record, &[]);
    for call in 0..100_u32 {
        record.begin(index, &[message(1, Topic::Limited)], 40.0 + f64::from(call) / 20.0);
    }
    assert!(record.violation_count > 0);
    record.restarted();
}
