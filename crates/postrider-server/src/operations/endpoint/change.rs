//! Changes of how the requests to an endpoint authenticate.

use postrider::EndpointId;
use postrider_core::catalog::Endpoint;
use postrider_store::IdOrUid;

use super::{current, replace};
use crate::{
    api::error::ApiError,
    operations::call::{ApplicationPath, Call},
    race,
};

/// Changes how the requests to an endpoint authenticate.
pub(super) async fn authentication(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    change: impl Fn(&mut Endpoint) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let try_once = async || -> Result<(), ApiError> {
        let entry = call.application(path).await?;
        let _lock = call.locks().application(entry.application.id).await;
        let old = current(call, &entry, endpoint_id).await?;
        let mut endpoint = Endpoint { updated_at: call.now, ..old.0.clone() };
        check_kind(&endpoint)?;
        change(&mut endpoint)?;
        replace(call, path, &entry.application, &old, &endpoint).await
    };
    race::retry(try_once).await
}

fn check_kind(endpoint: &Endpoint) -> Result<(), ApiError> {
    if endpoint.kind.is_http() {
        return Ok(());
    }
    let detail = "only endpoints of the kind `http` authenticate in this way; others have their \
                  credentials in `config`";
    Err(ApiError::Bad { code: "not_http", detail: detail.to_owned() })
}
