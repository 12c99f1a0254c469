use postrider::{ApplicationId, EndpointId};
use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn batch(last: u64) -> Batch {
    Batch { last: Some(last), scanned: last }
}

const NOTHING: fn(u64) -> Batch = |scanned| Batch { last: None, scanned };

fn consumer() -> PollConsumer {
    PollConsumer::new("worker".to_owned(), 0, at(0))
}

/// A consumer whose poll at second 0 got the messages up to `last`, for 30 seconds.
fn leased(last: u64) -> PollConsumer {
    let mut consumer = consumer();
    consumer.begin_poll(at(0)).unwrap();
    consumer.hand_out(batch(last), DEFAULT_LEASE, at(0));
    consumer
}

#[test]
fn a_lease_keeps_others_away_until_it_ends() {
    for (seconds, expected) in [
        (0, Err(PollRefusal::Leased(at(30)))),
        (29, Err(PollRefusal::Leased(at(30)))),
        (30, Ok(())),
    ] {
        assert_eq!(leased(5).begin_poll(at(seconds)), expected, "{seconds}");
    }
}

#[test]
fn a_commit_ends_the_lease_even_if_it_is_not_of_everything() {
    for (offset, expected) in [(0, Some(5)), (1, None), (3, None), (5, None)] {
        let mut consumer = leased(5);
        consumer.commit(offset).unwrap();
        assert_eq!(consumer.committed, offset);
        assert_eq!(consumer.lease.map(|it| it.last), expected, "{offset}");
    }
}

#[test]
fn only_what_was_handed_out_can_be_committed() {
    assert_eq!(consumer().commit(1), Err(NotHandedOut(0)));
    assert_eq!(leased(5).commit(6), Err(NotHandedOut(5)));
    let mut consumer = leased(5);
    consumer.commit(5).unwrap();
    assert_eq!(consumer.commit(2), Ok(()));
    assert_eq!(consumer.committed, 5);
}

#[test]
fn a_late_commit_does_not_take_messages_from_another_client() {
    for (late, still_leased) in [(3, true), (5, true), (8, false)] {
        let mut consumer = leased(5);
        consumer.begin_poll(at(40)).unwrap();
        consumer.hand_out(batch(8), DEFAULT_LEASE, at(40));
        consumer.commit(late).unwrap();
        assert_eq!((consumer.committed, consumer.is_leased(at(41))), (late, still_leased));
    }
}

#[test]
fn a_client_that_commits_twice_does_not_take_messages_from_another_client() {
    let mut consumer = leased(5);
    consumer.commit(3).unwrap();
    consumer.begin_poll(at(1)).unwrap();
    consumer.hand_out(batch(9), DEFAULT_LEASE, at(1));
    // The first client had the messages up to 5.
    consumer.commit(5).unwrap();
    assert_eq!((consumer.committed, consumer.is_leased(at(2))), (5, true));
    consumer.commit(6).unwrap();
    assert!(!consumer.is_leased(at(2)));
}

#[test]
fn the_last_position_acknowledges_and_older_ones_do_not() {
    let mut consumer = leased(5);
    let first = consumer.position();
    consumer.begin_poll_at(first, at(1)).unwrap();
    assert_eq!((consumer.committed, consumer.lease), (5, None));
    consumer.hand_out(batch(9), DEFAULT_LEASE, at(1));
    // The response was lost, and the client asks again.
    assert_eq!(consumer.begin_poll_at(first, at(2)), Err(PollRefusal::Leased(at(31))));
    assert_eq!(consumer.begin_poll_at(first, at(31)), Ok(()));
    let own = consumer.position();
    consumer.begin_poll_at(own, at(32)).unwrap();
    assert_eq!(consumer.committed, 9);
    assert_eq!(consumer.begin_poll_at(first, at(33)), Err(PollRefusal::Outdated));
}

#[test]
fn a_position_of_a_lease_that_another_client_took_over_is_outdated() {
    let mut consumer = leased(5);
    let first = consumer.position();
    consumer.begin_poll(at(30)).unwrap();
    consumer.hand_out(batch(6), DEFAULT_LEASE, at(30));
    assert_eq!(consumer.begin_poll_at(first, at(31)), Err(PollRefusal::Outdated));
    assert_eq!(consumer.committed, 0);
}

#[test]
fn messages_without_payload_are_passed_without_a_commit() {
    let mut consumer = consumer();
    consumer.hand_out(NOTHING(7), DEFAULT_LEASE, at(0));
    assert_eq!((consumer.committed, consumer.lease, consumer.generation), (7, None, 0));
    assert_eq!(consumer.commit(7), Ok(()));
}

#[test]
fn a_seek_gives_up_what_is_leased() {
    let mut consumer = leased(5);
    let before = consumer.position();
    consumer.seek(2);
    assert_eq!((consumer.committed, consumer.lease), (2, None));
    assert_eq!(consumer.commit(5), Err(NotHandedOut(2)));
    assert_eq!(consumer.begin_poll_at(before, at(1)), Err(PollRefusal::Outdated));
    let position = consumer.position();
    consumer.begin_poll_at(position, at(1)).unwrap();
    consumer.hand_out(batch(8), DEFAULT_LEASE, at(1));
    // From the client that had the lease before.
    consumer.commit(4).unwrap();
    assert!(consumer.is_leased(at(2)));
}

#[test]
fn an_empty_poll_is_recorded_once_a_minute() {
    for (seconds, expected) in [(1, 0), (59, 0), (60, 60)] {
        let mut consumer = consumer();
        consumer.hand_out(NOTHING(0), DEFAULT_LEASE, at(seconds));
        assert_eq!(consumer.seen_at, at(expected));
    }
}

#[test]
fn ids_of_consumers_are_short_and_plain() {
    for id in ["a", "worker-1", "team_a.b:c@d", &"x".repeat(256)] {
        assert!(is_consumer_id(id), "{id}");
    }
    for id in ["", "a b", "a/b", "ä", &"x".repeat(257)] {
        assert!(!is_consumer_id(id), "{id}");
    }
}

#[test]
fn other_texts_are_no_positions() {
    for text in ["", "x", "MTo", "Mjox", "1:1", &"A".repeat(65)] {
        assert_eq!(Position::decode(text), Err(PositionError), "{text}");
    }
}

#[test]
fn tokens_name_their_endpoint() {
    let name = TokenName {
        application: ApplicationId::from_u128(7),
        endpoint: EndpointId::from_u128(u128::MAX),
    };
    let token = name.token([9; 24]);
    assert!(token.starts_with("sk_poll_"));
    assert_eq!(TokenName::of(&token), Some(name));
    for other in
        ["", "sk_poll_", "sk_poll_AAAA", token.trim_start_matches('s'), &format!("{token}A")]
    {
        assert_eq!(TokenName::of(other), None, "{other}");
    }
}

/// What clients do with one consumer.
#[derive(Clone, Debug)]
enum Step {
    Poll { client: usize, limit: u64, with_position: bool },
    Commit { client: usize, part: u64 },
    Seek { to: u64 },
    Wait { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize, 1..6_u64, any::<bool>())
            .prop_map(|(client, limit, with_position)| Step::Poll { client, limit, with_position }),
        4 => (0..3_usize, 0..6_u64).prop_map(|(client, part)| Step::Commit { client, part }),
        1 => (0..12_u64).prop_map(|to| Step::Seek { to }),
        3 => (1..20_u64).prop_map(|seconds| Step::Wait { seconds }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What a client was handed, and until when no other client may have it.
#[derive(Clone, Copy, Debug)]
struct Held {
    first: u64,
    last: u64,
    until: Timestamp,
    position: Position,
}

const LOG_END: u64 = 30;

proptest! {
    #[test]
    fn nothing_is_held_twice_and_nothing_is_skipped(steps in steps()) {
        let mut consumer = consumer();
        let mut held: [Option<Held>; 3] = [None; 3];
        let mut now = at(1);
        for step in steps {
            match step {
                Step::Wait { seconds } => now = now + Duration::from_secs(seconds),
                Step::Seek { to } => {
                    consumer.seek(to);
                    // An operator has decided that others may get what clients hold.
                    held.iter_mut().flatten().for_each(|it| it.until = now);
                },
                Step::Commit { client, part } => {
                    let Some(own) = held[client] else { continue };
                    let offset = (own.first + part).min(own.last);
                    let before = consumer.committed;
                    let result = consumer.commit(offset);
                    prop_assert!(consumer.committed >= before);
                    if result.is_ok() && now < own.until {
                        // The client is done with what it committed, and gives up the rest, unless
                        // the consumer keeps it.
                        let kept = consumer.is_leased(now).then_some(own);
                        held[client] = kept.map(|it| Held { first: offset + 1, ..it })
                            .filter(|it| it.first <= it.last);
                    }
                },
                Step::Poll { client, limit, with_position } => {
                    let position = held[client].map(|it| it.position).filter(|_| with_position);
                    let began = match position {
                        Some(position) => consumer.begin_poll_at(position, now),
                        None => consumer.begin_poll(now),
                    };
                    if began.is_err() {
                        continue;
                    }
                    if position.is_some() {
                        held[client] = None;
                    }
                    let (first, last) = (consumer.committed + 1, consumer.committed + limit);
                    let last = last.min(LOG_END);
                    let found = (first <= last).then_some(last);
                    let scanned = consumer.committed;
                    consumer.hand_out(Batch { last: found, scanned }, DEFAULT_LEASE, now);
                    let Some(last) = found else { continue };
                    for (other, it) in held.iter().enumerate() {
                        let Some(it) = it.filter(|it| other != client && now < it.until) else {
                            continue;
                        };
                        prop_assert!(last < it.first || it.last < first, "{it:?} {first}..={last}");
                    }
                    let until = now + DEFAULT_LEASE;
                    held[client] = Some(Held { first, last, until, position: consumer.position() });
                },
            }
            prop_assert!(consumer.committed <= consumer.handed_out);
        }
    }

    #[test]
    fn positions_survive_their_text(offset: u64, generation: Option<u64>) {
        let position = Position { offset, generation };
        prop_assert_eq!(Position::decode(&position.encode()), Ok(position));
    }

    #[test]
    fn a_time_is_found_in_a_log_with_holes(
        mut times in proptest::collection::vec(0..50_u64, 0..40),
        holes in proptest::collection::vec(any::<bool>(), 40),
        sought in 0..50_u64,
    ) {
        times.sort_unstable();
        let entries: Vec<(u64, Timestamp)> = (1..).zip(times.iter().map(|it| at(*it)))
            .zip(&holes).filter(|(_, is_hole)| !**is_hole).map(|(entry, _)| entry).collect();
        let mut search = Bisection::new(at(sought), times.len() as u64);
        let mut rounds = 0;
        while let Some(asked) = search.next() {
            search.found(asked, entries.iter().copied().find(|(offset, _)| *offset >= asked));
            rounds += 1;
            prop_assert!(rounds <= 10);
        }
        let expected = entries.iter().filter(|(_, it)| *it < at(sought)).map(|(offset, _)| *offset);
        let behind = entries.iter().find(|(offset, _)| *offset > search.offset());
        prop_assert!(behind.is_none_or(|(_, it)| *it >= at(sought)));
        prop_assert!(expected.max().is_none_or(|last| last <= search.offset()));
    }
}
