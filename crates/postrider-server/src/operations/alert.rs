//! The alerts to the operator that are firing.

use postrider::{
    EndpointId, SourceId,
    api::{AlertKind, AlertOut, AlertsOut, Permission},
};
use postrider_core::{
    alert,
    catalog::{Application, Source},
};
use postrider_store::{EndpointKey, IdOrUid, Records};

use crate::{
    api::{convert::to_wire, error::ApiError, operation::operations, reply::Done},
    operations::call::Call,
};

operations! {
    tag "Alerts";

    /// List the alerts that are firing
    List "v1.alert.list" = GET "/api/v1/alerts"
        -> Done<AlertsOut> = list,
        needs(Permission::Read);
}

/// Those of other organizations are left out; those of the installation are shown to all.
async fn list(call: Call, _: List) -> Result<Done<AlertsOut>, ApiError> {
    let mut data = Vec::new();
    for alert in call.engine().firing_alerts().await? {
        if concerns(&call, &alert).await? {
            data.extend(render(alert));
        }
    }
    Ok(Done(AlertsOut { configured: call.engine().has_alert_receiver(), data }))
}

/// Whether the alert is about the organization or about the whole installation.
async fn concerns(call: &Call, alert: &alert::Alert) -> Result<bool, ApiError> {
    let (store, organization) = (call.store(), call.organization());
    if let Some((application, _)) = alert.endpoint {
        let found = store.get::<Application>(organization, &IdOrUid::Id(application)).await?;
        return Ok(found.is_some());
    }
    if let Ok(source) = alert.key.subject.parse::<SourceId>() {
        return Ok(store.get::<Source>(organization, &IdOrUid::Id(source)).await?.is_some());
    }
    if let Ok(endpoint) = alert.key.subject.parse::<EndpointId>() {
        let key = EndpointKey::Id(endpoint);
        return Ok(!store.endpoints_by_key(organization.clone(), key, 1).await?.is_empty());
    }
    Ok(true)
}

fn render(alert: alert::Alert) -> Option<AlertOut> {
    let (app_id, endpoint_id) = alert.endpoint.unzip();
    Some(AlertOut {
        kind: kind(alert.key.kind)?,
        subject: alert.key.subject,
        summary: alert.summary,
        began_at: to_wire(alert.began_at),
        app_id,
        endpoint_id,
    })
}

/// `None` for tests, which do not fire.
const fn kind(kind: alert::AlertKind) -> Option<AlertKind> {
    Some(match kind {
        alert::AlertKind::EndpointDisabled => AlertKind::EndpointDisabled,
        alert::AlertKind::SourceRejecting => AlertKind::SourceRejecting,
        alert::AlertKind::DiskNearlyFull => AlertKind::DiskNearlyFull,
        alert::AlertKind::CertificateExpiring => AlertKind::CertificateExpiring,
        alert::AlertKind::DeliveriesLate => AlertKind::DeliveriesLate,
        alert::AlertKind::StoreUnavailable => AlertKind::StoreUnavailable,
        alert::AlertKind::Test => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_api_are_those_of_the_configuration() {
        for of_core in alert::AlertKind::ALL {
            assert_eq!(kind(of_core).map(AlertKind::name), Some(of_core.name()));
        }
        assert_eq!(kind(alert::AlertKind::Test), None);
    }
}
