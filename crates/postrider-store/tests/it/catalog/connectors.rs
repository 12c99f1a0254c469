//! The promises of `Catalog` about connectors.

use postrider_core::catalog::Connector;
use postrider_store::{Expected, IdOrUid, Records as _, Version};

use crate::{
    fixture::{self, all, assert_conflict, connector, organization},
    store_tests,
};

store_tests! {
    async fn a_saved_connector_is_read_back_unchanged(store) {
        let it = connector(1);
        assert_eq!(store.save(&it, Expected::New).await.unwrap(), Version(1));
        for key in [IdOrUid::Id(it.id), IdOrUid::Uid("c1".parse().unwrap())] {
            let found = store.get::<Connector>(&organization(), &key).await.unwrap();
            assert_eq!(found.as_ref(), Some(&it));
        }
        let bare = Connector { uid: None, logo: None, options: None, ..it };
        let saved = store.save(&bare, Expected::Version(Version(1))).await.unwrap();
        assert_eq!(saved, Version(2));
        let found = store.list::<Connector>(&organization(), all()).await.unwrap().items;
        assert_eq!(found, [bare]);
    }

    async fn uids_of_connectors_are_unique_and_free_again_after_a_removal(store) {
        store.save(&connector(1), Expected::New).await.unwrap();
        let other = Connector { uid: connector(1).uid, ..connector(2) };
        assert_conflict(store.save(&other, Expected::New).await, "uid");
        assert!(store.remove::<Connector>(&organization(), &connector(1).id).await.unwrap());
        assert!(!store.remove::<Connector>(&organization(), &connector(1).id).await.unwrap());
        store.save(&other, Expected::New).await.unwrap();
        let found = store.list::<Connector>(&organization(), all()).await.unwrap().items;
        assert_eq!(found, [other]);
    }
}
