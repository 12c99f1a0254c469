//! What a search reaches: the organization, or a part of it.

use std::{collections::HashMap, sync::Arc};

use postrider::{ApplicationId, EndpointId};
use postrider_engine::Entry;
use postrider_store::{EndpointKey, IdOrUid, Reach};

use crate::{
    api::{error::ApiError, path::id_or_uid},
    operations::call::{self, Call},
};

/// What a search with these parameters reaches. A token of an application reaches only that one.
pub(super) async fn reach(
    call: &Call,
    app_id: Option<&str>,
    endpoint_id: Option<&str>,
) -> Result<Reach, ApiError> {
    let application = match app_id {
        Some(text) => Some(id_or_uid(text).ok_or(ApiError::NotFound("application"))?),
        None => call.principal.grant.application.as_ref().map(|own| IdOrUid::Id(own.id)),
    };
    let entry = match (&application, endpoint_id) {
        (Some(named), _) => Some(call.application(named).await?),
        (None, Some(endpoint)) => Some(application_of(call, endpoint).await?),
        (None, None) => None,
    };
    let Some(entry) = entry else { return Ok(Reach::organization(call.organization().clone())) };
    let endpoint = endpoint_id.map(|text| {
        let named = id_or_uid::<EndpointId>(text).ok_or(ApiError::NotFound("endpoint"))?;
        Ok::<_, ApiError>(call::endpoint(&entry, &named)?.id)
    });
    let application = Some((entry.application.id, endpoint.transpose()?));
    Ok(Reach { organization: call.organization().clone(), application })
}

/// The application of an endpoint of the organization.
async fn application_of(call: &Call, endpoint: &str) -> Result<Arc<Entry>, ApiError> {
    let Ok(id) = endpoint.parse::<EndpointId>() else {
        let message = "is not the id of an endpoint; with a uid, app_id is required";
        return Err(ApiError::invalid(&["query", "endpoint_id"], message));
    };
    let organization = call.organization().clone();
    let found = call.store().endpoints_by_key(organization, EndpointKey::Id(id), 1).await?;
    let endpoint = found.first().ok_or(ApiError::NotFound("endpoint"))?;
    call.application(&IdOrUid::Id(endpoint.application)).await
}

/// The applications of the items of a page.
pub(super) struct Entries(HashMap<ApplicationId, Arc<Entry>>);

impl Entries {
    /// Those that still exist.
    pub(super) async fn of(
        call: &Call,
        applications: impl Iterator<Item = ApplicationId>,
    ) -> Result<Self, ApiError> {
        let mut entries = HashMap::new();
        for id in applications {
            if !entries.contains_key(&id)
                && let Some(entry) = call.engine().directory().entry(id).await?
            {
                entries.insert(id, entry);
            }
        }
        Ok(Self(entries))
    }

    pub(super) fn get(&self, id: ApplicationId) -> Option<&Entry> {
        self.0.get(&id).map(|entry| &**entry)
    }
}
