//! Requests of a reader, and what the broker's records mean.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use postrider_core::{kind::kafka::Start, outcome::Failure};
use postrider_engine::{QueueMessage, Receipt};
use rskafka::protocol::{
    error::Error,
    messages::{
        FetchRequest, FetchRequestPartition, FetchRequestTopic, FetchResponsePartition,
        IsolationLevel, ListOffsetsRequest, ListOffsetsRequestPartition, ListOffsetsRequestTopic,
    },
    primitives::{Int32, Int64, String_},
    record::{ControlBatchOrRecords, ControlBatchRecord, Record, RecordBatch},
};

use crate::{
    failed::Failed,
    kafka::broker::{Connection, refused},
};

/// How long the broker waits for messages, in milliseconds.
const MAX_WAIT: i32 = 500;

/// Most bytes that are read at once, of all partitions and of each. A batch that is larger is read
/// alone.
const MAX_BYTES: i32 = 8 << 20;
const MAX_PARTITION_BYTES: i32 = 1 << 20;

/// Times with a special meaning in the protocol.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Where to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub partition: i32,
    pub offset: i64,
}

/// What was read from a partition.
#[derive(Debug)]
pub(super) struct Fetched {
    pub partition: i32,
    /// Where to go on, if anything was read.
    pub next: Option<i64>,
    pub messages: Vec<(i64, QueueMessage)>,
    pub problem: Option<Problem>,
}

/// Why nothing was read from a partition.
#[derive(Debug)]
pub(super) struct Problem {
    error: Error,
    pub failed: Failed,
}

impl Problem {
    /// The broker does not have the offset any more.
    pub(super) fn is_out_of_range(&self) -> bool {
        self.error == Error::OffsetOutOfRange
    }
}

/// Reads partitions of one broker.
pub(super) async fn fetch(
    connection: &Connection,
    topic: &str,
    positions: &[Position],
) -> Result<Vec<Fetched>, Failed> {
    let partitions = positions.iter().map(|position| FetchRequestPartition {
        partition: Int32(position.partition),
        fetch_offset: Int64(position.offset),
        partition_max_bytes: Int32(MAX_PARTITION_BYTES),
    });
    let request = FetchRequest {
        replica_id: Int32(-1),
        max_wait_ms: Int32(MAX_WAIT),
        min_bytes: Int32(1),
        max_bytes: Some(Int32(MAX_BYTES)),
        isolation_level: Some(IsolationLevel::ReadCommitted),
        topics: vec![FetchRequestTopic {
            topic: String_(topic.to_owned()),
            partitions: partitions.collect(),
        }],
    };
    let response = connection.request(request).await?;
    let mut fetched = Vec::new();
    for found in response.responses.into_iter().filter(|it| it.topic.0 == topic) {
        for partition in found.partitions {
            let number = partition.partition_index.0;
            if let Some(position) = positions.iter().find(|it| it.partition == number) {
                fetched.push(read(topic, *position, partition));
            }
        }
    }
    Ok(fetched)
}

fn read(topic: &str, position: Position, response: FetchResponsePartition) -> Fetched {
    let Position { partition, offset } = position;
    let aborted: Vec<_> = response
        .aborted_transactions
        .iter()
        .map(|it| (it.first_offset.0, it.producer_id.0))
        .collect();
    let batches = response.records.0;
    let next = batches.last().map(|it| it.base_offset + i64::from(it.last_offset_delta) + 1);
    let messages = committed(batches, aborted)
        .into_iter()
        // The first batch may begin before the offset.
        .filter(|(it, _)| *it >= offset)
        .map(|(offset, record)| (offset, message(topic, partition, offset, record)))
        .collect();
    let problem = response.error_code.map(|error| Problem { error, failed: refused(error) });
    Fetched { partition, next: next.map(|next| next.max(offset)), messages, problem }
}

/// The records and their offsets, without those of transactions that were aborted: `aborted` has
/// the first offset and the producer of each.
fn committed(batches: Vec<RecordBatch>, mut aborted: Vec<(i64, i64)>) -> Vec<(i64, Record)> {
    aborted.sort_unstable();
    let mut aborted = aborted.into_iter().peekable();
    let mut skipped = HashSet::new();
    let mut records = Vec::new();
    for batch in batches {
        let last = batch.base_offset + i64::from(batch.last_offset_delta);
        while let Some((_, producer)) = aborted.next_if(|(first, _)| *first <= last) {
            skipped.insert(producer);
        }
        match batch.records {
            ControlBatchOrRecords::ControlBatch(ControlBatchRecord::Abort) => {
                skipped.remove(&batch.producer_id);
            },
            ControlBatchOrRecords::ControlBatch(ControlBatchRecord::Commit) => {},
            ControlBatchOrRecords::Records(_)
                if batch.is_transactional && skipped.contains(&batch.producer_id) => {},
            ControlBatchOrRecords::Records(read) => records.extend(
                read.into_iter().map(|it| (batch.base_offset + i64::from(it.offset_delta), it)),
            ),
        }
    }
    records
}

fn message(topic: &str, partition: i32, offset: i64, record: Record) -> QueueMessage {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let headers: BTreeMap<_, _> =
        record.headers.into_iter().map(|header| (header.key, text(header.value))).collect();
    QueueMessage {
        id: format!("{topic}/{partition}/{offset}"),
        body: Bytes::from(record.value.unwrap_or_default()),
        headers,
        subject: record.key.map(text),
        deliveries: None,
        receipt: Receipt::Position { partition, offset },
    }
}

/// The offset at which a partition begins, or ends.
pub(super) async fn first_offset(
    connection: &Connection,
    topic: &str,
    partition: i32,
    start: Start,
) -> Result<i64, Failed> {
    let timestamp = match start {
        Start::Earliest => EARLIEST,
        Start::Latest => LATEST,
    };
    let request = ListOffsetsRequest {
        replica_id: Int32(-1),
        isolation_level: Some(IsolationLevel::ReadCommitted),
        topics: vec![ListOffsetsRequestTopic {
            name: String_(topic.to_owned()),
            partitions: vec![ListOffsetsRequestPartition {
                partition_index: Int32(partition),
                timestamp: Int64(timestamp),
                max_num_offsets: None,
            }],
        }],
    };
    let response = connection.request(request).await?;
    let mut partitions = response.topics.into_iter().flat_map(|it| it.partitions);
    let found = partitions.find(|it| it.partition_index.0 == partition);
    match found.map(|it| (it.error_code, it.offset)) {
        Some((None, Some(offset))) => Ok(offset.0),
        Some((Some(error), _)) => Err(refused(error)),
        Some((None, None)) | None => Err(Failed::new(
            Failure::Unavailable,
            "the broker did not say where the partition begins",
        )),
    }
}

#[cfg(test)]
mod tests {
    use rskafka::protocol::record::{RecordBatchCompression, RecordBatchTimestampType};

    use super::*;

    fn batch(base_offset: i64, producer_id: i64, records: ControlBatchOrRecords) -> RecordBatch {
        let count = match &records {
            ControlBatchOrRecords::ControlBatch(_) => 1,
            ControlBatchOrRecords::Records(records) => i32::try_from(records.len()).unwrap(),
        };
        RecordBatch {
            base_offset,
            partition_leader_epoch: 0,
            last_offset_delta: count - 1,
            first_timestamp: 0,
            max_timestamp: 0,
            producer_id,
            producer_epoch: 0,
            base_sequence: 0,
            records,
            compression: RecordBatchCompression::NoCompression,
            is_transactional: producer_id >= 0,
            timestamp_type: RecordBatchTimestampType::CreateTime,
        }
    }

    fn records(base_offset: i64, producer_id: i64, count: i32) -> RecordBatch {
        let record = |offset_delta| Record {
            timestamp_delta: 0,
            offset_delta,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        let records = (0..count).map(record).collect();
        batch(base_offset, producer_id, ControlBatchOrRecords::Records(records))
    }

    fn marker(offset: i64, producer: i64, marker: ControlBatchRecord) -> RecordBatch {
        batch(offset, producer, ControlBatchOrRecords::ControlBatch(marker))
    }

    #[test]
    fn records_of_aborted_transactions_are_skipped() {
        let batches = vec![
            records(0, -1, 2),
            records(2, 7, 2),
            records(4, 8, 1),
            marker(5, 7, ControlBatchRecord::Abort),
            marker(6, 8, ControlBatchRecord::Commit),
            records(7, 7, 1),
            marker(8, 7, ControlBatchRecord::Commit),
        ];
        let offsets: Vec<_> =
            committed(batches, vec![(2, 7)]).into_iter().map(|(offset, _)| offset).collect();
        assert_eq!(offsets, [0, 1, 4, 7]);
    }

    #[test]
    fn a_message_is_identified_by_topic_partition_and_offset() {
        let record = Record {
            timestamp_delta: 0,
            offset_delta: 0,
            key: Some(b"k".to_vec()),
            value: Some(b"{}".to_vec()),
            headers: Vec::new(),
        };
        let message = message("t", 3, 42, record);
        assert_eq!((message.id.as_str(), message.subject.as_deref()), ("t/3/42", Some("k")));
        assert_eq!(message.receipt, Receipt::Position { partition: 3, offset: 42 });
    }
}
