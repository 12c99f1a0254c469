//! Removes the records of a set that are not declared any more.

use postrider::{ApplicationId, Uid};
use postrider_core::catalog::{Application, Connector, Consumer, Endpoint, EventType, Source};
use postrider_store::Version;

use super::{
    batch::{Batch, EndpointEffect},
    export::{Stored, every},
    names::{Declared, endpoint_name, named},
};
use crate::{
    api::error::ApiError,
    operations::{application, call::Call, connector, consumer, endpoint, event_type, source},
};

/// Adds the removal of records that belong to the set of the batch and are not declared. What
/// refers to others comes first.
pub(super) async fn add(call: &Call, batch: &mut Batch) -> Result<(), ApiError> {
    let stored = Stored::read(call).await?;
    remove_consumers(call, batch, &stored)?;
    remove_endpoints(call, batch, &stored)?;
    remove_sources(call, batch, &stored)?;
    remove_applications(call, batch, &stored)?;
    for found @ (connector, _) in &every::<Connector>(call).await? {
        let Some(uid) = connector.uid.clone().filter(|_| is_managed(batch, connector)) else {
            continue;
        };
        let document = connector::declaration::document(connector)?;
        remove(call, batch, named::<Connector>(uid.as_str()), found, document)?;
    }
    for found @ (event_type, _) in &every::<EventType>(call).await? {
        if is_managed(batch, event_type) {
            let document = event_type::declaration::document(event_type)?;
            let name = named::<EventType>(event_type.name.as_str());
            remove(call, batch, name, found, document)?;
        }
    }
    Ok(())
}

fn is_managed<R: Declared>(batch: &Batch, record: &R) -> bool {
    record.managed_by() == Some(&batch.set)
}

fn remove<R: Declared>(
    call: &Call,
    batch: &mut Batch,
    name: postrider_core::declaration::RecordName,
    (record, version): &(R, Version),
    document: postrider_core::declaration::Document,
) -> Result<(), ApiError> {
    if batch.after.contains_key(&name) {
        return Ok(());
    }
    batch.remove(call, name, (record, *version), document)
}

fn remove_consumers(call: &Call, batch: &mut Batch, stored: &Stored) -> Result<(), ApiError> {
    for found @ (consumer, _) in &stored.consumers {
        let Some(uid) = consumer.uid.as_ref().filter(|_| is_managed(batch, consumer)) else {
            continue;
        };
        let document = consumer::declaration::document(call, consumer)?;
        remove::<Consumer>(call, batch, named::<Consumer>(uid.as_str()), found, document)?;
    }
    Ok(())
}

fn remove_endpoints(call: &Call, batch: &mut Batch, stored: &Stored) -> Result<(), ApiError> {
    for found @ (endpoint, _) in &stored.endpoints {
        let Some(uid) = endpoint.uid.as_ref().filter(|_| is_managed(batch, endpoint)) else {
            continue;
        };
        let names = stored.parents(endpoint.application);
        // An application that a source uses has two names.
        if names.iter().any(|it| batch.after.contains_key(&endpoint_name(it, uid.as_str()))) {
            continue;
        }
        let Some(parent) = names.first() else { continue };
        let document = endpoint::declaration::document(call, endpoint, parent)?;
        let name = endpoint_name(parent, uid.as_str());
        remove::<Endpoint>(call, batch, name, found, document)?;
        if let Some(application) = stored.application(endpoint.application) {
            let (application, old) = (application.clone(), Some(endpoint.clone()));
            batch.endpoints.push(EndpointEffect { application, old, new: None });
        }
    }
    Ok(())
}

fn remove_sources(call: &Call, batch: &mut Batch, stored: &Stored) -> Result<(), ApiError> {
    for found @ (source, _) in &stored.sources {
        let Some(uid) = source.uid.as_ref().filter(|_| is_managed(batch, source)) else {
            continue;
        };
        let name = named::<Source>(uid.as_str());
        if batch.after.contains_key(&name) {
            continue;
        }
        let of = stored.uid_of(source.application).filter(|_| !source.owns_application);
        let document = source::declaration::document(call, source, of)?;
        let is_only = !stored
            .sources
            .iter()
            .any(|(it, _)| it.id != source.id && it.application == source.application);
        remove::<Source>(call, batch, name, found, document)?;
        if source.owns_application && is_only {
            refuse_unmanaged(batch, stored, source.application, ("source", uid))?;
            let own = stored.applications.iter().find(|(it, _)| it.id == source.application);
            if let Some((own, version)) = own {
                batch.removals.extend(call.store().batched_removal((own, *version))?);
            }
        }
    }
    Ok(())
}

fn remove_applications(call: &Call, batch: &mut Batch, stored: &Stored) -> Result<(), ApiError> {
    for found @ (application, _) in &stored.applications {
        let Some(uid) = application.uid.as_ref().filter(|_| is_managed(batch, application)) else {
            continue;
        };
        let name = named::<Application>(uid.as_str());
        if batch.after.contains_key(&name) {
            continue;
        }
        refuse_unmanaged(batch, stored, application.id, ("application", uid))?;
        let document = application::declaration::document(application)?;
        remove::<Application>(call, batch, name, found, document)?;
    }
    Ok(())
}

/// Removing an application would remove what belongs to it, too.
fn refuse_unmanaged(
    batch: &Batch,
    stored: &Stored,
    application: ApplicationId,
    (kind, uid): (&str, &Uid),
) -> Result<(), ApiError> {
    let endpoint = stored
        .endpoints
        .iter()
        .map(|(it, _)| it)
        .find(|it| it.application == application && !is_managed(batch, *it));
    let source = stored.sources.iter().map(|(it, _)| it).find(|it| {
        it.application == application && !it.owns_application && !is_managed(batch, *it)
    });
    let kept = match (endpoint, source) {
        (Some(endpoint), _) => format!("endpoint {}", endpoint.id),
        (None, Some(source)) => format!("source {}", source.id),
        (None, None) => return Ok(()),
    };
    Err(ApiError::Conflict {
        code: "not_managed",
        detail: format!(
            "the {kind} {uid} is not declared any more, but its {kept} does not belong to the set \
             {}; delete the {kept}, or declare the {kind} again",
            batch.set
        ),
    })
}
