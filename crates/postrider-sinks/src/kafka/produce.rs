//! Writes records to one broker, and what became of each.

use std::{net::SocketAddr, sync::Arc};

use postrider_core::{
    kind::kafka::{Compression, Reaction, reaction},
    outcome::Failure,
};
use postrider_engine::Report;
use rskafka::protocol::{
    error::Error,
    messages::{ProduceResponse, ProduceResponsePartitionResponse},
    primitives::Int16,
};

use super::{
    broker::{Broker, Context, refused},
    records::{Batch, Outgoing, group, request, take_round},
};
use crate::failed::Failed;

/// A record and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub partition: i32,
    pub record: Arc<Outgoing>,
}

/// Where a record was stored, or why it was not.
pub(super) type Written = Result<Stored, Refused>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    partition: i32,
    offset: i64,
    address: SocketAddr,
}

impl Stored {
    pub(super) fn report(self, topic: &str) -> Report {
        let Self { partition, offset, address } = self;
        let done = format!(
            "written to partition {partition} of `{topic}` at offset {offset}, confirmed by all \
             replicas that are in sync"
        );
        Report::delivered(done).at(Some(address))
    }
}

/// Why a record was not stored, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub failed: Failed,
    /// What is known of the topic may be out of date.
    pub is_stale: bool,
    /// It was certainly not stored, and may be if it is tried again with what is known then.
    pub may_retry: bool,
}

impl Refused {
    /// It was not tried, or refused, because of something that changes.
    pub(super) const fn outdated(failed: Failed) -> Self {
        Self { failed, is_stale: true, may_retry: true }
    }

    const fn finally(failed: Failed) -> Self {
        Self { failed, is_stale: false, may_retry: false }
    }

    /// It was sent, and nobody knows what became of it.
    #[expect(clippy::needless_pass_by_value, reason = "the caller gives it away")]
    fn unknown(failed: Failed) -> Self {
        let reason = format!(
            "{} before it confirmed the message; it may have been stored, and is sent again",
            failed.reason
        );
        Self { failed: Failed { reason, ..failed }, is_stale: true, may_retry: false }
    }
}

/// The call that wrote the batch ran out of time.
pub(super) fn interrupted() -> Refused {
    let reason = "the broker did not respond within the time limit of another message of the batch";
    Refused::unknown(Failed::new(Failure::Timeout, reason))
}

/// Writes records to the broker, and returns what became of each, in order.
pub(super) async fn produce(
    context: Context<'_>,
    broker: &Broker,
    compression: Compression,
    items: Vec<Item>,
) -> Vec<Written> {
    let connection = match broker.connection(context).await {
        Ok(connection) => connection,
        Err(failed) => return vec![Err(Refused::outdated(failed)); items.len()],
    };
    let mut written: Vec<Option<Written>> = vec![None; items.len()];
    let mut pending = group(&items);
    while !pending.is_empty() {
        let round = take_round(&mut pending);
        let response = connection.request(request(&items, &round, compression)).await;
        let response = match response {
            Ok(response) => response,
            Err(failed) => {
                set_all(&mut written, &round, &Err(Refused::unknown(failed)));
                break;
            },
        };
        for batch in round {
            let result = result_of(&batch, &response);
            let parts = settle(&mut written, batch, result, &items, connection.address());
            // In front, so that the order of the records stays.
            pending.splice(0..0, parts);
        }
    }
    let unsent = || Failed::new(Failure::Unavailable, "the connection to the broker broke");
    written.into_iter().map(|it| it.unwrap_or_else(|| Err(Refused::outdated(unsent())))).collect()
}

fn set_all(written: &mut [Option<Written>], batches: &[Batch], result: &Written) {
    for index in batches.iter().flat_map(|batch| &batch.items) {
        if let Some(slot) = written.get_mut(*index) {
            *slot = Some(result.clone());
        }
    }
}

fn result_of<'a>(
    batch: &Batch,
    response: &'a ProduceResponse,
) -> Option<&'a ProduceResponsePartitionResponse> {
    let topic = response.responses.iter().find(|it| it.name.0 == batch.topic)?;
    topic.partition_responses.iter().find(|it| it.index.0 == batch.partition)
}

/// Notes the result of a batch, or returns the parts of it that are to be tried alone.
fn settle(
    written: &mut [Option<Written>],
    batch: Batch,
    result: Option<&ProduceResponsePartitionResponse>,
    items: &[Item],
    address: SocketAddr,
) -> Vec<Batch> {
    let Some(result) = result else {
        let failed =
            Failed::new(Failure::Unavailable, "the broker lost the connection").at(address);
        set_all(written, &[batch], &Err(Refused::unknown(failed)));
        return Vec::new();
    };
    let Some(error) = result.error else {
        for (offset, index) in (result.base_offset.0..).zip(&batch.items) {
            if let Some(slot) = written.get_mut(*index) {
                *slot = Some(Ok(Stored { partition: batch.partition, offset, address }));
            }
        }
        return Vec::new();
    };
    if batch.items.len() > 1 && is_about_a_record(error) {
        return batch.split(items).into();
    }
    set_all(written, &[batch], &Err(refusal(error, address)));
    Vec::new()
}

fn is_about_a_record(error: Error) -> bool {
    let Int16(code) = Int16::from(Some(error));
    matches!(reaction(code), Reaction::Split(..))
}

fn refusal(error: Error, address: SocketAddr) -> Refused {
    let failed = refused(error).at(address);
    let Int16(code) = Int16::from(Some(error));
    match reaction(code) {
        Reaction::Refresh(..) => Refused::outdated(failed),
        Reaction::Fail(..) | Reaction::Split(..) => Refused::finally(failed),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rskafka::protocol::primitives::{Int32, Int64};

    use super::*;

    fn items(count: usize) -> Vec<Item> {
        let record = || Outgoing {
            topic: "t".to_owned(),
            key: None,
            value: Bytes::new(),
            headers: Vec::new(),
            timestamp: 0,
        };
        (0..count).map(|_| Item { partition: 0, record: Arc::new(record()) }).collect()
    }

    fn settled(count: usize, code: i16) -> (Vec<Option<Written>>, usize) {
        let items = items(count);
        let mut written = vec![None; count];
        let result = ProduceResponsePartitionResponse {
            index: Int32(0),
            error: Error::new(code),
            base_offset: Int64(70),
            log_append_time_ms: None,
            log_start_offset: None,
        };
        let batch = group(&items).remove(0);
        let address = ([127, 0, 0, 1], 9092).into();
        let parts = settle(&mut written, batch, Some(&result), &items, address);
        (written, parts.len())
    }

    #[test]
    fn each_record_has_its_offset() {
        let (written, parts) = settled(3, 0);
        let offsets: Vec<_> = written.into_iter().map(|it| it.unwrap().unwrap().offset).collect();
        assert_eq!((offsets, parts), (vec![70, 71, 72], 0));
    }

    #[test]
    fn a_batch_that_is_too_large_is_tried_in_parts_and_a_record_alone_is_rejected() {
        assert_eq!(settled(3, 10), (vec![None; 3], 2));
        let (written, parts) = settled(1, 10);
        let refused = written[0].clone().unwrap().unwrap_err();
        assert_eq!(
            (refused.failed.failure, refused.may_retry, parts),
            (Failure::Rejected, false, 0)
        );
    }

    #[test]
    fn a_partition_that_has_moved_is_tried_again_and_lost_confirmations_are_not() {
        let (written, _) = settled(2, 6);
        assert!(written.iter().all(|it| matches!(it, Some(Err(it)) if it.may_retry)));
        let (written, _) = settled(2, 7);
        assert!(written.iter().all(|it| matches!(it, Some(Err(it)) if !it.may_retry)));
    }
}
