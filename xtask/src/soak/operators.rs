//! People and programs that change things: pauses, changes of endpoints, resends and recoveries.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use http::{Method, StatusCode};
use postrider_core::time::Timestamp;
use serde_json::json;

use super::{
    api::{Call, Returned},
    model::{APPLICATIONS, Endpoint, Role, endpoints},
    run::Run,
    setup,
};
use crate::bench::clock;

/// How long an endpoint is paused, and then not.
const PAUSED: Duration = Duration::from_secs(20);
const RESUMED: Duration = Duration::from_secs(25);

const CHANGE_INTERVAL: Duration = Duration::from_secs(3);
const RESEND_INTERVAL: Duration = Duration::from_secs(1);
const RECOVERY_INTERVAL: Duration = Duration::from_secs(10);
const REPLACEMENT_INTERVAL: Duration = Duration::from_secs(60);

/// How far back a recovery reaches.
const RECOVERED_PERIOD: Duration = Duration::from_secs(300);

/// Pauses and resumes an endpoint of each application until the load ends.
pub(crate) async fn pause_and_resume(run: Arc<Run>) {
    let all = endpoints().into_iter().enumerate();
    let paused: Vec<_> = all.filter(|(_, it)| it.role == Role::Paused).collect();
    let mut goes_on = true;
    while goes_on {
        for (index, endpoint) in &paused {
            if run
                .check("pause", patch(&run, *endpoint, &json!({ "paused": true })))
                .await
                .is_some()
            {
                let now = run.now();
                run.record().set_paused(*index, Some(now));
            }
        }
        goes_on = run.pause(PAUSED).await;
        for (index, endpoint) in &paused {
            run.record().set_paused(*index, None);
            run.check("resume", patch(&run, *endpoint, &json!({ "paused": false }))).await;
        }
        run.activity().pauses += 1;
        goes_on = goes_on && run.pause(RESUMED).await;
    }
}

/// Changes what does not affect which messages an endpoint gets, until the load ends.
pub(crate) async fn change(run: Arc<Run>) {
    for round in 0.. {
        let owner = round % APPLICATIONS;
        let role = [Role::Fast, Role::Slow, Role::Filtered][round % 3];
        let body = json!({
            "description": format!("changed {round} times"),
            "metadata": { "round": round.to_string() },
            "throttleRate": 1_000 + round % 10,
        });
        run.check("change", patch(&run, Endpoint { owner, role }, &body)).await;
        run.activity().changes += 1;
        if !run.pause(CHANGE_INTERVAL).await {
            break;
        }
    }
}

/// Removes the endpoints that refuse connections, and creates them again, until the load ends. What
/// waits for them would take more and more space.
pub(crate) async fn replace_dead(run: Arc<Run>, url: String) {
    let all = endpoints().into_iter();
    let dead: Vec<_> = all.filter(|it| it.role == Role::Dead).collect();
    while run.pause(REPLACEMENT_INTERVAL).await {
        for &endpoint in &dead {
            run.check("replace", replace(&run, endpoint, &url)).await;
        }
        run.activity().replacements += 1;
    }
}

async fn replace(run: &Run, endpoint: Endpoint, url: &str) -> anyhow::Result<()> {
    let call = Call { method: Method::DELETE, path: path(endpoint), ..Call::default() };
    run.api.succeed(&call).await?;
    setup::add_endpoint(run, endpoint, url).await
}

async fn patch(run: &Run, endpoint: Endpoint, body: &serde_json::Value) -> anyhow::Result<()> {
    let path = path(endpoint);
    run.api.succeed(&Call::with_body(Method::PATCH, path, body)).await?;
    Ok(())
}

fn path(Endpoint { owner, role }: Endpoint) -> String {
    format!("/api/v1/app/soak-{owner}/endpoint/{}", role.uid())
}

/// Sends messages again that have arrived, until the load ends.
pub(crate) async fn resend(run: Arc<Run>) {
    while run.pause(RESEND_INTERVAL).await {
        let (draw, now) = (run.draw(), run.now());
        let chosen = run.record().choose_resend(draw, now);
        if let Some((index, number, id)) = chosen {
            let is_accepted = run.check("resend", resend_one(&run, index, &id)).await;
            run.record().resend_ended(index, number, is_accepted.unwrap_or(false));
        }
    }
}

/// Whether the server accepted the resend, and once.
async fn resend_one(run: &Run, index: usize, id: &str) -> anyhow::Result<bool> {
    let Some(Endpoint { owner, role }) = run.record().endpoint(index) else { return Ok(false) };
    let path = format!("/api/v1/app/soak-{owner}/msg/{id}/endpoint/{}/resend", role.uid());
    let call = Call { method: Method::POST, path, ..Call::default() };
    let Returned { status, body, attempts } = run.api.insist(&call).await?;
    // It is not known whether the first request of several had an effect, or whether the server
    // was stopped between the arrival of the message and its record.
    if attempts > 1 || status == StatusCode::CONFLICT {
        return Ok(false);
    }
    ensure!(status == StatusCode::ACCEPTED, "{status} {body}");
    Ok(true)
}

/// Recovers failed messages until the load ends.
pub(crate) async fn recover(run: Arc<Run>) {
    while run.pause(RECOVERY_INTERVAL).await {
        recover_all(&run).await;
    }
}

/// Recovers failed messages of all applications once.
pub(crate) async fn recover_all(run: &Run) {
    for owner in 0..APPLICATIONS {
        run.check("recover", recover_one(run, Endpoint { owner, role: Role::Recovered })).await;
    }
}

async fn recover_one(run: &Run, endpoint: Endpoint) -> anyhow::Result<()> {
    let now = clock::unix_nanos() / 1_000_000;
    let period = u64::try_from(RECOVERED_PERIOD.as_millis())?;
    let since = Timestamp::from_millis(now.saturating_sub(period)).to_rfc3339();
    let path = format!("{}/recover", path(endpoint));
    let call = Call::with_body(Method::POST, path, &json!({ "since": since }));
    let Returned { status, body, .. } = run.api.insist(&call).await?;
    ensure!(status.is_success() || status == StatusCode::CONFLICT, "{status} {body}");
    run.activity().recoveries += 1;
    Ok(())
}
