//! moto, which behaves like SQS and SNS, and a client for it that is not ours to test.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method};
use postrider_engine::ServiceRequest;
use postrider_testing::ExternalServer;
use serde_json::{Value, json};

use crate::fixtures::guard;

/// moto does not check it, but it finds the service and the region there.
const SQS: &str = "AWS4-HMAC-SHA256 Credential=test-key/20261127/us-east-1/sqs/aws4_request, \
                   SignedHeaders=host, Signature=0";
const SNS: &str = "AWS4-HMAC-SHA256 Credential=test-key/20261127/us-east-1/sns/aws4_request, \
                   SignedHeaders=host, Signature=0";

/// moto is empty after each start.
#[derive(Debug)]
pub(crate) struct Moto {
    pub(crate) service: ExternalServer,
    queues: AtomicUsize,
}

impl Moto {
    pub(crate) fn start() -> Self {
        Self { service: ExternalServer::start("aws", &[]), queues: AtomicUsize::new(0) }
    }

    pub(crate) fn url(&self) -> &str {
        self.service.key("url")
    }

    /// A new queue; its URL.
    pub(crate) async fn queue(&self, suffix: &str, attributes: Value) -> String {
        let name = format!("queue-{}{suffix}", self.queues.fetch_add(1, Relaxed));
        let request = json!({ "QueueName": name, "Attributes": attributes });
        let created = self.sqs("CreateQueue", request).await;
        created["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// Creates a queue as the request says.
    pub(crate) async fn create(&self, request: Value) {
        self.sqs("CreateQueue", request).await;
    }

    pub(crate) async fn put(&self, queue: &str, body: &str) {
        self.sqs("SendMessage", json!({ "QueueUrl": queue, "MessageBody": body })).await;
    }

    /// Takes all messages out of a queue.
    pub(crate) async fn take(&self, queue: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let request = json!({
                "QueueUrl": queue, "MaxNumberOfMessages": 10,
                "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
            });
            let received = self.sqs("ReceiveMessage", request).await;
            let Some(messages) = received["Messages"].as_array() else { return all };
            for message in messages {
                let handle = &message["ReceiptHandle"];
                self.sqs("DeleteMessage", json!({ "QueueUrl": queue, "ReceiptHandle": handle }))
                    .await;
            }
            all.extend(messages.iter().cloned());
        }
    }

    /// A new topic with a queue that gets its messages; its ARN and the queue's URL.
    pub(crate) async fn topic(&self, suffix: &str, attributes: Value) -> (String, String) {
        let queue = self.queue(suffix, attributes).await;
        let name = queue.rsplit('/').next().unwrap();
        let fifo = if suffix.is_empty() {
            ""
        } else {
            "&Attributes.entry.1.key=FifoTopic&Attributes.entry.1.value=true"
        };
        let created = self.sns(&format!("Action=CreateTopic&Name={name}{fifo}")).await;
        let arn = created.split_once("<TopicArn>").unwrap().1.split_once('<').unwrap().0.to_owned();
        let queue_arn = arn.replace(":sns:", ":sqs:");
        self.sns(&format!(
            "Action=Subscribe&TopicArn={arn}&Protocol=sqs&Endpoint={queue_arn}\
             &Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true"
        ))
        .await;
        (arn, queue)
    }

    async fn sqs(&self, action: &str, request: Value) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", format!("AmazonSQS.{action}").parse().unwrap());
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
        headers.insert("authorization", HeaderValue::from_static(SQS));
        let body = self.post(headers, request.to_string()).await;
        if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() }
    }

    async fn sns(&self, form: &str) -> String {
        let mut headers = HeaderMap::new();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert("content-type", form_type);
        headers.insert("authorization", HeaderValue::from_static(SNS));
        self.post(headers, format!("{form}&Version=2010-03-31")).await
    }

    async fn post(&self, headers: HeaderMap, body: String) -> String {
        let request = ServiceRequest {
            method: Method::POST,
            url: self.url().parse().unwrap(),
            headers,
            body: body.into(),
            trusted: None,
            max_response: 16 << 20,
        };
        let guard = guard();
        let sending = guard.http().request(&request, None);
        let response = tokio::time::timeout(Duration::from_secs(20), sending).await.unwrap();
        let response = response.unwrap();
        let body = String::from_utf8(response.body.to_vec()).unwrap();
        assert!(response.status.is_success(), "{body}");
        body
    }
}
