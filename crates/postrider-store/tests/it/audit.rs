//! The promises of `AuditLog`.

use postrider::AuditId;
use postrider_core::{
    audit::AuditEntry,
    catalog::{Application, Endpoint},
};
use postrider_store::{
    AuditFilter, BatchedChange, Change, Changed, Expected, IdOrUid, RecordKind, RecordRow, Records,
    ResendMode, Retention, Scan, Store, StoreError, Version,
};

use crate::{fixture, fixture::*, store_tests};

async fn log(store: &dyn Store) -> Vec<AuditEntry> {
    list(store, AuditFilter::default()).await
}

async fn list(store: &dyn Store, filter: AuditFilter) -> Vec<AuditEntry> {
    store.audit_log(&organization(), filter, all()).await.unwrap().items
}

async fn write(store: &dyn Store, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        store.change(Change::Elsewhere, audit_entry(number)).await.unwrap();
    }
}

store_tests! {
    async fn a_change_and_its_entry_are_written_together(store) {
        let new = application(7);
        store.save_audited(&new, Expected::New, audit_entry(1)).await.unwrap();
        let found = store.find::<Application>(new.id).await.unwrap();
        assert_eq!(found, Some(new.clone()));
        assert_eq!(log(store).await, [audit_entry(1)]);
        let removed = store.remove_audited::<Application>(&organization(), &new.id, audit_entry(2)).await;
        assert!(removed.unwrap());
        assert_eq!(log(store).await, [audit_entry(1), audit_entry(2)]);
    }

    async fn a_change_that_fails_or_has_no_effect_writes_no_entry(store) {
        let taken = store.save_audited(&endpoint(1), Expected::New, audit_entry(1)).await;
        assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
        let unknown = store.remove_audited::<Endpoint>(&application_id(1), &endpoint_id(99), audit_entry(2)).await;
        assert!(!unknown.unwrap());
        let (application, delivery) = (application_id(1), delivery_id(1, 99));
        let resend = Change::Resend { application, delivery, at: at(0), mode: ResendMode::Once };
        assert_eq!(store.change(resend, audit_entry(3)).await.unwrap(), Changed::Done(false));
        assert_eq!(log(store).await, []);
        // The store is usable after that.
        write(store, [4]).await;
        assert_eq!(log(store).await, [audit_entry(4)]);
    }

    async fn several_changes_are_made_together_or_not_at_all(store) {
        let save = |record: &Application, expected| Change::SaveRecord(RecordRow::of(record).unwrap(), expected);
        let batched = |change, number: u64| BatchedChange { change, entry: Some(audit_entry(number)) };
        let remove = || Change::RemoveRecord(RecordKind::Endpoint, application_id(1).into(), endpoint_id(1).into());
        let (first, second) = (application(7), application(8));
        let wrong = vec![
            batched(save(&first, Expected::New), 1),
            batched(remove(), 2),
            batched(save(&second, Expected::Version(Version(3))), 3),
        ];
        let refused = store.change_all(wrong).await;
        assert!(matches!(refused, Err(StoreError::VersionMismatch { .. })), "{refused:?}");
        let same_uid = Application { uid: first.uid.clone().or(Some("u".parse().unwrap())), ..second.clone() };
        let taken = Application { uid: same_uid.uid.clone(), ..first.clone() };
        let wrong = vec![batched(save(&taken, Expected::New), 4), batched(save(&same_uid, Expected::New), 5)];
        let refused = store.change_all(wrong).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        assert_eq!(store.find::<Application>(first.id).await.unwrap(), None);
        let kept = store.get::<Endpoint>(&application_id(1), &IdOrUid::Id(endpoint_id(1))).await.unwrap();
        assert!(kept.is_some());
        assert_eq!(log(store).await, []);

        let right = vec![
            batched(save(&first, Expected::New), 6),
            BatchedChange { change: save(&second, Expected::New), entry: None },
            batched(remove(), 7),
        ];
        let done = store.change_all(right).await.unwrap();
        assert_eq!(done, [Changed::Saved(Version(1)), Changed::Saved(Version(1)), Changed::Done(true)]);
        assert_eq!(store.find::<Application>(second.id).await.unwrap(), Some(second));
        assert_eq!(log(store).await, [6, 7].map(audit_entry));
    }

    async fn every_kind_of_change_is_recorded(store) {
        store.append(vec![free(1, &[1, 2])]).await.unwrap();
        let (application, message) = (application_id(1), message_id(1));
        let resend = Change::Resend { application, delivery: delivery_id(1, 1), at: at(0), mode: ResendMode::Once };
        assert_eq!(store.change(resend, audit_entry(1)).await.unwrap(), Changed::Done(true));
        let expunge = Change::ExpungeMessage(application, message);
        assert_eq!(store.change(expunge, audit_entry(4)).await.unwrap(), Changed::Done(true));
        let found = store.message(application, &IdOrUid::Id(message)).await.unwrap().unwrap();
        assert_eq!(found.body, None);
        let unknown = Change::ExpungeAttempt(application, message, attempt_id(1));
        assert_eq!(store.change(unknown, audit_entry(5)).await.unwrap(), Changed::Done(false));
        assert_eq!(log(store).await, [1, 4].map(audit_entry));
    }

    async fn removing_a_busy_endpoint_is_recorded(store) {
        store.append(vec![free(1, &[1])]).await.unwrap();
        let removed = store.remove_audited::<Endpoint>(&application_id(1), &endpoint_id(1), audit_entry(1)).await;
        assert!(removed.unwrap());
        assert_eq!(log(store).await, [audit_entry(1)]);
    }

    async fn entries_are_filtered(store) {
        write(store, 0..60).await;
        let numbers = async |filter| {
            list(store, filter).await.iter().map(|it| it.id.sequence() >> 12).map(|at| at - START).collect::<Vec<_>>()
        };
        let by_record = AuditFilter { record: Some(endpoint_id(4).to_string()), ..AuditFilter::default() };
        assert_eq!(numbers(by_record.clone()).await, (0..60).filter(|it| it % 5 == 4).collect::<Vec<_>>());
        let by_principal = AuditFilter { principal: Some("key_1".to_owned()), ..AuditFilter::default() };
        assert_eq!(numbers(by_principal.clone()).await, (0..60).filter(|it| it % 2 == 1).collect::<Vec<_>>());
        let by_operation = AuditFilter { operation: Some("v1.endpoint.2".to_owned()), ..AuditFilter::default() };
        assert_eq!(numbers(by_operation.clone()).await, (0..60).filter(|it| it % 3 == 2).collect::<Vec<_>>());
        let all_of_them = AuditFilter {
            record: by_record.record, principal: by_principal.principal, operation: by_operation.operation,
            after: Some(at(10)), before: Some(at(59)),
        };
        assert_eq!(numbers(all_of_them).await, [29]);
        let within = AuditFilter { after: Some(at(10)), before: Some(at(13)), ..AuditFilter::default() };
        assert_eq!(numbers(within).await, [10, 11, 12]);
        let other = store.audit_log(&"org_other".parse().unwrap(), AuditFilter::default(), all()).await;
        assert_eq!(other.unwrap().items, []);
    }

    async fn entries_page_both_ways(store) {
        write(store, 0..5).await;
        let list = async |after: Option<AuditId>, ascending| {
            let scan = Scan { after, ascending, limit: 2 };
            store.audit_log(&organization(), AuditFilter::default(), scan).await.unwrap()
        };
        let first = list(None, false).await;
        assert_eq!(first.items, [4, 3].map(audit_entry));
        let second = list(first.resume, false).await;
        assert_eq!(second.items, [2, 1].map(audit_entry));
        let third = list(second.resume, false).await;
        assert_eq!((third.items, third.resume), (vec![audit_entry(0)], None));
        let first = list(None, true).await;
        assert_eq!(first.items, [0, 1].map(audit_entry));
        assert_eq!(list(first.resume, true).await.items, [2, 3].map(audit_entry));
    }

    async fn a_filter_that_few_entries_match_ends_a_page_early(store) {
        write(store, 0..1_100).await;
        let filter = AuditFilter {
            record: Some(endpoint_id(1).to_string()), operation: Some("none".to_owned()), ..AuditFilter::default()
        };
        let (mut after, mut pages) = (None, 0);
        loop {
            let scan = Scan { after, ascending: true, limit: 10 };
            let page = store.audit_log(&organization(), filter.clone(), scan).await.unwrap();
            assert_eq!(page.items, []);
            after = page.resume;
            pages += 1;
            if after.is_none() {
                break;
            }
        }
        assert!(pages <= 3, "{pages}");
    }

    async fn entries_expire(store) {
        write(store, 0..2_500).await;
        expire(store, at(2_399) + DAY, Retention { audit_log: DAY, ..ONE_DAY }).await;
        let page = store.audit_log(&organization(), AuditFilter::default(), all()).await.unwrap();
        assert_eq!((page.items.first(), page.items.len()), (Some(&audit_entry(2_400)), 100));
    }
}
