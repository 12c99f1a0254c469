//! Leases on partitions and offsets, kept as a record of the catalog.

use std::sync::Arc;

use async_trait::async_trait;
use postrider::ConsumerId;
use postrider_core::{outcome::Failure, queue::partitions::Partitions};
use postrider_store::{Expected, IdOrUid, Records, Store, StoreError, Version};

use super::{LeasedPartition, PARTITION_RENEWAL, PartitionLeases, QueueError};
use crate::clock::Clock;

/// A lease ends after this many missed renewals.
const LEASE_RENEWALS: u32 = 3;

/// How often a change is tried while other nodes change the record too.
const MAX_TRIES: usize = 20;

/// The partitions of one consumer's queue, as one reader sees them.
#[derive(Debug)]
pub struct StoredPartitions {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    consumer: ConsumerId,
    reader: u64,
}

impl StoredPartitions {
    /// A new reader of the consumer's queue.
    pub fn new(store: Arc<dyn Store>, clock: Arc<Clock>, consumer: ConsumerId) -> Self {
        let mut reader = [0; 8];
        clock.random(&mut reader);
        Self { store, clock, consumer, reader: u64::from_be_bytes(reader) }
    }

    /// Gives up all partitions, so that other nodes can take them at once.
    pub async fn release(&self) -> Result<(), QueueError> {
        if self.load().await?.is_none() {
            return Ok(());
        }
        self.change(|partitions| partitions.release(self.reader)).await.map(drop)
    }

    /// Changes the record, and returns it. If it is not changed, it is not saved either.
    async fn change(
        &self,
        mut change: impl FnMut(&mut Partitions) + Send,
    ) -> Result<Partitions, QueueError> {
        for _ in 0..MAX_TRIES {
            let (old, expected) = match self.load().await? {
                Some((old, version)) => (old, Expected::Version(version)),
                None => (Partitions::new(self.consumer), Expected::New),
            };
            let mut new = old.clone();
            change(&mut new);
            if new == old {
                return Ok(new);
            }
            match self.store.save(&new, expected).await {
                Ok(_) => return Ok(new),
                Err(StoreError::VersionMismatch { .. } | StoreError::Conflict { .. }) => {},
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Err(QueueError {
            failure: Failure::Busy,
            reason: "too many nodes change the leases of the partitions at the same time; it is \
                     tried again"
                .to_owned(),
        })
    }

    async fn load(&self) -> Result<Option<(Partitions, Version)>, QueueError> {
        let key = IdOrUid::Id(self.consumer);
        let found = self.store.get_versioned::<Partitions>(&self.consumer, &key).await;
        found.map_err(|error| unavailable(&error))
    }
}

#[async_trait]
impl PartitionLeases for StoredPartitions {
    async fn renew(&self, partitions: &[i32]) -> Result<Vec<LeasedPartition>, QueueError> {
        let length = PARTITION_RENEWAL * LEASE_RENEWALS;
        let mut until = self.clock.now() + length;
        let changed = self
            .change(|it| {
                let now = self.clock.now();
                until = now + length;
                it.renew(self.reader, partitions, now, until);
            })
            .await?;
        let until = self.clock.instant(until);
        let held = changed.held(self.reader, partitions).into_iter();
        Ok(held
            .map(|(partition, next_offset)| LeasedPartition { partition, next_offset, until })
            .collect())
    }

    async fn save_offsets(&self, next: &[(i32, i64)]) -> Result<(), QueueError> {
        let advance = |partitions: &mut Partitions| {
            for &(partition, offset) in next {
                partitions.advance(partition, offset);
            }
        };
        self.change(advance).await.map(drop)
    }
}

fn unavailable(error: &StoreError) -> QueueError {
    QueueError {
        failure: Failure::Unavailable,
        reason: format!(
            "the store of this server could not read or save the leases of the partitions \
             ({error}); it is tried again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use postrider_store::MemoryStore;
    use tokio::time::{Instant, advance};

    use super::*;

    const HAS: [i32; 4] = [0, 1, 2, 3];

    /// Readers of the same queue.
    fn readers() -> [StoredPartitions; 2] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let clock = Arc::new(Clock::simulated(1, 0, Instant::now()));
        let consumer = ConsumerId::from_u128(1);
        [(); 2].map(|()| StoredPartitions::new(Arc::clone(&store), Arc::clone(&clock), consumer))
    }

    async fn held(reader: &StoredPartitions) -> Vec<(i32, Option<i64>)> {
        let leased = reader.renew(&HAS).await.unwrap();
        assert!(leased.iter().all(|it| it.until > Instant::now()));
        leased.into_iter().map(|it| (it.partition, it.next_offset)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn readers_share_partitions_and_take_over_from_one_that_ends_or_dies() {
        let [first, second] = readers();
        assert_eq!(held(&first).await.len(), 4);
        first.save_offsets(&[(0, 7), (3, 9)]).await.unwrap();
        first.save_offsets(&[(3, 8)]).await.unwrap();
        assert_eq!(held(&second).await, []);
        let (of_first, of_second) = (held(&first).await, held(&second).await);
        assert_eq!(of_first, [(0, Some(7)), (1, None)]);
        assert_eq!(of_second, [(2, None), (3, Some(9))]);
        // The second one no longer renews.
        advance(PARTITION_RENEWAL * (LEASE_RENEWALS - 1)).await;
        assert_eq!(held(&first).await.len(), 2);
        advance(PARTITION_RENEWAL).await;
        assert_eq!(held(&first).await.len(), 4);
        first.release().await.unwrap();
        assert_eq!(held(&second).await.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn saving_the_same_offsets_again_writes_nothing() {
        let [reader, _] = readers();
        reader.release().await.unwrap();
        assert_eq!(reader.load().await.unwrap(), None);
        reader.save_offsets(&[(1, 5)]).await.unwrap();
        reader.save_offsets(&[(1, 5), (1, 4)]).await.unwrap();
        let (_, version) = reader.load().await.unwrap().unwrap();
        assert_eq!(version, Version(1));
    }
}
