//! Built-in event types: those of the operational webhooks, in the operator's organization. A stored
//! event type of the same name takes precedence.

use postrider::{EventTypeName, OrganizationId, api::OperationalEvent};
use postrider_core::{catalog::EventType, time::Timestamp};
use postrider_store::{Expected, IdOrUid, Records, Scan, ScanPage, StoreError};

use crate::operations::call::Call;

/// An event type that exists in every organization, for tests of endpoints.
pub(crate) const PING: &str = "svix.ping";

/// The descriptions of [`OperationalEvent::NAMES`].
const DESCRIPTIONS: [&str; OperationalEvent::NAMES.len()] = [
    "An endpoint was created.",
    "An endpoint was changed.",
    "An endpoint was deleted.",
    "An endpoint was enabled.",
    "An endpoint was disabled, by hand or because it kept failing.",
    "A message could not be delivered: all attempts failed.",
    "A message failed several times and is still being retried.",
    "A message that was reported as failing was delivered.",
];

/// The event type of this name, stored or built in.
pub(crate) async fn find(
    call: &Call,
    name: &EventTypeName,
) -> Result<Option<EventType>, StoreError> {
    let stored =
        call.store().get::<EventType>(call.organization(), &IdOrUid::Id(name.clone())).await?;
    Ok(stored.or_else(|| built_in(call, name)))
}

/// The event type of this name, and what a change of it expects to find in the store.
pub(super) async fn find_versioned(
    call: &Call,
    name: &EventTypeName,
) -> Result<Option<(EventType, Expected)>, StoreError> {
    let key = IdOrUid::Id(name.clone());
    let stored = call.store().get_versioned::<EventType>(call.organization(), &key).await?;
    let stored = stored.map(|(event_type, version)| (event_type, Expected::Version(version)));
    Ok(stored.or_else(|| built_in(call, name).map(|event_type| (event_type, Expected::New))))
}

fn built_in(call: &Call, name: &EventTypeName) -> Option<EventType> {
    let organization = call.organization();
    let is_operator = call.engine().operator() == Some(organization);
    is_operator.then(|| operational(organization, name)).flatten()
}

fn operational(organization: &OrganizationId, name: &EventTypeName) -> Option<EventType> {
    let index = OperationalEvent::NAMES.iter().position(|it| *it == name.as_str())?;
    Some(EventType {
        managed_by: None,
        organization: organization.clone(),
        name: name.clone(),
        description: DESCRIPTIONS[index].to_owned(),
        archived: false,
        deprecated: false,
        schemas: None,
        schema_validation: None,
        feature_flags: Vec::new(),
        group_name: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    })
}

/// Adds the built-in event types to a part of a list from the store.
pub(crate) async fn add(
    call: &Call,
    scan: &Scan<EventTypeName>,
    found: &mut ScanPage<EventType, EventTypeName>,
) -> Result<(), StoreError> {
    for name in OperationalEvent::NAMES {
        let name: EventTypeName = name.parse().expect("our names are names");
        let Some(event_type) = built_in(call, &name) else { return Ok(()) };
        let is_stored = call
            .store()
            .get::<EventType>(call.organization(), &IdOrUid::Id(name.clone()))
            .await?
            .is_some();
        if !is_stored && lies_within(&name, scan, found.resume.as_ref()) {
            found.items.push(event_type);
        }
    }
    found.items.sort_by(|a, b| a.name.cmp(&b.name));
    if !scan.ascending {
        found.items.reverse();
    }
    if found.items.len() > scan.limit {
        found.items.truncate(scan.limit);
        found.resume = found.items.last().map(|it| it.name.clone());
    }
    Ok(())
}

/// Whether a scan up to `until`, or to the end, includes the name.
fn lies_within(
    name: &EventTypeName,
    scan: &Scan<EventTypeName>,
    until: Option<&EventTypeName>,
) -> bool {
    let is_before =
        |a: &EventTypeName, b: &EventTypeName| if scan.ascending { a < b } else { a > b };
    scan.after.as_ref().is_none_or(|after| is_before(after, name))
        && until.is_none_or(|until| !is_before(until, name))
}
