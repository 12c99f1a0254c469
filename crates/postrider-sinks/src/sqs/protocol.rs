//! SQS's protocol: JSON, with the operation in a header.

use std::net::SocketAddr;

use http::{HeaderName, HeaderValue, header};
use postrider_core::{
    kind::{
        aws::{Publication, Refusal, classify},
        sqs::MAX_BYTES,
    },
    target::Target,
};
use postrider_engine::{GuardError, ServiceResponse};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::aws::{Protocol, SignedClient, refused};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

/// Has the code of an error, as it was before the protocol was JSON.
const QUERY_ERROR: &str = "x-amzn-query-error";

/// Most bytes of a response: ten messages of the largest size in JSON, which may escape them.
const MAX_RESPONSE: usize = 16 << 20;

/// An operation of SQS.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    GetQueueAttributes,
    ReceiveMessage,
    DeleteMessageBatch,
    ChangeMessageVisibilityBatch,
}

impl Action {
    const fn header(self) -> &'static str {
        match self {
            Self::GetQueueAttributes => "AmazonSQS.GetQueueAttributes",
            Self::ReceiveMessage => "AmazonSQS.ReceiveMessage",
            Self::DeleteMessageBatch => "AmazonSQS.DeleteMessageBatch",
            Self::ChangeMessageVisibilityBatch => "AmazonSQS.ChangeMessageVisibilityBatch",
        }
    }
}

fn headers(operation: &'static str) -> Vec<(HeaderName, HeaderValue)> {
    let operation = HeaderValue::from_static(operation);
    vec![(TARGET, operation), (header::CONTENT_TYPE, CONTENT_TYPE)]
}

/// Makes one request; its response, and who responded.
pub(super) async fn call(
    service: &SignedClient,
    action: Action,
    request: &Value,
    target: Option<&Target>,
) -> Result<(bytes::Bytes, SocketAddr), GuardError> {
    let headers = headers(action.header());
    let response = service.post(&headers, request.to_string(), MAX_RESPONSE, target).await?;
    if response.status.is_success() {
        return Ok((response.body, response.address));
    }
    Err(refused(refusal(&response), Some(response.address)))
}

/// Why a request was refused.
pub(super) fn refusal(response: &ServiceResponse) -> Refusal {
    #[derive(Deserialize)]
    struct Error {
        #[serde(rename = "__type")]
        code: String,
    }
    let header = response.headers.get(QUERY_ERROR).and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.split(';').next()).map(ToOwned::to_owned);
    let body = || serde_json::from_slice(&response.body).ok().map(|error: Error| error.code);
    let code = header.or_else(body).unwrap_or_default();
    classify("SQS", &code, response.status.as_u16())
}

/// An entry that was not processed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FailedEntry {
    pub(super) id: String,
    pub(super) code: String,
    #[serde(default)]
    pub(super) sender_fault: bool,
}

impl FailedEntry {
    pub(super) fn refusal(&self) -> Refusal {
        classify("SQS", &self.code, if self.sender_fault { 400 } else { 500 })
    }
}

/// Sends messages to one queue.
#[derive(Debug)]
pub(super) struct SqsProtocol {
    queue_url: String,
}

impl SqsProtocol {
    pub(super) fn new(queue_url: &Url) -> Self {
        Self { queue_url: queue_url.to_string() }
    }
}

impl Protocol for SqsProtocol {
    type Item = Publication;

    const MAX_BYTES: usize = MAX_BYTES;

    fn size(item: &Publication) -> usize {
        item.size()
    }

    fn request(&self, items: &[Publication]) -> (Vec<(HeaderName, HeaderValue)>, String) {
        let entries: Vec<_> = items.iter().enumerate().map(|(id, item)| entry(id, item)).collect();
        let body = json!({ "QueueUrl": self.queue_url, "Entries": entries });
        (headers("AmazonSQS.SendMessageBatch"), body.to_string())
    }

    fn results(body: &[u8]) -> Option<Vec<(usize, Result<String, Refusal>)>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Sent {
            id: String,
            message_id: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Results {
            #[serde(default)]
            successful: Vec<Sent>,
            #[serde(default)]
            failed: Vec<FailedEntry>,
        }
        let Results { successful, failed } = serde_json::from_slice(body).ok()?;
        let sent = successful.into_iter().map(|it| (it.id, Ok(it.message_id)));
        let failed = failed.into_iter().map(|it| {
            let refusal = it.refusal();
            (it.id, Err(refusal))
        });
        sent.chain(failed).map(|(id, result)| Some((id.parse().ok()?, result))).collect()
    }

    fn refusal(response: &ServiceResponse) -> Refusal {
        refusal(response)
    }

    fn done(&self, id: &str) -> String {
        format!("sent to the queue as message {id}")
    }
}

fn entry(id: usize, item: &Publication) -> Value {
    let attribute = |(name, value): &(String, String)| {
        (name.clone(), json!({ "DataType": "String", "StringValue": value }))
    };
    let attributes: serde_json::Map<_, _> = item.attributes.iter().map(attribute).collect();
    let mut entry = json!({
        "Id": id.to_string(),
        "MessageBody": item.body,
        "MessageAttributes": attributes,
    });
    if let Some(group) = &item.group {
        entry["MessageGroupId"] = group.as_str().into();
    }
    if let Some(id) = &item.deduplication_id {
        entry["MessageDeduplicationId"] = id.as_str().into();
    }
    entry
}

#[cfg(test)]
mod tests {
    use postrider_core::outcome::Failure;

    use super::*;

    #[test]
    fn each_message_has_its_own_result() {
        let body = json!({
            "Successful": [{ "Id": "1", "MessageId": "m" }],
            "Failed": [
                { "Id": "0", "Code": "InvalidMessageContents", "SenderFault": true },
                { "Id": "2", "Code": "InternalError", "SenderFault": false },
            ],
        });
        let results = SqsProtocol::results(body.to_string().as_bytes()).unwrap();
        let failure = |position| {
            let result = results.iter().find(|(it, _)| *it == position).map(|(_, result)| result);
            result.unwrap().as_ref().err().map(|refusal| refusal.failure)
        };
        assert_eq!(failure(0), Some(Failure::Rejected));
        assert_eq!(failure(1), None);
        assert_eq!(failure(2), Some(Failure::Unavailable));
        assert!(SqsProtocol::results(b"<html>").is_none());
    }

    #[test]
    fn an_entry_has_what_orders_and_deduplicates_it() {
        let item = Publication {
            body: "{}".to_owned(),
            attributes: vec![("webhook-id".to_owned(), "msg_1".to_owned())],
            group: Some("g".to_owned()),
            deduplication_id: Some("msg_1".to_owned()),
        };
        let expected = json!({
            "Id": "3", "MessageBody": "{}", "MessageGroupId": "g", "MessageDeduplicationId": "msg_1",
            "MessageAttributes": { "webhook-id": { "DataType": "String", "StringValue": "msg_1" } },
        });
        assert_eq!(entry(3, &item), expected);
    }
}
