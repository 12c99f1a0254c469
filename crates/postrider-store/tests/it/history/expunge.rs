//! The promises of `History` about expunging: payloads and responses are removed.

use postrider_core::message::Message;
use postrider_store::{ResendMode, StatusKind};

use crate::{fixture, fixture::*, store_tests};

store_tests! {
    async fn an_expunged_message_has_no_body_and_no_deliveries(store) {
        store.append(vec![leased(1, &[1, 2]), free(2, &[1])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        assert!(store.expunge_message(application_id(1), message_id(1)).await.unwrap());
        assert!(!store.expunge_message(application_id(1), message_id(9)).await.unwrap());
        assert_eq!(stored_message(store, 1).await, Some(Message { body: None, ..message(1) }));
        assert_eq!(claimed(store, claim_at(at(900_000))).await, [(1, 2, 1)]);
        let rows = [(1, StatusKind::Delivered, 1), (2, StatusKind::Pending, 0)];
        assert_eq!(delivery_states(store, 1).await, rows);
        assert_eq!(delivery_states(store, 2).await, [(1, StatusKind::Cancelled, 0)]);
        let again = store.resend(application_id(1), delivery_id(1, 1), NOW, ResendMode::Once).await.unwrap();
        assert!(!again);
    }

    async fn an_expunged_attempt_has_no_response(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        assert!(!store.expunge_attempt(application_id(1), message_id(2), attempt_id(1)).await.unwrap());
        assert!(store.expunge_attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap());
        let found = store.attempt(application_id(1), message_id(1), attempt_id(1)).await.unwrap().unwrap();
        assert_eq!(found.response, None);
    }
}
