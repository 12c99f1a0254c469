//! The conformance suite: the promises of each contract, checked on every store.
//!
//! There is a module for each contract of `src/contract`. `embedded` and `postgres` test the parts
//! that only one store has; `model` compares the stores over random histories, and `transfer`
//! copies one into another.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod audit;
mod catalog;
mod cluster;
mod deliveries;
mod embedded;
mod fixture;
mod history;
mod idempotency;
mod later;
mod maintenance;
mod model;
mod overview;
mod polling;
mod postgres;
mod rejections;
mod schema;
mod search;
mod sign_ins;
mod statistics;
mod tasks;
mod transfer;

/// Declares cases and runs each of them on every store.
macro_rules! store_tests {
    ($($(#[$doc:meta])* async fn $case:ident($store:ident) $body:block)+) => {$(
        mod $case {
            use super::*;

            $(#[$doc])*
            async fn check($store: &dyn postrider_store::Store) $body

            #[tokio::test]
            async fn memory() {
                let store = postrider_store::MemoryStore::default();
                fixture::set_up(&store).await;
                check(&store).await;
            }

            #[tokio::test]
            async fn embedded() {
                let folder = tempfile::tempdir().unwrap();
                let store = fixture::open_embedded(folder.path());
                fixture::set_up(&store).await;
                check(&store).await;
            }

            /// An upgrade that can be rolled back changes nothing for this version.
            #[tokio::test]
            async fn embedded_after_a_later_version() {
                let folder = tempfile::tempdir().unwrap();
                let store = crate::later::open_upgraded(folder.path());
                fixture::set_up(&store).await;
                check(&store).await;
            }

            #[tokio::test]
            async fn postgres() {
                let schema = crate::schema::Schema::create().await;
                let store = schema.open().await;
                fixture::set_up(&store).await;
                check(&store).await;
                drop(store);
                schema.remove().await;
            }
        }
    )+};
}
pub(crate) use store_tests;
