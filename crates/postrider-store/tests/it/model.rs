//! Random calls: the embedded and the PostgreSQL store return the same results as the memory store,
//! also if they are closed and opened in between.

use std::{collections::HashMap, fs, path::Path, sync::Arc, time::Duration};

use postrider::{RejectionId, TaskId};
use postrider_core::{
    catalog::{Endpoint, Recovery, Source},
    delivery::{Delivery, Settlement, Trigger},
    message::{Message, Rejection},
    pace::Pace,
    retry::{Reason, Verdict},
    statistics::{Period, Resolution, StatisticsRetention, Subject},
    time::Timestamp,
};
use postrider_store::{
    AttemptFilter, AttemptsOf, Claim, Deliveries, DeliveriesOf, DeliveryFilter, DeliveryOrder,
    EmbeddedStore, Expected, Hold, IdOrUid, Maintenance, MemoryStore, MessageFilter, NewMessage,
    Options, Records, ResendMode, Scan, Scope, SettleBatch, Shard, Store,
};
use proptest::prelude::*;

use crate::{fixture::*, later::upgrade_schema, schema::Schema};

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Append {
        message: u64,
        endpoints: Vec<u64>,
        place: (Hold, DeliveryOrder),
        event_id: bool,
        digest: bool,
    },
    Claim {
        now: u64,
        limit: usize,
        per_endpoint: usize,
        capacity: Option<(u64, usize)>,
    },
    Settle(Vec<(HeldDelivery, u16, Verdict)>),
    Release(HeldDelivery, u64),
    Resend {
        endpoint: u64,
        message: u64,
        at: u64,
        mode: ResendMode,
    },
    Recover {
        endpoint: u64,
        since: u64,
        limit: usize,
        mode: ResendMode,
    },
    Cancel(Scope),
    Expunge(u64),
    Remove(u64),
    Restore(u64),
    Disable(u64),
    Source(SourceCall),
    Reopen,
}

#[derive(Clone, Debug)]
pub(crate) enum SourceCall {
    Save {
        source: u64,
        uid: bool,
        token: u64,
        create: bool,
    },
    Remove(u64),
    /// Rejections with their sources.
    Reject(Vec<(u64, u64)>),
}

/// A delivery that a caller settles or releases, whether it holds it or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldDelivery {
    endpoint: u64,
    message: u64,
    attempt: u16,
    manual: bool,
}

impl HeldDelivery {
    fn delivery(self) -> Delivery {
        let trigger = if self.manual { Trigger::Manual } else { Trigger::Scheduled };
        Delivery { attempt: self.attempt, trigger, ..fresh(self.endpoint, self.message) }
    }
}

const MESSAGES: std::ops::Range<u64> = 1..9;
const ENDPOINTS: std::ops::Range<u64> = 1..4;
const SOURCES: std::ops::Range<u64> = 1..4;

fn time() -> impl Strategy<Value = u64> {
    (0_u64..12).prop_map(|step| step * 10_000)
}

fn held_delivery() -> impl Strategy<Value = HeldDelivery> {
    (ENDPOINTS, MESSAGES, 1_u16..4, any::<bool>()).prop_map(
        |(endpoint, message, attempt, manual)| HeldDelivery { endpoint, message, attempt, manual },
    )
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Delivered),
        Just(Verdict::GiveUp(Reason::Exhausted)),
        time().prop_map(|it| Verdict::RetryAt(at(it))),
    ]
}

fn append() -> impl Strategy<Value = Call> {
    let order = prop::sample::select(vec![
        DeliveryOrder::Any,
        DeliveryOrder::Owned,
        DeliveryOrder::InOrder,
    ]);
    let place = prop_oneof![
        time().prop_map(|it| (Hold::Leased(at(it)), DeliveryOrder::Any)),
        (time(), order).prop_map(|(it, order)| (Hold::Free(at(it)), order)),
    ];
    let endpoints = prop::sample::subsequence(vec![1, 2, 3], 0..=3);
    let unique = prop::bool::weighted(0.1);
    (MESSAGES, endpoints, place, unique, prop::bool::weighted(0.1)).prop_map(
        |(message, endpoints, place, event_id, digest)| Call::Append {
            message,
            endpoints,
            place,
            event_id,
            digest,
        },
    )
}

fn source_call() -> impl Strategy<Value = SourceCall> {
    let save = (SOURCES, prop::bool::weighted(0.3), 1_u64..5, any::<bool>())
        .prop_map(|(source, uid, token, create)| SourceCall::Save { source, uid, token, create });
    prop_oneof![
        4 => save,
        1 => SOURCES.prop_map(SourceCall::Remove),
        3 => prop::collection::vec((0_u64..20, SOURCES), 0..4).prop_map(SourceCall::Reject),
    ]
}

pub(crate) fn call() -> impl Strategy<Value = Call> {
    let capacity = prop::option::of((ENDPOINTS, 0_usize..3));
    let claim = (time(), 0_usize..5, 0_usize..4, capacity).prop_map(
        |(now, limit, per_endpoint, capacity)| Call::Claim { now, limit, per_endpoint, capacity },
    );
    let settlement = (held_delivery(), prop::sample::select(vec![200_u16, 404, 500, 0]), verdict());
    let scope = prop_oneof![
        Just(Scope::Application(application_id(1))),
        ENDPOINTS.prop_map(|it| Scope::Endpoint(application_id(1), endpoint_id(it))),
        MESSAGES.prop_map(|it| Scope::Message(application_id(1), message_id(it))),
    ];
    let mode = || prop::sample::select(vec![ResendMode::Once, ResendMode::Retry]);
    let resend = (ENDPOINTS, MESSAGES, time(), mode())
        .prop_map(|(endpoint, message, at, mode)| Call::Resend { endpoint, message, at, mode });
    let recover = (ENDPOINTS, 0_u64..9, 1_usize..4, mode())
        .prop_map(|(endpoint, since, limit, mode)| Call::Recover { endpoint, since, limit, mode });
    prop_oneof![
        6 => append(),
        6 => claim,
        8 => prop::collection::vec(settlement, 1..4).prop_map(Call::Settle),
        2 => (held_delivery(), time()).prop_map(|(it, at)| Call::Release(it, at)),
        2 => resend,
        2 => recover,
        1 => scope.prop_map(Call::Cancel),
        1 => MESSAGES.prop_map(Call::Expunge),
        1 => ENDPOINTS.prop_map(Call::Remove),
        2 => ENDPOINTS.prop_map(Call::Restore),
        1 => ENDPOINTS.prop_map(Call::Disable),
        4 => source_call().prop_map(Call::Source),
        1 => Just(Call::Reopen),
    ]
}

/// Makes the call and returns the result as text.
pub(crate) async fn make_call(store: &dyn Store, number: u64, call: &Call) -> String {
    match call {
        Call::Append { message: it, endpoints, place: (hold, order), event_id, digest } => {
            let event_id = event_id.then(|| "e".parse().unwrap());
            let message = Message { event_id, ..message(*it) };
            let new = with_order(new(message, endpoints, *hold), *order);
            let new = NewMessage { idempotency: digest.then_some([7; 32]), ..new };
            format!("{:?}", store.append(vec![new]).await.unwrap())
        },
        Call::Claim { now, limit, per_endpoint, capacity } => {
            let capacities =
                capacity.iter().map(|&(it, capacity)| (endpoint_id(it), capacity)).collect();
            let claim = Claim {
                now: at(*now),
                lease_until: at(now + 25_000),
                limit: *limit,
                per_endpoint: *per_endpoint,
                capacities,
                shard: Shard::WHOLE,
            };
            format!("{:?}", store.claim(claim).await.unwrap())
        },
        Call::Settle(settled) => {
            let settlements =
                settled.iter().zip(0..).map(|(&(held_delivery, status, verdict), it)| {
                    let delivery = held_delivery.delivery();
                    let failing = (status == 500).then_some(Some(at(number)));
                    let settlement = settlement(number * 10 + it, delivery, status, verdict);
                    Settlement { failing_since: failing, ..settlement }
                });
            let batch = SettleBatch { settlements: settlements.collect(), messages: Vec::new() };
            format!("{:?}", store.settle(Arc::new(batch)).await)
        },
        Call::Release(held_delivery, until) => {
            format!("{:?}", store.release(vec![(held_delivery.delivery(), at(*until))]).await)
        },
        Call::Resend { endpoint, message, at: due, mode } => {
            let id = delivery_id(*endpoint, *message);
            format!("{:?}", store.resend(application_id(1), id, at(*due), *mode).await)
        },
        Call::Recover { endpoint, since, limit, mode } => {
            let recovery = Recovery {
                id: TaskId::from_parts(number, 1),
                application: application_id(1),
                endpoint: endpoint_id(*endpoint),
                since: at(*since),
                until: at(9),
                mode: *mode,
            };
            store.begin_recovery(recovery).await.unwrap();
            format!("{:?}", store.recover(at(5), *limit).await)
        },
        Call::Cancel(scope) => format!("{:?}", store.cancel(*scope).await),
        Call::Expunge(it) => {
            format!("{:?}", store.expunge_message(application_id(1), message_id(*it)).await)
        },
        Call::Remove(it) => {
            format!("{:?}", store.remove::<Endpoint>(&application_id(1), &endpoint_id(*it)).await)
        },
        Call::Restore(it) => {
            format!("{:?}", store.save(&endpoint(*it), Expected::Any).await)
        },
        Call::Disable(it) => {
            let disabled = Endpoint { disabled: true, ..endpoint(*it) };
            format!("{:?}", store.save(&disabled, Expected::Any).await)
        },
        Call::Source(call) => call_source(store, call).await,
        Call::Reopen => String::new(),
    }
}

async fn call_source(store: &dyn Store, call: &SourceCall) -> String {
    match call {
        SourceCall::Save { source: it, uid, token, create } => {
            let uid = uid.then(|| "u".parse().unwrap());
            let source = Source { uid, token_digest: token_digest(*token), ..source(*it) };
            format!(
                "{:?}",
                store.save(&source, if *create { Expected::New } else { Expected::Any }).await
            )
        },
        SourceCall::Remove(it) => {
            format!("{:?}", store.remove::<Source>(&organization(), &source_id(*it)).await)
        },
        SourceCall::Reject(numbers) => {
            let rejections = numbers.iter().map(|&(number, source)| Rejection {
                id: RejectionId::from_parts(rejection_id(number).sequence(), source),
                ..rejection(number, source)
            });
            format!("{:?}", store.reject(rejections.collect()).await)
        },
    }
}

/// Everything that readers can see and that a copy transfers.
pub(crate) async fn visible_state(store: &dyn Store) -> String {
    let mut seen = Vec::new();
    let application = application_id(1);
    for it in ENDPOINTS {
        let of = DeliveriesOf::Endpoint(application, endpoint_id(it));
        let rows = store.deliveries(of, DeliveryFilter::default(), all()).await.unwrap();
        seen.push(format!("{rows:?}"));
        let stats = store.stats(application_id(1), endpoint_id(it), at(0), at(100)).await.unwrap();
        let of = AttemptsOf::Endpoint(application, endpoint_id(it));
        let attempts = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
        seen.push(format!("{stats:?} {attempts:?}"));
    }
    for it in MESSAGES {
        let of = DeliveriesOf::Message(application, message_id(it));
        let rows = store.deliveries(of, DeliveryFilter::default(), all()).await.unwrap();
        let of = AttemptsOf::Message(application, message_id(it), None);
        let attempts = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
        seen.push(format!("{rows:?} {attempts:?}"));
    }
    let filter = MessageFilter { with_body: true, ..MessageFilter::default() };
    let messages = store.messages(application, filter, all()).await.unwrap();
    let size = store.size().await.unwrap();
    let failing = store.failing(application).await.unwrap();
    seen.push(format!("{messages:?} {} {:?} {failing:?}", size.waiting, size.oldest_due));
    let sources = store.list::<Source>(&organization(), all()).await.unwrap();
    let uid =
        store.get::<Source>(&organization(), &IdOrUid::Uid("u".parse().unwrap())).await.unwrap();
    seen.push(format!("{sources:?} {uid:?}"));
    for token in 1..5 {
        seen.push(format!("{:?}", store.find::<Source>(token_digest(token)).await.unwrap()));
    }
    seen.join("\n")
}

async fn rejections(store: &dyn Store) -> String {
    let mut seen = Vec::new();
    for it in SOURCES {
        let scan = Scan { ascending: false, ..all() };
        seen.push(format!("{:?}", store.rejections(source_id(it), scan).await.unwrap()));
    }
    seen.join("\n")
}

/// What was counted, of everything that the histories touch.
async fn statistics(store: &dyn Store) -> String {
    let mut seen = Vec::new();
    let application = application_id(1);
    for resolution in Resolution::ALL {
        let period = Period { resolution, since: Timestamp::default(), until: NOW + 9 * DAY };
        let of = ENDPOINTS.map(|it| Subject::Endpoint(application, endpoint_id(it)));
        let above = [Subject::Application(application), Subject::Organization(organization())];
        let of = of.chain(above).collect();
        seen.push(format!("{:?}", store.rollups(of, period).await.unwrap()));
    }
    seen.join("\n")
}

/// Opens the store without its index, which is rebuilt a few rows at a time.
fn open_without_index(folder: &Path) -> EmbeddedStore {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        drop(fs::remove_file(folder.join(name)));
    }
    let pace = Pace { size: 2, pause: Duration::ZERO };
    // No batch of statistics is small.
    let options = Options { rebuild_pace: Some(pace), large_batch: 1, ..Options::default() };
    EmbeddedStore::open(folder, &options).unwrap()
}

async fn run(calls: Vec<Call>, open: fn(&Path) -> EmbeddedStore) {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::default();
    let mut embedded = open_embedded(folder.path());
    set_up(&memory).await;
    set_up(&embedded).await;
    for (call, number) in calls.iter().zip(0..) {
        if matches!(call, Call::Reopen) {
            drop(embedded);
            embedded = open(folder.path());
            // The leases of a process end with it, as if all of them had expired.
            memory.claim(expire_leases()).await.unwrap();
        }
        if matches!(call, Call::Recover { .. }) {
            // It has to find everything.
            embedded.index_complete().await.unwrap();
        }
        let expected = make_call(&memory, number, call).await;
        assert_eq!(make_call(&embedded, number, call).await, expected, "{call:?}");
        if number % 8 == 7 {
            embedded.index_complete().await.unwrap();
            compare(&embedded, &memory).await;
        }
    }
    embedded.index_complete().await.unwrap();
    compare(&embedded, &memory).await;
}

/// The same on PostgreSQL, where a node's deliveries are free once the node has closed. Without
/// delivery orders: there the order is that of the commits and not of the ids, and a lane that
/// changes its owner pauses for a moment of real time. And without removals: a claim cancels late
/// deliveries to a removed endpoint as soon as it sees them, which shows only in the
/// next due time.
async fn run_on_postgres(mut calls: Vec<Call>) {
    calls.retain(|call| !matches!(call, Call::Remove(_)));
    for call in &mut calls {
        if let Call::Append { place: (_, order), .. } = call {
            *order = DeliveryOrder::Any;
        }
    }
    let schema = Schema::create().await;
    let memory = MemoryStore::default();
    let mut postgres = schema.open().await;
    set_up(&memory).await;
    set_up(&postgres).await;
    let middle = calls.len() / 2;
    for (call, number) in calls.iter().zip(0..) {
        if number == middle as u64 {
            // By a node of a later version, while this one works.
            upgrade_schema(&schema).await;
        }
        if matches!(call, Call::Reopen) {
            postgres.close().await.unwrap();
            postgres = schema.open().await;
            memory.claim(expire_leases()).await.unwrap();
        }
        let expected = make_call(&memory, number, call).await;
        assert_eq!(make_call(&postgres, number, call).await, expected, "{call:?}");
        if number % 8 == 7 || matches!(call, Call::Reopen) {
            compare(&postgres, &memory).await;
        }
    }
    compare(&postgres, &memory).await;
    postgres.close().await.unwrap();
    schema.remove().await;
}

/// A claim that leases nothing, and before which all leases have expired.
fn expire_leases() -> Claim {
    Claim {
        now: Timestamp::MAX,
        lease_until: Timestamp::MAX,
        limit: 0,
        per_endpoint: 0,
        capacities: HashMap::new(),
        shard: Shard::WHOLE,
    }
}

async fn compare(embedded: &dyn Store, memory: &dyn Store) {
    let (ours, theirs) = (visible_state(embedded).await, visible_state(memory).await);
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(rejections(embedded).await, rejections(memory).await);
    assert_eq!(statistics(embedded).await, statistics(memory).await);
    let now_and_then = StatisticsRetention { minutes: DAY, hours: DAY, days: DAY };
    while embedded.maintain_statistics(at(0), now_and_then).await.unwrap() {}
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn embedded_behaves_like_memory(calls in prop::collection::vec(call(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(calls, open_embedded));
    }

    #[test]
    fn a_rebuilt_index_is_the_one_that_was_lost(calls in prop::collection::vec(call(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(calls, open_without_index));
    }

}

proptest! {
    // Each case creates a schema, which takes time.
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn postgres_behaves_like_memory(calls in prop::collection::vec(call(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run_on_postgres(calls));
    }
}
