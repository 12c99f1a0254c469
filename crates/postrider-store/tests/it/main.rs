//! The conformance suite: the promises of each contract, checked on every store.
//!
//! There is a module for each contract of `src/contract`. `embedded` and `postgres` test what only
//! one store has; `model` compares the stores over random histories.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod catalog;
mod cluster;
mod database;
mod deliveries;
mod embedded;
mod fixture;
mod history;
mod idempotency;
mod maintenance;
mod model;
mod postgres;
mod rejections;
mod transfer;

/// Declares cases and registers each of them for every store at once, so that no
/// case can be forgotten for one of them.
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
                let options = postrider_store::Options::default();
                let store = postrider_store::EmbeddedStore::open(folder.path(), &options).unwrap();
                fixture::set_up(&store).await;
                check(&store).await;
            }

            #[tokio::test]
            async fn postgres() {
                let schema = crate::database::Schema::create().await;
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
