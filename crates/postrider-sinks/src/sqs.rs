//! Sends messages to Amazon SQS queues, and reads them from there.

mod protocol;
mod queue;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{Destination, aws::Account, sqs::Sqs},
    outcome::Failure,
    target::Target,
};
use postrider_engine::{Call, Clients, Guard, HttpClient, Report, Sender};
use url::Url;

use self::protocol::{Action, SqsProtocol, call};
pub(crate) use self::queue::SqsConnector;
use crate::aws::{Publisher, SignedClient, failed};

/// Endpoints whose clients are kept, and for how long without use.
const CLIENTS: usize = 1_000;
const IDLE: Duration = Duration::from_secs(300);

/// Sends messages to SQS queues.
#[derive(Debug)]
pub(crate) struct SqsSender {
    http: HttpClient,
    clients: Clients<Publisher<SqsProtocol>>,
}

impl SqsSender {
    pub(crate) fn new(guard: &Guard) -> Self {
        Self { http: guard.http().clone(), clients: Clients::new(CLIENTS, IDLE) }
    }

    fn client(&self, sqs: &Sqs) -> Publisher<SqsProtocol> {
        let service = service(&self.http, sqs.account(), &sqs.queue_url);
        Publisher::new(service, SqsProtocol::new(&sqs.queue_url))
    }
}

/// The service is where the queue is, unless the configuration says otherwise.
fn service(http: &HttpClient, account: Account<'_>, queue_url: &Url) -> SignedClient {
    let mut url = account.endpoint_url.unwrap_or(queue_url).clone();
    if account.endpoint_url.is_none() {
        url.set_path("/");
    }
    SignedClient::new(http, "sqs", account, url)
}

#[async_trait]
impl Sender for SqsSender {
    async fn send(&self, call: Call) -> Report {
        let Some(sqs) = config(&call.target) else { return wrong_kind() };
        match sqs.publication(&call.message, &call.body) {
            Ok(publication) => {
                let client = self.clients.get(&call.target, || self.client(sqs));
                client.publish(publication, &call.target).await
            },
            Err(refusal) => Report::failed(refusal.failure, refusal.reason),
        }
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let Some(sqs) = config(&target) else { return wrong_kind() };
        let service = service(&self.http, sqs.account(), &sqs.queue_url);
        let request =
            serde_json::json!({ "QueueUrl": sqs.queue_url, "AttributeNames": ["QueueArn"] });
        match call(&service, Action::GetQueueAttributes, &request, Some(&target)).await {
            Ok((_, address)) => {
                let done = "the queue exists and the credentials are valid; nothing was sent";
                Report::delivered(done).at(Some(address))
            },
            Err(error) => failed(error),
        }
    }
}

fn config(target: &Target) -> Option<&Sqs> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    match &target.destination {
        Destination::Sqs(config) => Some(config),
        _ => None,
    }
}

fn wrong_kind() -> Report {
    Report::failed(Failure::Protocol, "internal error: this is not an SQS queue")
}
