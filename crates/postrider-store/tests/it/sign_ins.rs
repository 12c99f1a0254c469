//! The promises of `SignIns`.

use std::time::Duration;

use postrider_store::SignIn;

use crate::{fixture, fixture::*, store_tests};

fn sign_in(subject: &str, created_at: postrider_core::time::Timestamp) -> SignIn {
    SignIn {
        organization: organization(),
        role: "viewer".to_owned(),
        subject: subject.to_owned(),
        name: None,
        created_at,
        expires_at: created_at + Duration::from_secs(60),
    }
}

store_tests! {
    async fn a_session_is_found_until_it_is_ended(store) {
        let (first, second) = (sign_in("a", NOW), sign_in("b", NOW));
        store.begin_sign_in([1; 32], first.clone()).await.unwrap();
        store.begin_sign_in([2; 32], second.clone()).await.unwrap();
        assert_eq!(store.sign_in([1; 32]).await.unwrap(), Some(first));
        assert_eq!(store.sign_in([3; 32]).await.unwrap(), None);
        assert!(store.end_sign_in([1; 32]).await.unwrap());
        assert!(!store.end_sign_in([1; 32]).await.unwrap());
        assert_eq!(store.sign_in([1; 32]).await.unwrap(), None);
        assert_eq!(store.sign_in([2; 32]).await.unwrap(), Some(second));
    }

    async fn expired_sessions_are_removed_when_others_begin(store) {
        store.begin_sign_in([1; 32], sign_in("a", NOW)).await.unwrap();
        let later = NOW + Duration::from_secs(60);
        store.begin_sign_in([2; 32], sign_in("b", later)).await.unwrap();
        assert_eq!(store.sign_in([1; 32]).await.unwrap(), None);
        assert!(store.sign_in([2; 32]).await.unwrap().is_some());
    }
}
