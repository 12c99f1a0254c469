//! The rotation of the main secret.

use postrider::api::{MainSecretOut, MainSecretUse, Permission};
use postrider_engine::SecretCounts;

use crate::{
    api::{convert::to_wire, error::ApiError, operation::operations, reply::Done},
    operations::call::Call,
};

operations! {
    tag "Installation";

    /// Get the main secrets in use, and how far their rotation is
    GetMainSecret "v1.main-secret.get" = GET "/api/v1/main-secret"
        -> Done<MainSecretOut> = get,
        needs(Permission::Administer);
}

async fn get(call: Call, _: GetMainSecret) -> Result<Done<MainSecretOut>, ApiError> {
    let status = call.engine().rotation().status();
    let found = status.found.as_ref();
    let secrets = call.engine().vault().fingerprints().iter().enumerate();
    let secrets = secrets.map(|(index, fingerprint)| MainSecretUse {
        fingerprint: fingerprint.to_string(),
        current: index == 0,
        values: found.and_then(|it| it.by_key.get(index).copied()),
    });
    Ok(Done(MainSecretOut {
        secrets: secrets.collect(),
        complete: status.is_complete && status.is_recorded,
        outdated_values: found.map_or(0, SecretCounts::outdated),
        plaintext_values: found.map_or(0, |it| it.plaintext),
        unreadable_records: found.map_or(0, |it| it.unreadable),
        checked_at: status.checked_at.map(to_wire),
    }))
}
