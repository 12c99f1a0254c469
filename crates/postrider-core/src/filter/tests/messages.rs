//! Which endpoint gets which message.

use crate::{
    catalog::Endpoint,
    filter::{Filter, Mismatch, Subject, check},
    fixtures,
    message::Message,
};

use super::metadata;

#[track_caller]
fn expect(
    endpoint: &Endpoint,
    event_type: &str,
    channels: &[&str],
    expected: &Result<(), Mismatch>,
) {
    let message = Message {
        event_type: event_type.parse().unwrap(),
        channels: channels.iter().map(|&it| it.to_owned()).collect(),
        ..fixtures::message()
    };
    let filter = endpoint.filter.as_deref().map(Filter::new);
    let metadata = metadata();
    let subject = Subject::new(&message, &metadata);
    assert_eq!(&check(endpoint, filter.as_ref(), &subject), expected, "{event_type} {channels:?}");
}

#[test]
fn an_endpoint_without_conditions_gets_every_message() {
    expect(&fixtures::endpoint(), "user.created", &[], &Ok(()));
    expect(&fixtures::endpoint(), "user.created", &["one"], &Ok(()));
}

#[test]
fn event_types_match_as_a_whole() {
    let event_types = Some(vec!["user.created".parse().unwrap()]);
    let endpoint = Endpoint { event_types, ..fixtures::endpoint() };
    expect(&endpoint, "user.created", &[], &Ok(()));
    expect(&endpoint, "user.created.twice", &[], &Err(Mismatch::EventType));
    expect(&endpoint, "user", &[], &Err(Mismatch::EventType));
}

#[test]
fn an_endpoint_with_channels_gets_messages_that_share_one() {
    let channels = Some(vec!["one".to_owned(), "two".to_owned()]);
    let endpoint = Endpoint { channels, ..fixtures::endpoint() };
    expect(&endpoint, "user.created", &[], &Err(Mismatch::Channels));
    expect(&endpoint, "user.created", &["three"], &Err(Mismatch::Channels));
    expect(&endpoint, "user.created", &["three", "two"], &Ok(()));
}

#[test]
fn a_disabled_endpoint_gets_no_message() {
    let endpoint = Endpoint { disabled: true, ..fixtures::endpoint() };
    expect(&endpoint, "user.created", &[], &Err(Mismatch::Disabled));
}

#[test]
fn an_endpoint_with_a_filter_gets_messages_for_which_it_is_true() {
    let endpoint =
        |filter: &str| Endpoint { filter: Some(filter.to_owned()), ..fixtures::endpoint() };
    let created = endpoint("type == 'user.created'");
    expect(&created, "user.created", &[], &Ok(()));
    expect(&created, "user.deleted", &[], &Err(Mismatch::Filter));
    let wrong = endpoint("payload.absent");
    let filter = Filter::new("payload.absent").unwrap();
    let (message, metadata) = (fixtures::message(), metadata());
    let error = filter.matches(&Subject::new(&message, &metadata)).unwrap_err();
    expect(&wrong, message.event_type.as_str(), &[], &Err(Mismatch::NotEvaluated(error)));
    let invalid = endpoint("of.another.version()");
    let error = Filter::new("of.another.version()").unwrap_err();
    expect(&invalid, "user.created", &[], &Err(Mismatch::InvalidFilter(error)));
}
