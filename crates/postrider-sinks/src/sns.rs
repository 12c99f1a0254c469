//! Publishes messages to Amazon SNS topics.

mod protocol;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{Destination, sns::Sns},
    outcome::Failure,
    target::Target,
};
use postrider_engine::{Call, Clients, Guard, HttpClient, Report, Sender};

use self::protocol::{SnsProtocol, find_topic};
use crate::aws::{Publisher, Service, failed};

/// Endpoints whose clients are kept, and for how long without use.
const CLIENTS: usize = 1_000;
const IDLE: Duration = Duration::from_secs(300);

/// Publishes messages to SNS topics.
#[derive(Debug)]
pub(crate) struct SnsSender {
    http: HttpClient,
    clients: Clients<Result<Publisher<SnsProtocol>, Report>>,
}

impl SnsSender {
    pub(crate) fn new(guard: &Guard) -> Self {
        Self { http: guard.http().clone(), clients: Clients::new(CLIENTS, IDLE) }
    }

    #[expect(clippy::result_large_err, reason = "a report is made once for each delivery")]
    fn service(&self, sns: &Sns) -> Result<Service, Report> {
        let account = sns.account();
        let url = account.url("sns").ok_or_else(|| {
            Report::failed(Failure::Misconfigured, "`region` is not valid; correct it")
        })?;
        Ok(Service::new(&self.http, "sns", account, url))
    }

    #[expect(clippy::result_large_err, reason = "a report is made once for each delivery")]
    async fn publish(&self, call: &Call) -> Result<Report, Report> {
        let sns = config(&call.target).ok_or_else(wrong_kind)?;
        let notification = sns
            .notification(&call.message, &call.body)
            .map_err(|refusal| Report::failed(refusal.failure, refusal.reason))?;
        let client = self.clients.get(&call.target, || {
            let service = self.service(sns)?;
            Ok(Publisher::new(service, SnsProtocol::new(&sns.topic_arn)))
        });
        let publisher = client.as_ref().as_ref().map_err(Clone::clone)?;
        Ok(publisher.publish(notification, &call.target).await)
    }
}

#[async_trait]
impl Sender for SnsSender {
    async fn send(&self, call: Call) -> Report {
        self.publish(&call).await.unwrap_or_else(|report| report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let Some(sns) = config(&target) else { return wrong_kind() };
        let service = match self.service(sns) {
            Ok(service) => service,
            Err(report) => return report,
        };
        match find_topic(&service, &sns.topic_arn, &target).await {
            Ok(address) => {
                let done = "the topic exists and the credentials are valid; nothing was published";
                Report::delivered(done).at(Some(address))
            },
            Err(error) => failed(error),
        }
    }
}

fn config(target: &Target) -> Option<&Sns> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    match &target.destination {
        Destination::Sns(config) => Some(config),
        _ => None,
    }
}

fn wrong_kind() -> Report {
    Report::failed(Failure::Protocol, "internal error: this is not an SNS topic")
}
