//! The promises of `Rejections`.

use bytes::Bytes;
use postrider::RejectionId;
use postrider_core::{
    catalog::Source,
    message::{MAX_REJECTED_BODY, Rejection},
};
use postrider_store::{Expected, MAX_REJECTIONS, Records, Retention, Scan};

use crate::{fixture, fixture::*, store_tests};

store_tests! {
    async fn a_rejection_is_read_back_unchanged(store) {
        create_sources(store, 1..=1).await;
        let large = Rejection {
            body: Bytes::from(vec![0x80; MAX_REJECTED_BODY]),
            headers: Vec::new(),
            reason: String::new(),
            duplicate_of: Some(message_id(7)),
            ..rejection(2, 1)
        };
        let both = vec![rejection(1, 1), large];
        store.reject(both.clone()).await.unwrap();
        assert_eq!(store.rejections(source_id(1), all()).await.unwrap().items, both);
        // The same once more adds nothing.
        store.reject(both.clone()).await.unwrap();
        assert_eq!(store.rejections(source_id(1), all()).await.unwrap().items, both);
    }

    async fn rejections_page_both_ways(store) {
        create_sources(store, 1..=2).await;
        store.reject(vec![rejection(3, 1), rejection(1, 1), rejection(9, 2), rejection(2, 1)]).await.unwrap();
        let page = |after: Option<RejectionId>, ascending| Scan { after, ascending, limit: 2 };
        let list = async |scan| store.rejections(source_id(1), scan).await.unwrap();
        let first = list(page(None, false)).await;
        assert_eq!(first.items, [rejection(3, 1), rejection(2, 1)]);
        let second = list(page(first.resume, false)).await;
        assert_eq!((second.items, second.resume), (vec![rejection(1, 1)], None));
        let first = list(page(None, true)).await;
        assert_eq!(first.items, [rejection(1, 1), rejection(2, 1)]);
        let second = list(page(first.resume, true)).await;
        assert_eq!((second.items, second.resume), (vec![rejection(3, 1)], None));
    }

    async fn rejections_of_all_sources_of_an_organization_are_listed_by_time(store) {
        create_sources(store, 1..=2).await;
        let foreign = Source { organization: "org_other".parse().unwrap(), ..source(3) };
        store.save(&foreign, Expected::New).await.unwrap();
        let all_of_them = [(1, 1), (2, 2), (3, 3), (4, 1), (5, 2), (6, 3)];
        store.reject(all_of_them.iter().map(|&(number, source)| rejection(number, source)).collect()).await.unwrap();
        let page = |after: Option<RejectionId>, ascending| Scan { after, ascending, limit: 3 };
        let list = async |scan| store.rejections_of(&organization(), scan).await.unwrap();
        let first = list(page(None, false)).await;
        assert_eq!(first.items, [rejection(5, 2), rejection(4, 1), rejection(2, 2)]);
        let second = list(page(first.resume, false)).await;
        assert_eq!((second.items, second.resume), (vec![rejection(1, 1)], None));
        let first = list(page(None, true)).await;
        assert_eq!(first.items, [rejection(1, 1), rejection(2, 2), rejection(4, 1)]);
        let second = list(page(first.resume, true)).await;
        assert_eq!((second.items, second.resume), (vec![rejection(5, 2)], None));
        let none = "org_none".parse().unwrap();
        let found = store.rejections_of(&none, page(None, false)).await.unwrap();
        assert_eq!((found.items, found.resume), (vec![], None));
    }

    async fn rejections_of_unknown_sources_are_ignored(store) {
        create_sources(store, 1..=1).await;
        store.reject(Vec::new()).await.unwrap();
        store.reject(vec![rejection(1, 2), rejection(2, 1), rejection(3, 3)]).await.unwrap();
        assert_eq!((rejection_numbers(store, 1).await, rejection_numbers(store, 2).await), (vec![2], vec![]));
    }

    async fn only_the_newest_rejections_of_a_source_are_kept(store) {
        create_sources(store, 1..=2).await;
        let most = MAX_REJECTIONS as u64;
        store.reject(vec![rejection(0, 2)]).await.unwrap();
        store.reject((1..most).map(|it| rejection(it, 1)).collect()).await.unwrap();
        assert_eq!(rejection_numbers(store, 1).await.len(), MAX_REJECTIONS - 1);
        store.reject((most..=most + 9).map(|it| rejection(it, 1)).collect()).await.unwrap();
        assert_eq!(rejection_numbers(store, 1).await, (10..=most + 9).collect::<Vec<_>>());
        // More at once than are kept.
        let flood = (2 * most..=4 * most).map(|it| rejection(it, 1));
        store.reject(flood.collect()).await.unwrap();
        assert_eq!(rejection_numbers(store, 1).await, (3 * most + 1..=4 * most).collect::<Vec<_>>());
        // One that comes late is older than what is kept.
        store.reject(vec![rejection(5, 1)]).await.unwrap();
        assert_eq!(rejection_numbers(store, 1).await.len(), MAX_REJECTIONS);
        assert_eq!(rejection_numbers(store, 2).await, [0]);
    }

    async fn rejections_expire(store) {
        create_sources(store, 1..=2).await;
        let retention = Retention { rows: 30 * DAY, idempotency: DAY, digests: 30 * DAY, rejections: DAY, audit_log: DAY };
        store.reject((0..350).map(|it| rejection(it, 1 + it % 2)).collect()).await.unwrap();
        expire(store, at(299) + DAY, retention).await;
        let (first, second) = (rejection_numbers(store, 1).await, rejection_numbers(store, 2).await);
        assert_eq!((first.first(), first.len()), (Some(&300), 25));
        assert_eq!((second.first(), second.len()), (Some(&301), 25));
        expire(store, at(100_000) + DAY, retention).await;
        assert_eq!((rejection_numbers(store, 1).await, rejection_numbers(store, 2).await), (vec![], vec![]));
        assert!(stored_source(store, 1).await.is_some());
    }
}
