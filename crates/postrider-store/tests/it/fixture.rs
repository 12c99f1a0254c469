//! Records and messages for the tests, each made from a number, and short forms of common calls.

use std::{
    collections::HashMap, error::Error, fmt::Debug, ops::RangeInclusive, path::Path, sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use postrider::{
    ApplicationId, AttemptId, AuditId, ConnectorId, ConsumerId, DeadLetterId, EndpointId,
    EventTypeName, MessageId, OrganizationId, RejectionId, SourceId, TaskId,
    api::{AuditChange, DeadLetterCause, PrincipalKind, QueueKind, connector::ConnectorKind},
};
use postrider_core::{
    audit::{Actor, AuditEntry, AuditedRecord},
    catalog::{
        Application, AtRest, AuthenticationMethod, Connector, ConnectorOptions, Consumer, DeadBody,
        DeadLetter, Endpoint, EventType, Ordering, Recovery, SealedSecret, Source, SourceResponse,
        SourceSecret,
    },
    delivery::{Attempt, Delivery, DeliveryId, Response, Settlement},
    message::{Format, Message, Rejection},
    outcome::{Failure, Outcome},
    queue::mapping::MappingTexts,
    retry::{Reason, Verdict},
    time::Timestamp,
};
use postrider_store::{
    Claim, ClaimedBatch, DeliveriesOf, DeliveryFilter, DeliveryOrder, EmbeddedStore, Expected,
    Hold, IdOrUid, MAX_REJECTIONS, NewMessage, Options, Records, ResendMode, Retention, Scan,
    ScanPage, SettleBatch, Shard, StatusKind, Store, StoreError, Target,
};

/// The time at which message 0 is accepted; message 1 is accepted a millisecond later.
pub(crate) const START: u64 = 1_700_000_000_000;

/// Milliseconds that a claim of the tests lasts.
pub(crate) const LEASE: u64 = 60_000;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps everything for a day.
pub(crate) const ONE_DAY: Retention =
    Retention { rows: DAY, idempotency: DAY, digests: DAY, rejections: DAY, audit_log: DAY };

/// The time this many milliseconds after [`START`].
pub(crate) const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

/// Later than every message of the tests.
pub(crate) const NOW: Timestamp = at(100_000);

pub(crate) fn organization() -> OrganizationId {
    "org_test".parse().unwrap()
}

pub(crate) const fn application_id(number: u64) -> ApplicationId {
    ApplicationId::from_parts((START - 1_000) << 12 | number, number)
}

pub(crate) const fn endpoint_id(number: u64) -> EndpointId {
    EndpointId::from_parts((START - 1_000) << 12 | number, number)
}

pub(crate) const fn message_id(number: u64) -> MessageId {
    MessageId::from_parts((START + number) << 12, number)
}

pub(crate) const fn attempt_id(number: u64) -> AttemptId {
    AttemptId::from_parts((START + 200_000 + number) << 12 | 1, number)
}

pub(crate) const fn delivery_id(endpoint: u64, message: u64) -> DeliveryId {
    DeliveryId { endpoint: endpoint_id(endpoint), message: message_id(message) }
}

pub(crate) fn application(number: u64) -> Application {
    Application {
        managed_by: None,
        id: application_id(number),
        organization: organization(),
        uid: None,
        name: format!("application {number}"),
        metadata: [("kind".to_owned(), "test".to_owned())].into(),
        throttle_rate: Some(7),
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: postrider_core::catalog::ApplicationMode::Live,
        created_at: at(0),
        updated_at: at(0),
    }
}

/// An endpoint of application 1.
pub(crate) fn endpoint(number: u64) -> Endpoint {
    Endpoint {
        managed_by: None,
        transformation: None,
        id: endpoint_id(number),
        application: application_id(1),
        uid: None,
        kind: postrider::api::EndpointKind::Http,
        config: AtRest::default(),
        url: format!("https://example.com/{number}"),
        description: String::new(),
        event_types: None,
        channels: Some(vec!["a".to_owned()]),
        headers: AtRest::Clear([("x-a".to_owned(), "b".to_owned())].into()),
        metadata: [].into(),
        disabled: false,
        throttle_rate: None,
        strict_rate: false,
        filter: None,
        ordering: Ordering::Any,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: postrider_core::catalog::Authentication::default(),
        secret: SealedSecret(vec![1, 2, 3]),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: postrider_core::retry::AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        signing: None,
        retired_secrets: Vec::new(),
        disablement: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

/// An entry of the audit log about endpoint 1, created like message `number`.
pub(crate) fn audit_entry(number: u64) -> AuditEntry {
    AuditEntry {
        id: AuditId::from_parts((START + number) << 12, number),
        organization: organization(),
        actor: Actor {
            kind: PrincipalKind::ApiKey,
            id: format!("key_{}", number % 2),
            name: Some("deploy".to_owned()),
        },
        address: Some([192, 0, 2, 1].into()),
        operation: format!("v1.endpoint.{}", number % 3),
        record: AuditedRecord {
            kind: "endpoint".to_owned(),
            id: endpoint_id(number % 5).to_string(),
            application: Some(application_id(1)),
        },
        changes: vec![AuditChange {
            field: "url".to_owned(),
            old: Some("https://example.com/1".into()),
            new: None,
            withheld: None,
        }],
    }
}

pub(crate) fn event_type(name: &str) -> EventType {
    EventType {
        managed_by: None,
        organization: organization(),
        name: name.parse().unwrap(),
        description: "said something".to_owned(),
        archived: false,
        deprecated: false,
        schemas: Some(r#"{"1":{}}"#.to_owned()),
        schema_validation: None,
        feature_flags: vec!["beta".to_owned()],
        group_name: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(crate) const fn source_id(number: u64) -> SourceId {
    SourceId::from_parts((START - 1_000) << 12 | number, number)
}

pub(crate) const fn rejection_id(number: u64) -> RejectionId {
    RejectionId::from_parts((START + number) << 12, number)
}

/// A source of application 1 with every optional field set but the uid.
pub(crate) fn source(number: u64) -> Source {
    let sealed = |byte| SealedSecret(vec![byte, 2, 3]);
    Source {
        managed_by: None,
        id: source_id(number),
        organization: organization(),
        application: application_id(1),
        owns_application: true,
        uid: None,
        name: format!("source {number}"),
        kind: "stripe".to_owned(),
        provider: "stripe".to_owned(),
        model: Some(r#"{"verify":[]}"#.to_owned()),
        is_open: false,
        disabled: false,
        metadata: [("kind".to_owned(), "test".to_owned())].into(),
        token: sealed(1),
        token_digest: token_digest(number),
        secrets: vec![
            SourceSecret { secret: sealed(2), until: None },
            SourceSecret { secret: sealed(3), until: Some(at(5_000)) },
        ],
        parameters: [("verify_token".to_owned(), sealed(4))].into(),
        public_url: Some(AtRest::Sealed(sealed(5))),
        response: Some(SourceResponse {
            status: 202,
            headers: [("x-a".to_owned(), "b".to_owned())].into(),
            body: "taken".to_owned(),
        }),
        dedupe_window: Duration::from_secs(7 * 24 * 60 * 60),
        dedupe_by_body: true,
        tolerance: Some(Duration::from_millis(1_500)),
        max_body: Some(1_000),
        forward_headers: Some(vec!["x-b".to_owned()]),
        created_at: at(0),
        updated_at: at(1),
    }
}

pub(crate) const fn consumer_id(number: u64) -> ConsumerId {
    ConsumerId::from_parts(number, 1)
}

pub(crate) const fn dead_letter_id(number: u64) -> DeadLetterId {
    DeadLetterId::from_parts((START + number) << 12, 1)
}

pub(crate) fn consumer(number: u64) -> Consumer {
    Consumer {
        managed_by: None,
        id: consumer_id(number),
        organization: organization(),
        uid: None,
        description: format!("consumer {number}"),
        kind: QueueKind::Nats,
        config: AtRest::Sealed(SealedSecret(vec![1, 2])),
        address: "nats://example.com".to_owned(),
        mapping: Some(MappingTexts {
            application: "$.body.a".to_owned(),
            event_type: "a".to_owned(),
            event_id: None,
            channels: vec!["c".to_owned()],
            payload: Some("$.body".to_owned()),
        }),
        disabled: false,
        max_attempts: 5,
        max_in_flight: 100,
        created_at: at(0),
        updated_at: at(1),
    }
}

/// A connector with everything that it can have.
pub(crate) fn connector(number: u64) -> Connector {
    Connector {
        managed_by: None,
        id: ConnectorId::from_parts(START + number, 1),
        organization: organization(),
        uid: Some(format!("c{number}").parse().unwrap()),
        kind: ConnectorKind::Slack,
        name: "Slack".to_owned(),
        logo: Some("https://example.com/logo.png".to_owned()),
        description: "d".to_owned(),
        instructions: "# i".to_owned(),
        allowed_event_types: Some(vec!["user.created".parse().unwrap()]),
        transformation: "function handler(it) { return it }".to_owned(),
        feature_flags: Some(vec!["f".to_owned()]),
        is_for_streams: false,
        options: Some(ConnectorOptions {
            authentication: Some(AuthenticationMethod::Bearer),
            default_url: None,
        }),
        created_at: at(0),
        updated_at: at(1),
        transformation_updated_at: at(0),
    }
}

/// A dead letter of the consumer, created at this time.
pub(crate) fn dead_letter(number: u64, consumer: u64) -> DeadLetter {
    DeadLetter {
        id: dead_letter_id(number),
        consumer: consumer_id(consumer),
        message: number.to_string(),
        cause: DeadLetterCause::Invalid,
        reason: "it is not \u{0}valid".to_owned(),
        attempts: 1,
        subject: Some("s".to_owned()),
        headers: [("a".to_owned(), "b".to_owned())].into(),
        body: DeadBody::of(b"\xff\x00"),
        is_truncated: false,
    }
}

/// Creates the consumers with these numbers.
pub(crate) async fn create_consumers(store: &dyn Store, numbers: RangeInclusive<u64>) {
    for number in numbers {
        store.save(&consumer(number), Expected::New).await.unwrap();
    }
}

/// The numbers of the stored dead letters of a consumer.
pub(crate) async fn dead_letter_numbers(store: &dyn Store, consumer: u64) -> Vec<u64> {
    let found = store.list::<DeadLetter>(&consumer_id(consumer), all()).await.unwrap();
    found.items.iter().map(|it| it.id.millis() - START).collect()
}

pub(crate) fn token_digest(number: u64) -> [u8; 32] {
    let mut digest = [7; 32];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    digest
}

/// A rejected request to a source, received this many milliseconds after [`START`].
pub(crate) fn rejection(number: u64, source: u64) -> Rejection {
    Rejection {
        id: rejection_id(number),
        source: source_id(source),
        status: 401,
        reason: "the signature does not match".to_owned(),
        method: "POST".to_owned(),
        target: "/in?a=b".to_owned(),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-a".to_owned(), String::new()),
        ],
        body: Bytes::from(vec![0, 255, b'{']),
        duplicate_of: None,
    }
}

/// Disables or enables an endpoint of application 1.
pub(crate) async fn disable(store: &dyn Store, number: u64, disabled: bool) {
    let endpoint = Endpoint { disabled, ..endpoint(number) };
    store.save(&endpoint, Expected::Any).await.unwrap();
}

/// Application 1 with endpoints 1 to 3, and application 2 with endpoint 4.
pub(crate) async fn set_up(store: &dyn Store) {
    for number in 1..=2 {
        store.save(&application(number), Expected::New).await.unwrap();
    }
    for number in 1..=3 {
        store.save(&endpoint(number), Expected::New).await.unwrap();
    }
    let other = Endpoint { application: application_id(2), ..endpoint(4) };
    store.save(&other, Expected::New).await.unwrap();
}

/// A message of application 1.
pub(crate) fn message(number: u64) -> Message {
    Message {
        id: message_id(number),
        application: application_id(1),
        event_type: type_name("user.created"),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(Bytes::from(format!(r#"{{"n":{number}}}"#))),
        format: Format::Json,
        deliver_at: None,
        body_until: at(1_000_000_000),
        trace: None,
    }
}

pub(crate) fn type_name(text: &str) -> EventTypeName {
    text.parse().unwrap()
}

pub(crate) fn new(message: Message, endpoints: &[u64], hold: Hold) -> NewMessage {
    let target =
        |&number| Target { endpoint: endpoint_id(number), hold, order: DeliveryOrder::Any };
    NewMessage {
        message: Arc::new(message),
        targets: endpoints.iter().map(target).collect(),
        idempotency: None,
    }
}

/// A message whose deliveries are leased to the caller.
pub(crate) fn leased(number: u64, endpoints: &[u64]) -> NewMessage {
    new(message(number), endpoints, Hold::Leased(NOW + Duration::from_millis(LEASE)))
}

/// A message whose deliveries are due when it is accepted, and not leased.
pub(crate) fn free(number: u64, endpoints: &[u64]) -> NewMessage {
    new(message(number), endpoints, free_at(number))
}

/// The same with an idempotency digest, which is always the same one.
pub(crate) fn free_with_digest(number: u64, endpoints: &[u64]) -> NewMessage {
    NewMessage { idempotency: Some([7; 32]), ..free(number, endpoints) }
}

/// A message of application 2 to its endpoint 4, due when it is accepted.
pub(crate) fn free_in_application_2(number: u64) -> NewMessage {
    let message = Message { application: application_id(2), ..message(number) };
    new(message, &[4], free_at(number))
}

pub(crate) const fn free_at(millis: u64) -> Hold {
    Hold::Free(at(millis))
}

/// A message that is due when it is accepted, in the order of its endpoints.
pub(crate) fn ordered(number: u64, endpoints: &[u64]) -> NewMessage {
    with_order(free(number, endpoints), DeliveryOrder::InOrder)
}

pub(crate) fn with_order(mut new: NewMessage, order: DeliveryOrder) -> NewMessage {
    for target in &mut new.targets {
        target.order = order;
    }
    new
}

/// A delivery of a message that was just accepted.
pub(crate) const fn fresh(endpoint: u64, message: u64) -> Delivery {
    Delivery::first(delivery_id(endpoint, message), application_id(1))
}

pub(crate) fn claim() -> Claim {
    claim_at(NOW)
}

pub(crate) fn claim_at(now: Timestamp) -> Claim {
    Claim {
        now,
        lease_until: now + Duration::from_millis(LEASE),
        limit: 100,
        per_endpoint: 100,
        capacities: HashMap::new(),
        shard: Shard::WHOLE,
    }
}

/// Endpoint, message and attempt number of the claimed deliveries, in order.
pub(crate) fn numbers(claimed: &ClaimedBatch) -> Vec<(u64, u64, u16)> {
    claimed
        .deliveries
        .iter()
        .map(|(delivery, message)| {
            assert_eq!(delivery.id.message, message.id);
            let endpoint = delivery.id.endpoint.sequence() & 0xfff;
            (endpoint, message.id.millis() - START, delivery.attempt)
        })
        .collect()
}

pub(crate) async fn claimed(store: &dyn Store, claim: Claim) -> Vec<(u64, u64, u16)> {
    numbers(&store.claim(claim).await.unwrap())
}

pub(crate) fn attempt(number: u64, delivery: Delivery, status: u16) -> Attempt {
    Attempt {
        id: attempt_id(number),
        delivery: delivery.id,
        number: delivery.attempt,
        trigger: delivery.trigger,
        at: at(200_000 + number),
        duration: Duration::from_millis(12),
        url: "https://example.com/1".to_owned(),
        address: Some("127.0.0.1:443".parse().unwrap()),
        outcome: match status {
            0 => Outcome::Unanswered(Failure::Timeout),
            _ => Outcome::Answered { status, retry_after: None },
        },
        response: Some(Response {
            headers: vec![("server".to_owned(), "test".to_owned())],
            body: Bytes::from_static(b"fine"),
        }),
    }
}

pub(crate) fn settlement(
    number: u64,
    delivery: Delivery,
    status: u16,
    verdict: Verdict,
) -> Settlement {
    let attempt = attempt(number, delivery, status);
    Settlement { delivery, attempt, verdict, failing_since: None }
}

pub(crate) async fn settle(store: &dyn Store, settlements: Vec<Settlement>) {
    let batch = SettleBatch { settlements, messages: Vec::new() };
    store.settle(Arc::new(batch)).await.unwrap();
}

pub(crate) async fn deliver(store: &dyn Store, number: u64, delivery: Delivery) {
    settle(store, vec![settlement(number, delivery, 200, Verdict::Delivered)]).await;
}

pub(crate) async fn fail(store: &dyn Store, number: u64, delivery: Delivery) {
    let verdict = Verdict::GiveUp(Reason::Exhausted);
    settle(store, vec![settlement(number, delivery, 500, verdict)]).await;
}

pub(crate) const fn all<K>() -> Scan<K> {
    Scan { after: None, ascending: true, limit: 100 }
}

/// The deliveries of an endpoint of application 1: their message, status and number of attempts.
pub(crate) async fn delivery_states(
    store: &dyn Store,
    endpoint: u64,
) -> Vec<(u64, StatusKind, u16)> {
    let of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(endpoint));
    let ScanPage { items, resume } =
        store.deliveries(of, DeliveryFilter::default(), all()).await.unwrap();
    assert_eq!(resume, None);
    items
        .iter()
        .map(|row| (row.id.message.millis() - START, StatusKind::from(row.status), row.attempts))
        .collect()
}

/// Creates the sources with these numbers.
pub(crate) async fn create_sources(store: &dyn Store, numbers: RangeInclusive<u64>) {
    for number in numbers {
        store.save(&source(number), Expected::New).await.unwrap();
    }
}

/// The stored source with this number.
pub(crate) async fn stored_source(store: &dyn Store, number: u64) -> Option<Source> {
    store.get::<Source>(&organization(), &IdOrUid::Id(source_id(number))).await.unwrap()
}

/// The stored message of application 1 with this number.
pub(crate) async fn stored_message(store: &dyn Store, number: u64) -> Option<Message> {
    store.message(application_id(1), &IdOrUid::Id(message_id(number))).await.unwrap()
}

/// The numbers of the stored rejections of a source.
pub(crate) async fn rejection_numbers(store: &dyn Store, source: u64) -> Vec<u64> {
    let everything = Scan { limit: 2 * MAX_REJECTIONS, ..all() };
    let found = store.rejections(source_id(source), everything).await.unwrap();
    found.items.iter().map(|it| it.id.millis() - START).collect()
}

/// Removes everything that has expired.
pub(crate) async fn expire(store: &dyn Store, now: Timestamp, retention: Retention) {
    while store.expire(now, retention).await.unwrap() {}
}

/// A recovery of the deliveries of endpoint 1 that failed in this interval.
pub(crate) fn recovery(since: u64, until: u64) -> Recovery {
    Recovery {
        id: TaskId::from_parts(1, 1),
        application: application_id(1),
        endpoint: endpoint_id(1),
        since: at(since),
        until: at(until),
        mode: ResendMode::Once,
    }
}

/// The embedded store of this folder, with default options.
pub(crate) fn open_embedded(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, &Options::default()).unwrap()
}

/// The error and its causes.
pub(crate) fn error_chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[track_caller]
pub(crate) fn assert_conflict<T: Debug>(result: Result<T, StoreError>, expected: &str) {
    match result {
        Err(StoreError::Conflict { what }) => assert_eq!(what, expected),
        other => panic!("expected a conflict over {expected}, got {other:?}"),
    }
}
