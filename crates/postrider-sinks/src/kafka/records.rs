//! Records: what a message becomes, and how records are grouped for the broker.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use postrider_core::kind::kafka::{Compression, Kafka, check_topic};
use postrider_engine::Call;
use rskafka::protocol::{
    messages::{ProduceRequest, ProduceRequestPartitionData, ProduceRequestTopicData},
    primitives::{Int16, Int32, NullableString, Records, String_},
    record::{
        ControlBatchOrRecords, Record, RecordBatch, RecordBatchCompression,
        RecordBatchTimestampType, RecordHeader,
    },
};

use super::produce::Item;
use crate::{content::Content, failed::Failed};

/// Most bytes of a batch, before compression. Brokers accept 1 MiB unless configured otherwise.
const MAX_BATCH: usize = 900_000;

/// Most bytes of a request.
const MAX_REQUEST: usize = 8 << 20;

/// What the format adds to each record and to each header, roughly.
const OVERHEAD: usize = 40;
const HEADER_OVERHEAD: usize = 10;

/// All replicas that are in sync have stored the record.
const ALL_REPLICAS: i16 = -1;

/// How long the broker waits for the replicas, in milliseconds.
const REPLICA_TIMEOUT: i32 = 10_000;

/// A message as a record.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub value: Bytes,
    pub headers: Vec<(String, String)>,
    /// In milliseconds.
    pub timestamp: i64,
}

impl Outgoing {
    fn len(&self) -> usize {
        let header = |(name, value): &(String, String)| name.len() + value.len() + HEADER_OVERHEAD;
        let headers: usize = self.headers.iter().map(header).sum();
        OVERHEAD + self.key.as_ref().map_or(0, Vec::len) + self.value.len() + headers
    }
}

/// The record of a message.
pub(super) fn outgoing(config: &Kafka, call: &Call) -> Result<Arc<Outgoing>, Failed> {
    let content = Content::new(call);
    let topic = content.line("topic", &config.topic)?;
    check_topic(&topic).map_err(Failed::rejected)?;
    let key = config.key.as_ref().map(|key| content.line("key", key)).transpose()?;
    Ok(Arc::new(Outgoing {
        topic,
        key: key.map(String::into_bytes),
        value: call.body.clone(),
        headers: content.headers(&config.headers)?.into_iter().collect(),
        timestamp: i64::try_from(call.message.created_at().as_millis()).unwrap_or(i64::MAX),
    }))
}

/// Records for one partition, as positions in a list of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub topic: String,
    pub partition: i32,
    pub items: Vec<usize>,
    bytes: usize,
}

impl Batch {
    /// The halves of a batch.
    pub(super) fn split(self, items: &[Item]) -> [Self; 2] {
        let (first, second) = self.items.split_at(self.items.len() / 2);
        [first, second].map(|part| Self {
            topic: self.topic.clone(),
            partition: self.partition,
            items: part.to_vec(),
            bytes: part.iter().filter_map(|it| items.get(*it)).map(|it| it.record.len()).sum(),
        })
    }
}

/// Groups items by partition, in batches of a size that brokers accept.
pub(super) fn group(items: &[Item]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut open: HashMap<(&str, i32), usize> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let bytes = item.record.len();
        let of = (item.record.topic.as_str(), item.partition);
        let batch = open.get(&of).and_then(|position| batches.get_mut(*position));
        if let Some(batch) = batch.filter(|batch| batch.bytes + bytes <= MAX_BATCH) {
            batch.items.push(index);
            batch.bytes += bytes;
            continue;
        }
        open.insert(of, batches.len());
        batches.push(Batch {
            topic: item.record.topic.clone(),
            partition: item.partition,
            items: vec![index],
            bytes,
        });
    }
    batches
}

/// Takes the batches that fit into one request: one for each partition, the first ones first.
pub(super) fn take_round(pending: &mut Vec<Batch>) -> Vec<Batch> {
    let (mut round, mut rest, mut bytes) = (Vec::<Batch>::new(), Vec::new(), 0);
    for batch in pending.drain(..) {
        let of = |it: &Batch| it.partition == batch.partition && it.topic == batch.topic;
        let is_taken = round.iter().any(of) || rest.iter().any(of);
        if is_taken || (!round.is_empty() && bytes + batch.bytes > MAX_REQUEST) {
            rest.push(batch);
        } else {
            bytes += batch.bytes;
            round.push(batch);
        }
    }
    *pending = rest;
    round
}

/// The request that writes these batches.
pub(super) fn request(items: &[Item], round: &[Batch], compression: Compression) -> ProduceRequest {
    let mut topics: Vec<ProduceRequestTopicData> = Vec::new();
    for batch in round {
        let data = ProduceRequestPartitionData {
            index: Int32(batch.partition),
            records: Records(vec![record_batch(items, batch, compression)]),
        };
        match topics.iter_mut().find(|it| it.name.0 == batch.topic) {
            Some(topic) => topic.partition_data.push(data),
            None => topics.push(ProduceRequestTopicData {
                name: String_(batch.topic.clone()),
                partition_data: vec![data],
            }),
        }
    }
    ProduceRequest {
        transactional_id: NullableString(None),
        acks: Int16(ALL_REPLICAS),
        timeout_ms: Int32(REPLICA_TIMEOUT),
        topic_data: topics,
    }
}

fn record_batch(items: &[Item], batch: &Batch, compression: Compression) -> RecordBatch {
    let outgoing = || batch.items.iter().filter_map(|it| items.get(*it)).map(|it| &it.record);
    let first_timestamp = outgoing().map(|it| it.timestamp).min().unwrap_or_default();
    let max_timestamp = outgoing().map(|it| it.timestamp).max().unwrap_or_default();
    let records: Vec<_> =
        (0..).zip(outgoing()).map(|(delta, it)| record(it, delta, first_timestamp)).collect();
    RecordBatch {
        base_offset: 0,
        partition_leader_epoch: -1,
        last_offset_delta: i32::try_from(records.len()).unwrap_or(i32::MAX) - 1,
        first_timestamp,
        max_timestamp,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records: ControlBatchOrRecords::Records(records),
        compression: match compression {
            Compression::None => RecordBatchCompression::NoCompression,
            Compression::Gzip => RecordBatchCompression::Gzip,
        },
        is_transactional: false,
        timestamp_type: RecordBatchTimestampType::CreateTime,
    }
}

fn record(outgoing: &Outgoing, offset_delta: i32, first_timestamp: i64) -> Record {
    let header = |(key, value): &(String, String)| RecordHeader {
        key: key.clone(),
        value: value.clone().into_bytes(),
    };
    Record {
        timestamp_delta: outgoing.timestamp - first_timestamp,
        offset_delta,
        key: outgoing.key.clone(),
        value: Some(outgoing.value.to_vec()),
        headers: outgoing.headers.iter().map(header).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(topic: &str, partition: i32, bytes: usize) -> Item {
        let record = Outgoing {
            topic: topic.to_owned(),
            key: None,
            value: Bytes::from(vec![b'x'; bytes]),
            headers: Vec::new(),
            timestamp: 0,
        };
        Item { partition, record: Arc::new(record) }
    }

    fn shapes(batches: &[Batch]) -> Vec<(&str, i32, Vec<usize>)> {
        batches.iter().map(|it| (it.topic.as_str(), it.partition, it.items.clone())).collect()
    }

    #[test]
    fn records_are_grouped_by_partition_up_to_a_size() {
        let items = [
            item("a", 0, 400_000),
            item("a", 1, 10),
            item("a", 0, 400_000),
            item("b", 0, 10),
            item("a", 0, 400_000),
            item("a", 0, 2_000_000),
        ];
        let mut batches = group(&items);
        assert_eq!(
            shapes(&batches),
            [
                ("a", 0, vec![0, 2]),
                ("a", 1, vec![1]),
                ("b", 0, vec![3]),
                ("a", 0, vec![4]),
                ("a", 0, vec![5]),
            ]
        );
        let rounds: Vec<_> = (0..4).map(|_| shapes(&take_round(&mut batches)).len()).collect();
        assert_eq!(rounds, [3, 1, 1, 0]);
    }

    #[test]
    fn a_request_has_a_limited_size_and_at_least_one_batch() {
        let items = [item("a", 0, 6 << 20), item("a", 1, 6 << 20), item("a", 2, 10)];
        let mut batches = group(&items);
        assert_eq!(shapes(&take_round(&mut batches)), [("a", 0, vec![0]), ("a", 2, vec![2])]);
        assert_eq!(shapes(&take_round(&mut batches)), [("a", 1, vec![1])]);
    }

    #[test]
    fn a_batch_is_split_into_halves() {
        let items = [item("a", 0, 1), item("a", 0, 2), item("a", 0, 3)];
        let batch = group(&items).remove(0);
        let halves = batch.split(&items);
        assert_eq!(shapes(&halves), [("a", 0, vec![0]), ("a", 0, vec![1, 2])]);
        assert_eq!(halves.map(|it| it.bytes), [OVERHEAD + 1, 2 * OVERHEAD + 5]);
    }
}
