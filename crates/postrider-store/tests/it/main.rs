//! What every store promises, run against every store.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod catalog;
mod connecting;
mod damage;
mod database;
mod deliveries;
mod erasure;
mod fencing;
mod fixture;
mod loss;
mod lost;
mod model;
mod nodes;
mod order;
mod partitions;
mod paused;
mod reading;
mod recovery;
mod reopening;
mod sources;
mod transfer;
mod upkeep;

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
                fixture::furnish(&store).await;
                check(&store).await;
            }

            #[tokio::test]
            async fn embedded() {
                let folder = tempfile::tempdir().unwrap();
                let options = postrider_store::Options::default();
                let store = postrider_store::EmbeddedStore::open(folder.path(), &options).unwrap();
                fixture::furnish(&store).await;
                check(&store).await;
            }

            #[tokio::test]
            async fn postgres() {
                let schema = crate::database::Schema::create().await;
                let store = schema.open().await;
                fixture::furnish(&store).await;
                check(&store).await;
                drop(store);
                schema.remove().await;
            }
        }
    )+};
}
pub(crate) use store_tests;
