//! Reads messages from an SQS queue.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use postrider_core::{kind::sqs::SqsQueue, outcome::Failure, queue::QueueConfig};
use postrider_engine::{
    Guard, GuardError, HttpClient, PartitionLeases, Queue, QueueConnector, QueueError,
    QueueMessage, Receipt,
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{
    protocol::{Action, FailedEntry, call},
    service,
};
use crate::aws::Service;

/// How long the service waits for a message before it responds without one.
const LONG_POLL: Duration = Duration::from_secs(20);

/// How long a response may take, in addition to the wait for a message.
const RESPONSE: Duration = Duration::from_secs(20);

/// Messages in one request.
const PER_REQUEST: usize = 10;

/// Requests for messages at the same time, while the queue has many.
const REQUESTS: usize = 8;

/// When a message that was given back is delivered again.
const GIVE_BACK_SECONDS: u64 = 10;

/// Opens SQS queues.
#[derive(Debug)]
pub(crate) struct SqsConnector {
    http: HttpClient,
}

impl SqsConnector {
    pub(crate) fn new(guard: &Guard) -> Self {
        Self { http: guard.http().clone() }
    }
}

#[async_trait]
impl QueueConnector for SqsConnector {
    async fn open(
        &self,
        config: Arc<QueueConfig>,
        _consumer: &str,
        _partitions: Arc<dyn PartitionLeases>,
    ) -> Result<Box<dyn Queue>, QueueError> {
        let QueueConfig::Sqs(config) = &*config else {
            return Err(error(Failure::Protocol, "internal error: this is not an SQS queue"));
        };
        let queue = SqsReader::new(&self.http, config);
        queue.call(Action::GetQueueAttributes, json!({ "AttributeNames": ["QueueArn"] })).await?;
        Ok(Box::new(queue))
    }
}

/// A queue that messages are read from.
#[derive(Debug)]
struct SqsReader {
    service: Service,
    queue_url: Url,
    visibility_timeout: Option<Duration>,
    /// The last response was full.
    has_more: bool,
}

impl SqsReader {
    fn new(http: &HttpClient, config: &SqsQueue) -> Self {
        Self {
            service: service(http, config.account(), &config.queue_url),
            queue_url: config.queue_url.clone(),
            visibility_timeout: config.visibility_timeout,
            has_more: false,
        }
    }

    /// Asks for messages and waits for them as long.
    async fn receive_within(
        &self,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<QueueMessage>, QueueError> {
        #[derive(Deserialize)]
        struct Received {
            #[serde(default, rename = "Messages")]
            messages: Vec<Message>,
        }
        let mut request = json!({
            "MaxNumberOfMessages": max.clamp(1, PER_REQUEST),
            "WaitTimeSeconds": wait.as_secs(),
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        if let Some(timeout) = self.visibility_timeout {
            request["VisibilityTimeout"] = timeout.as_secs().into();
        }
        let body = self.call(Action::ReceiveMessage, request).await?;
        // Without messages, some services send nothing at all.
        if body.is_empty() {
            return Ok(Vec::new());
        }
        let received: Received = parse(&body)?;
        Ok(received.messages.into_iter().map(Message::read).collect())
    }

    /// Several requests at the same time. What one of them returned is not lost if another fails;
    /// the next request will fail too.
    async fn receive_many(&self, max: usize) -> Result<Vec<QueueMessage>, QueueError> {
        let requests = (max / PER_REQUEST).clamp(1, REQUESTS);
        let requests = (0..requests).map(|_| self.receive_within(max, Duration::ZERO));
        let (mut all, mut failed) = (Vec::new(), None);
        for received in join_all(requests).await {
            match received {
                Ok(messages) => all.extend(messages),
                Err(error) => failed = Some(error),
            }
        }
        failed.filter(|_| all.is_empty()).map_or(Ok(all), Err)
    }

    async fn call(&self, action: Action, mut request: Value) -> Result<Bytes, QueueError> {
        request["QueueUrl"] = self.queue_url.as_str().into();
        let calling = call(&self.service, action, &request, None);
        match tokio::time::timeout(LONG_POLL + RESPONSE, calling).await {
            Ok(Ok((body, _))) => Ok(body),
            Ok(Err(GuardError { failure, reason, .. })) => Err(QueueError { failure, reason }),
            Err(_) => Err(error(Failure::Timeout, "the queue did not respond in time")),
        }
    }

    /// One request for every ten messages. Fails if one of them was not processed.
    async fn for_each(
        &self,
        action: Action,
        receipts: &[Receipt],
        entry: impl Fn(usize, &str) -> Value + Sync,
    ) -> Result<(), QueueError> {
        #[derive(Deserialize)]
        struct Results {
            #[serde(default, rename = "Failed")]
            failed: Vec<FailedEntry>,
        }
        let requests = receipts.chunks(PER_REQUEST).map(|receipts| async {
            let entries = receipts.iter().enumerate().filter_map(|(id, receipt)| match receipt {
                Receipt::Text(handle) => Some(entry(id, handle)),
                Receipt::Number(_) | Receipt::Position { .. } => None,
            });
            let request = json!({ "Entries": entries.collect::<Vec<_>>() });
            let body = self.call(action, request).await?;
            let results: Results = parse(&body)?;
            let Some(failed) = results.failed.first() else { return Ok(()) };
            let refusal = failed.refusal();
            Err(QueueError { failure: refusal.failure, reason: refusal.reason })
        });
        try_join_all(requests).await.map(|_| ())
    }
}

#[async_trait]
impl Queue for SqsReader {
    async fn receive(&mut self, max: usize) -> Result<Vec<QueueMessage>, QueueError> {
        if self.has_more {
            let received = self.receive_many(max).await?;
            self.has_more = received.len() >= PER_REQUEST;
            if !received.is_empty() {
                return Ok(received);
            }
        }
        let received = self.receive_within(max, LONG_POLL).await?;
        self.has_more = received.len() == PER_REQUEST;
        Ok(received)
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let entry =
            |id: usize, handle: &str| json!({ "Id": id.to_string(), "ReceiptHandle": handle });
        self.for_each(Action::DeleteMessageBatch, receipts, entry).await
    }

    async fn give_back(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let entry = |id: usize, handle: &str| {
            json!({
                "Id": id.to_string(),
                "ReceiptHandle": handle,
                "VisibilityTimeout": GIVE_BACK_SECONDS,
            })
        };
        self.for_each(Action::ChangeMessageVisibilityBatch, receipts, entry).await
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_id: String,
    receipt_handle: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    string_value: Option<String>,
}

impl Message {
    fn read(self) -> QueueMessage {
        let attribute = |name: &str| self.attributes.get(name);
        // A producer that is not sure sends a message again with the same id.
        let id = match attribute("MessageDeduplicationId") {
            Some(id) => match attribute("MessageGroupId") {
                Some(group) => format!("{group}/{id}"),
                None => id.clone(),
            },
            None => self.message_id.clone(),
        };
        QueueMessage {
            id,
            subject: attribute("MessageGroupId").cloned(),
            deliveries: attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()),
            body: Bytes::from(self.body),
            // Binary attributes have no text.
            headers: self
                .message_attributes
                .into_iter()
                .filter_map(|(name, attribute)| Some((name, attribute.string_value?)))
                .collect(),
            receipt: Receipt::Text(self.receipt_handle),
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, QueueError> {
    serde_json::from_slice(body).map_err(|_| {
        let reason = "the response is not that of SQS; check `queueUrl` and `endpointUrl`";
        error(Failure::Protocol, reason)
    })
}

fn error(failure: Failure, reason: &str) -> QueueError {
    QueueError { failure, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_with_its_attributes() {
        let message: Message = serde_json::from_value(json!({
            "MessageId": "m", "ReceiptHandle": "r", "MD5OfBody": "x", "Body": "{}",
            "Attributes": { "ApproximateReceiveCount": "3" },
            "MessageAttributes": {
                "type": { "DataType": "String", "StringValue": "order.created" },
                "raw": { "DataType": "Binary", "BinaryValue": "AA==" },
            },
        }))
        .unwrap();
        let read = message.read();
        assert_eq!((read.id.as_str(), read.deliveries, read.subject), ("m", Some(3), None));
        let headers = BTreeMap::from([("type".to_owned(), "order.created".to_owned())]);
        assert_eq!((read.headers, read.receipt), (headers, Receipt::Text("r".to_owned())));
    }

    #[test]
    fn a_fifo_message_is_identified_as_its_producer_identifies_it() {
        let message: Message = serde_json::from_value(json!({
            "MessageId": "m", "ReceiptHandle": "r", "Body": "{}",
            "Attributes": { "MessageGroupId": "g", "MessageDeduplicationId": "d" },
        }))
        .unwrap();
        let read = message.read();
        assert_eq!((read.id.as_str(), read.subject.as_deref()), ("g/d", Some("g")));
    }
}
