//! The promises of `Catalog` about the reports on payloads.

use postrider_core::{
    catalog::EventType,
    schema_report::{Findings, SchemaReport},
    time::Timestamp,
};
use postrider_store::{Expected, IdOrUid, Records as _, StoreError, Version};

use crate::{
    fixture::{self, all, event_type, organization},
    store_tests,
};

fn report(name: &str, valid: u64) -> SchemaReport {
    SchemaReport {
        organization: organization(),
        event_type: name.parse().unwrap(),
        since: Timestamp::from_millis(5),
        findings: Findings { valid, ..Findings::default() },
    }
}

store_tests! {
    async fn a_report_is_changed_by_one_node_at_a_time(store) {
        assert_eq!(store.save(&report("a", 1), Expected::New).await.unwrap(), Version(1));
        store.save(&report("b", 2), Expected::New).await.unwrap();
        store.save(&report("a", 3), Expected::Version(Version(1))).await.unwrap();
        let late = store.save(&report("a", 4), Expected::Version(Version(1))).await;
        assert!(matches!(late, Err(StoreError::VersionMismatch { .. })), "{late:?}");
        let found = store.list::<SchemaReport>(&organization(), all()).await.unwrap().items;
        assert_eq!(found, [report("a", 3), report("b", 2)]);
    }

    async fn a_report_is_removed_with_its_event_type(store) {
        let it = event_type("a");
        store.save(&it, Expected::New).await.unwrap();
        store.save(&report("a", 1), Expected::New).await.unwrap();
        store.save(&report("b", 1), Expected::New).await.unwrap();
        assert!(store.remove::<EventType>(&organization(), &it.name).await.unwrap());
        for (name, expected) in [("a", None), ("b", Some(report("b", 1)))] {
            let key = IdOrUid::Id(name.parse().unwrap());
            let found = store.get::<SchemaReport>(&organization(), &key).await.unwrap();
            assert_eq!(found, expected);
        }
    }
}
