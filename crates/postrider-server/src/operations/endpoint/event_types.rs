//! Validation of the event types that an endpoint subscribes to.

use std::collections::HashSet;

use postrider::{EventTypeName, SourceId, api::OperationalEvent};
use postrider_core::catalog::{Application, EventType, Source};
use postrider_store::{Records, Scan};
use tokio::task;

use crate::{
    api::{error::ApiError, problems::Problems, suggest},
    operations::{
        call::{ApplicationPath, Call},
        event_type::{
            builtin::{self, PING},
            shows,
        },
    },
};

/// Unknown names that one response lists.
const MAX_UNKNOWN: usize = 20;

/// Event types or sources that are read in one call.
const PAGE: usize = 250;

/// Refuses unknown and archived event types. An endpoint may keep those that it has (`known`).
pub(super) async fn check(
    call: &Call,
    application: &Application,
    path: ApplicationPath<'_>,
    wanted: Option<&[EventTypeName]>,
    known: &[EventTypeName],
) -> Result<(), ApiError> {
    if path.is_operational() {
        return check_operational(wanted.unwrap_or_default());
    }
    let mut problems = Problems::within(&["body"]);
    let mut unknown = Vec::new();
    let known: HashSet<_> = known.iter().collect();
    let wanted = wanted.unwrap_or_default().iter().enumerate();
    for (index, name) in wanted.filter(|(_, name)| !known.contains(name)) {
        let index = index.to_string();
        match builtin::find(call, name).await? {
            Some(it) if it.archived => {
                problems.add(&["eventTypes", &index], "the event type is archived");
            },
            Some(_) => {},
            None if name.as_str() == PING => {},
            None if unknown.is_empty() && receives(call, application, path).await? => return Ok(()),
            None => unknown.push((index, name)),
        }
        if unknown.len() >= MAX_UNKNOWN {
            break;
        }
    }
    if !unknown.is_empty() {
        let all = names(call).await?;
        for (index, name) in unknown {
            let known = all.iter().map(EventTypeName::as_str);
            let otherwise = "; create it first";
            let message =
                suggest::with_suggestions("is not an event type", name.as_str(), known, otherwise);
            problems.add(&["eventTypes", &index], message);
            // The comparison with many names takes long.
            task::yield_now().await;
        }
    }
    problems.finish()
}

/// Refuses the names of events that are not operational.
fn check_operational(wanted: &[EventTypeName]) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    for (index, name) in wanted.iter().enumerate() {
        if !OperationalEvent::NAMES.contains(&name.as_str()) && name.as_str() != PING {
            let all = || format!("; there are {}", OperationalEvent::NAMES.join(", "));
            let message = suggest::with_suggestions(
                "is not an operational event",
                name.as_str(),
                OperationalEvent::NAMES,
                &all(),
            );
            problems.add(&["eventTypes", &index.to_string()], message);
        }
    }
    problems.finish()
}

/// Whether the application receives webhooks of providers, which choose the names of event types.
async fn receives(
    call: &Call,
    application: &Application,
    path: ApplicationPath<'_>,
) -> Result<bool, ApiError> {
    let is_own = |uid: &postrider::Uid| uid.as_str().parse::<SourceId>().is_ok();
    if path.is_source() || application.uid.as_ref().is_some_and(is_own) {
        return Ok(true);
    }
    let mut scan = Scan { after: None, ascending: true, limit: PAGE };
    loop {
        let found = call.store().list::<Source>(call.organization(), scan.clone()).await?;
        if found.items.iter().any(|it| it.application == application.id) {
            return Ok(true);
        }
        let Some(after) = found.resume else { return Ok(false) };
        scan.after = Some(after);
    }
}

/// The event types that the principal may see, as many as are compared.
async fn names(call: &Call) -> Result<Vec<EventTypeName>, ApiError> {
    let mut names = Vec::new();
    let mut scan = Scan { after: None, ascending: true, limit: PAGE };
    loop {
        let mut found = call.store().list::<EventType>(call.organization(), scan.clone()).await?;
        builtin::add(call, &scan, &mut found).await?;
        names.extend(found.items.into_iter().filter(|it| shows(call, it)).map(|it| it.name));
        match found.resume {
            Some(after) if names.len() < suggest::MAX_COMPARED => scan.after = Some(after),
            Some(_) | None => return Ok(names),
        }
    }
}
