//! Starting a background task.

use std::time::Duration;

use postrider::api::PrincipalKind;
use postrider_core::{
    audit::Actor,
    catalog::{Period, Task, Work},
    time::Timestamp,
};
use postrider_store::Expected;

use crate::{
    api::{convert::from_wire, error::ApiError},
    operations::call::Call,
};

/// Most tasks that have not ended.
const MAX_OPEN: usize = 1_000;

/// Starts the work in the background.
pub(in crate::operations) async fn begin(call: &Call, work: Work) -> Result<Task, ApiError> {
    if call.store().open_tasks(None, MAX_OPEN).await?.len() >= MAX_OPEN {
        return Err(ApiError::TooMany("1000 background tasks have not ended yet"));
    }
    let id = call.engine().clock().task_id();
    let task = Task::new(id, call.organization().clone(), work, who(call), call.now);
    call.store().save(&task, Expected::New).await?;
    call.engine().wake_background_tasks();
    Ok(task)
}

/// On whose behalf the operation runs, in words.
pub(in crate::operations) fn who(call: &Call) -> String {
    let Actor { kind, id, name } = &call.principal.actor;
    match (kind, name) {
        (_, Some(name)) => format!("{name} ({id})"),
        (PrincipalKind::ApplicationToken | PrincipalKind::OrganizationToken, None) => {
            format!("a token of {id}")
        },
        (_, None) => id.clone(),
    }
}

/// The period in which messages were accepted. Without an end, messages that were accepted in this
/// millisecond are included.
pub(in crate::operations) fn period(
    call: &Call,
    since: jiff::Timestamp,
    until: Option<jiff::Timestamp>,
) -> Result<Period, ApiError> {
    let now: Timestamp = call.now + Duration::from_millis(1);
    let period = Period { since: from_wire(since), until: until.map_or(now, from_wire) };
    if period.since >= period.until {
        let message = "must be earlier than `until`, which is now if absent";
        return Err(ApiError::invalid(&["body", "since"], message));
    }
    Ok(period)
}
