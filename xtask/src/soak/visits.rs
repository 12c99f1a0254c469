//! Applications that are created, published to and deleted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::ensure;
use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use super::{
    api::Call,
    model::{Message, Topic},
    run::Run,
};

/// Messages to an application while it has an endpoint.
const MESSAGES: u64 = 3;

/// The message that is sent when the endpoint is deleted.
const TOO_LATE: u64 = 99;

/// How long these messages may take.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Time between two visits.
const INTERVAL: Duration = Duration::from_secs(2);

/// The messages that have arrived, by visit.
#[derive(Debug, Default)]
pub(crate) struct Visits(Mutex<BTreeMap<u64, u64>>);

impl Visits {
    /// Notes a message by its place in the visit, from 1.
    ///
    /// # Errors
    ///
    /// If it must not arrive.
    pub(crate) fn arrive(&self, visit: u64, place: u64) -> Result<(), String> {
        if place == TOO_LATE {
            return Err(format!("visit {visit} got a message after its endpoint was deleted"));
        }
        if let Some(arrived) = self.lock().get_mut(&visit) {
            *arrived |= 1 << place.min(63);
        }
        Ok(())
    }

    fn begin(&self, visit: u64) {
        self.lock().insert(visit, 0);
    }

    fn count(&self, visit: u64) -> u64 {
        self.lock().get(&visit).map_or(0, |it| u64::from(it.count_ones()))
    }

    fn end(&self, visit: u64) {
        self.lock().remove(&visit);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Visits until the load ends.
pub(crate) async fn come_and_go(run: Arc<Run>, visits: Arc<Visits>) {
    for visit in 0.. {
        visits.begin(visit);
        run.check(&format!("visit {visit}"), come(&run, &visits, visit)).await;
        visits.end(visit);
        if !run.pause(INTERVAL).await {
            break;
        }
    }
}

async fn come(run: &Run, visits: &Visits, visit: u64) -> anyhow::Result<()> {
    let app = format!("/api/v1/app/visit-{visit}");
    let endpoint = format!("{app}/endpoint/visited");
    let body = json!({ "name": "visitor", "uid": format!("visit-{visit}") });
    run.api.succeed(&Call::with_body(Method::POST, "/api/v1/app", &body)).await?;
    let body = json!({
        "uid": "visited", "url": format!("http://{}/v/{visit}", run.receivers),
        "filterTypes": [Topic::Visit.event_type()], "headers": { "x-visit": visit.to_string() },
    });
    run.api.succeed(&Call::with_body(Method::POST, format!("{app}/endpoint"), &body)).await?;
    for place in 1..=MESSAGES {
        publish(run, &app, visit, place).await?;
    }
    let mut waited = Duration::ZERO;
    while visits.count(visit) < MESSAGES {
        let arrived = visits.count(visit);
        ensure!(waited < TIMEOUT, "{arrived} of {MESSAGES} messages arrived in {waited:?}");
        sleep(Duration::from_millis(100)).await;
        waited += Duration::from_millis(100);
    }
    let change = json!({ "description": "changed", "throttleRate": 50 });
    run.api.succeed(&Call::with_body(Method::PATCH, endpoint.clone(), &change)).await?;
    run.api.succeed(&delete(&endpoint)).await?;
    publish(run, &app, visit, TOO_LATE).await?;
    run.api.succeed(&delete(&app)).await?;
    let status = run.api.insist(&Call::get(app)).await?.status;
    ensure!(status == StatusCode::NOT_FOUND, "a deleted application is there: {status}");
    run.activity().visits += 1;
    Ok(())
}

async fn publish(run: &Run, app: &str, visit: u64, place: u64) -> anyhow::Result<()> {
    let payload = Message {
        number: 0,
        owner: 0,
        topic: Topic::Visit,
        even: false,
        sequence: place,
        sent_at: 0,
        transformed: false,
    };
    let body = json!({ "eventType": Topic::Visit.event_type(), "payload": payload });
    let call = Call::with_body(Method::POST, format!("{app}/msg"), &body);
    run.api.succeed(&call.header("idempotency-key", &format!("{visit}-{place}"))).await?;
    Ok(())
}

fn delete(path: &str) -> Call {
    Call { method: Method::DELETE, path: path.to_owned(), ..Call::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_once_and_none_may_arrive_after_the_endpoint_was_deleted() {
        let visits = Visits::default();
        visits.begin(4);
        for place in [1, 2, 2] {
            visits.arrive(4, place).unwrap();
        }
        assert_eq!((visits.count(4), visits.count(5)), (2, 0));
        visits.arrive(4, TOO_LATE).unwrap_err();
    }
}
