//! Sends messages to queues and topics, several in one request.

use std::{ops::Range, sync::Arc};

use futures_util::future::join_all;
use http::{HeaderName, HeaderValue};
use postrider_core::{kind::aws::Refusal, outcome::Failure, target::Target};
use postrider_engine::{Batcher, GuardError, Report, ServiceResponse};

use super::{
    client::SignedClient,
    error::{failed, refused},
};

/// Messages in one request.
const PER_REQUEST: usize = 10;

/// Requests in flight for one endpoint.
const REQUESTS: usize = 8;

/// Most bytes of a response. A response has a few hundred for each message.
const MAX_RESPONSE: usize = 256 << 10;

/// How a service takes several messages in one request.
pub(crate) trait Protocol: Send + Sync {
    type Item: Send + Sync;

    /// Most bytes of the messages of a request.
    const MAX_BYTES: usize;

    fn size(item: &Self::Item) -> usize;

    /// Headers and body of the request.
    fn request(&self, items: &[Self::Item]) -> (Vec<(HeaderName, HeaderValue)>, String);

    /// The results of a request that was accepted as a whole, by the message's position: the id
    /// that the service gave the message, or why it did not take it.
    fn results(body: &[u8]) -> Option<Vec<(usize, Result<String, Refusal>)>>;

    /// Why a request was refused as a whole.
    fn refusal(response: &ServiceResponse) -> Refusal;

    /// What was done with a message, for people.
    fn done(&self, id: &str) -> String;
}

/// Sends the messages of one endpoint: those that arrive during a round of requests go into the
/// next one.
#[derive(Debug)]
pub(crate) struct Publisher<P: Protocol> {
    service: SignedClient,
    protocol: P,
    batcher: Batcher<P::Item, Report>,
}

impl<P: Protocol> Publisher<P> {
    pub(crate) fn new(service: SignedClient, protocol: P) -> Self {
        Self { service, protocol, batcher: Batcher::new(PER_REQUEST * REQUESTS) }
    }

    pub(crate) async fn publish(&self, item: P::Item, target: &Arc<Target>) -> Report {
        let write = |items: Vec<P::Item>| async move { self.publish_all(&items, target).await };
        self.batcher.submit(item, write).await.unwrap_or_else(|| {
            let reason = "the request with this message took too long; it is not known whether \
                          the message was accepted";
            Report::failed(Failure::Timeout, reason)
        })
    }

    async fn publish_all(&self, items: &[P::Item], target: &Target) -> Vec<Report> {
        let sizes: Vec<_> = items.iter().map(P::size).collect();
        let requests = requests(&sizes, P::MAX_BYTES)
            .into_iter()
            .filter_map(|range| items.get(range).map(|items| self.request(items, target)));
        join_all(requests).await.into_iter().flatten().collect()
    }

    async fn request(&self, items: &[P::Item], target: &Target) -> Vec<Report> {
        match self.try_request(items, target).await {
            Ok(reports) => reports,
            // What is wrong with the request as a whole may be the fault of one message.
            Err(error) if error.failure == Failure::Rejected && items.len() > 1 => {
                let each = items.chunks(1).map(|item| async move {
                    let sent = self.try_request(item, target).await;
                    sent.unwrap_or_else(|error| vec![failed(error)])
                });
                join_all(each).await.into_iter().flatten().collect()
            },
            Err(error) => items.iter().map(|_| failed(error.clone())).collect(),
        }
    }

    async fn try_request(
        &self,
        items: &[P::Item],
        target: &Target,
    ) -> Result<Vec<Report>, GuardError> {
        let (headers, body) = self.protocol.request(items);
        let response = self.service.post(&headers, body, MAX_RESPONSE, Some(target)).await?;
        let address = Some(response.address);
        if !response.status.is_success() {
            return Err(refused(P::refusal(&response), address));
        }
        let results = P::results(&response.body).unwrap_or_default();
        let mut reports: Vec<_> = items.iter().map(|_| unmentioned()).collect();
        for (position, result) in results {
            if let Some(report) = reports.get_mut(position) {
                *report = match result {
                    Ok(id) => Report::delivered(self.protocol.done(&id)),
                    Err(refusal) => Report::failed(refusal.failure, refusal.reason),
                };
            }
        }
        Ok(reports.into_iter().map(|report| report.at(address)).collect())
    }
}

fn unmentioned() -> Report {
    let reason = "the response does not mention the message; it is not known whether it was \
                  accepted; check that the address is that of the service";
    Report::failed(Failure::Protocol, reason)
}

/// Divides messages into requests, in their order.
fn requests(sizes: &[usize], max_bytes: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (position, size) in sizes.iter().enumerate() {
        let is_full = position - begin == PER_REQUEST || bytes + size > max_bytes;
        if is_full && position > begin {
            ranges.push(begin..position);
            (begin, bytes) = (position, 0);
        }
        bytes += size;
    }
    if begin < sizes.len() {
        ranges.push(begin..sizes.len());
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_limited_by_count_and_by_size() {
        for (sizes, expected) in [
            (vec![], vec![]),
            (vec![1; 12], vec![0..10, 10..12]),
            (vec![60, 40, 1], vec![0..2, 2..3]),
            (vec![100, 100], vec![0..1, 1..2]),
            (vec![200, 1], vec![0..1, 1..2]),
        ] {
            assert_eq!(requests(&sizes, 100), expected, "{sizes:?}");
        }
    }
}
