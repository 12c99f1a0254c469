//! The promises of `SignIns`.

use std::time::Duration;

use postrider_store::{Change, Changed, SignIn, Store};

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

async fn begin(store: &dyn Store, digest: [u8; 32], sign_in: SignIn) {
    let change = Change::BeginSignIn(digest, sign_in);
    assert_eq!(
        store.change(change, audit_entry(10 + u64::from(digest[0]))).await.unwrap(),
        Changed::Done(true)
    );
}

store_tests! {
    async fn a_session_is_found_until_it_is_ended(store) {
        let (first, second) = (sign_in("a", NOW), sign_in("b", NOW));
        begin(store, [1; 32], first.clone()).await;
        begin(store, [2; 32], second.clone()).await;
        assert_eq!(store.sign_in([1; 32]).await.unwrap(), Some(first));
        assert_eq!(store.sign_in([3; 32]).await.unwrap(), None);
        for (number, has_effect) in [(2, true), (3, false)] {
            let ended = store.change(Change::EndSignIn([1; 32]), audit_entry(number)).await;
            assert_eq!(ended.unwrap(), Changed::Done(has_effect));
        }
        assert_eq!(store.sign_in([1; 32]).await.unwrap(), None);
        assert_eq!(store.sign_in([2; 32]).await.unwrap(), Some(second));
    }

    async fn expired_sessions_are_removed_when_others_begin(store) {
        begin(store, [1; 32], sign_in("a", NOW)).await;
        let later = NOW + Duration::from_secs(60);
        begin(store, [2; 32], sign_in("b", later)).await;
        assert_eq!(store.sign_in([1; 32]).await.unwrap(), None);
        assert!(store.sign_in([2; 32]).await.unwrap().is_some());
    }
}
