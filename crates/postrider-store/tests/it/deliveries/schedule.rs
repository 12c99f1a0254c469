//! The promises about messages whose first attempts are made later.

use std::{sync::Arc, time::Duration};

use postrider_core::{
    message::Message,
    time::Timestamp,
    trace::{SpanId, TraceContext, TraceId},
};
use postrider_store::{Change, Changed, Claim, Hold, IdOrUid, MessageFilter, Retention, Store};

use crate::{fixture, fixture::*, store_tests};

const HOUR: u64 = 60 * 60 * 1_000;

fn at_hour(hours: u64) -> Timestamp {
    at(hours * HOUR)
}

fn scheduled(number: u64, endpoints: &[u64], hours: u64) -> postrider_store::NewMessage {
    let deliver_at = at_hour(hours);
    let message = Message {
        deliver_at: Some(deliver_at),
        body_until: deliver_at + Duration::from_millis(HOUR),
        ..message(number)
    };
    new(message, endpoints, Hold::Free(deliver_at))
}

async fn reschedule(store: &dyn Store, number: u64, hours: u64, entry: u64) -> bool {
    let change = Change::Reschedule {
        application: application_id(1),
        message: message_id(number),
        deliver_at: at_hour(hours),
        body_until: at_hour(hours + 1),
    };
    store.change(change, audit_entry(entry)).await.unwrap() == Changed::Done(true)
}

fn claim_at(hours: u64) -> Claim {
    Claim { now: at_hour(hours), lease_until: at_hour(1_000), ..claim() }
}

store_tests! {
    async fn a_message_is_offered_when_it_is_to_be_delivered(store) {
        store.append(vec![scheduled(1, &[1, 2], 5)]).await.unwrap();
        let before = store.claim(claim_at(4)).await.unwrap();
        assert!(before.deliveries.is_empty());
        assert_eq!(before.next_due, Some(at_hour(5)));
        assert_eq!(claimed(store, claim_at(5)).await, [(1, 1, 1), (2, 1, 1)]);
    }

    async fn a_message_can_be_delivered_earlier_or_later(store) {
        store.append(vec![scheduled(1, &[1, 2], 5), scheduled(2, &[1], 6)]).await.unwrap();
        assert!(reschedule(store, 1, 9, 1).await);
        assert!(reschedule(store, 2, 2, 2).await);
        assert_eq!(claimed(store, claim_at(8)).await, [(1, 2, 1)]);
        assert_eq!(claimed(store, claim_at(9)).await, [(1, 1, 1), (2, 1, 1)]);
        let found = store.message(application_id(1), &IdOrUid::Id(message_id(1))).await.unwrap();
        let found = found.unwrap();
        assert_eq!((found.deliver_at, found.body_until), (Some(at_hour(9)), at_hour(10)));
        assert_eq!(found.body, message(1).body);
    }

    async fn a_message_keeps_its_trace_context(store) {
        let context = TraceContext::new(TraceId([1; 16]), SpanId([2; 8]), true);
        let context = Some(Box::new(TraceContext { state: "shop=1".to_owned(), ..context }));
        let mut traced = scheduled(1, &[1], 5);
        Arc::make_mut(&mut traced.message).trace.clone_from(&context);
        store.append(vec![traced, scheduled(2, &[1], 5)]).await.unwrap();
        let trace = async |number| {
            let id = IdOrUid::Id(message_id(number));
            store.message(application_id(1), &id).await.unwrap().unwrap().trace
        };
        assert_eq!((trace(1).await, trace(2).await), (context.clone(), None));
        assert!(reschedule(store, 1, 6, 1).await && reschedule(store, 2, 6, 2).await);
        assert_eq!((trace(1).await, trace(2).await), (context.clone(), None));
        let claimed = store.claim(claim_at(6)).await.unwrap();
        let claimed: Vec<_> =
            claimed.deliveries.iter().map(|(_, message)| message.trace.clone()).collect();
        assert!(claimed.contains(&context) && claimed.contains(&None), "{claimed:?}");
    }

    async fn only_first_attempts_that_nobody_makes_are_moved(store) {
        store.append(vec![scheduled(1, &[1], 1), leased(2, &[1]), free(3, &[])]).await.unwrap();
        for number in [2, 3, 4] {
            assert!(!reschedule(store, number, 9, number).await, "{number}");
        }
        assert!(claimed(store, claim_at(1)).await.contains(&(1, 1, 1)));
        assert!(!reschedule(store, 1, 9, 5).await);
        let other = Change::Reschedule {
            application: application_id(2),
            message: message_id(1),
            deliver_at: at_hour(9),
            body_until: at_hour(9),
        };
        assert_eq!(store.change(other, audit_entry(6)).await.unwrap(), Changed::Done(false));
        let found = store.message(application_id(1), &IdOrUid::Id(message_id(1))).await.unwrap();
        assert_eq!(found.unwrap().deliver_at, Some(at_hour(1)));
    }

    async fn a_cancelled_message_is_not_offered(store) {
        store.append(vec![scheduled(1, &[1, 2], 5)]).await.unwrap();
        let cancel = Change::CancelMessage(application_id(1), message_id(1));
        assert_eq!(store.change(cancel.clone(), audit_entry(1)).await.unwrap(), Changed::Done(true));
        assert_eq!(store.change(cancel, audit_entry(2)).await.unwrap(), Changed::Done(false));
        assert!(!reschedule(store, 1, 9, 3).await);
        assert!(claimed(store, claim_at(5)).await.is_empty());
        let found = store.message(application_id(1), &IdOrUid::Id(message_id(1))).await.unwrap();
        assert!(found.unwrap().body.is_some());
    }

    async fn a_message_keeps_its_body_until_its_new_time(store) {
        store.append(vec![scheduled(1, &[1], 5), scheduled(2, &[1], 5)]).await.unwrap();
        assert!(reschedule(store, 1, 50, 1).await);
        assert!(reschedule(store, 2, 1, 2).await);
        // A pending delivery keeps its message beyond this.
        let retention = Retention { rows: Duration::from_millis(HOUR), ..ONE_DAY };
        while store.expire(at_hour(20), retention).await.unwrap() {}
        assert_eq!(claimed(store, claim_at(20)).await, []);
        while store.expire(at_hour(49), retention).await.unwrap() {}
        assert_eq!(claimed(store, claim_at(50)).await, [(1, 1, 1)]);
    }

    async fn messages_that_are_still_to_be_delivered_are_listed(store) {
        let batch = vec![scheduled(1, &[1], 5), free(2, &[1]), scheduled(3, &[1], 7)];
        store.append(batch).await.unwrap();
        let listed = async |hours: u64| {
            let filter = MessageFilter { scheduled_after: Some(at_hour(hours)), ..MessageFilter::default() };
            let found = store.messages(application_id(1), filter, all()).await.unwrap();
            found.items.iter().map(|it| it.id).collect::<Vec<_>>()
        };
        assert_eq!(listed(1).await, [1, 3].map(message_id));
        assert_eq!(listed(5).await, [3].map(message_id));
        assert!(reschedule(store, 1, 8, 1).await);
        assert_eq!(listed(7).await, [1].map(message_id));
    }
}
