//! Tokens that only publish messages of one application. They are API keys.

use postrider::{
    ApplicationId,
    api::{ApiTokenOut, CreateTokenIn, Permission, Role},
};
use postrider_store::IdOrUid;

use crate::{
    api::{
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::{Idempotency, operations},
        reply::Done,
    },
    operations::{
        api_key::{self, NewKey},
        call::Call,
    },
};

operations! {
    tag "Authentication";

    /// Create a token that only publishes messages of one application
    CreateMessageToken "v1.authentication.create-message-token" = POST "/api/v1/auth/app/{app_id}/create-message-token"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<CreateTokenIn> }
        -> Done<ApiTokenOut> = create,
        needs(Permission::Administer),
        idempotency(Idempotency::Unkeyed);
}

async fn create(call: Call, input: CreateMessageToken) -> Result<Done<ApiTokenOut>, ApiError> {
    let CreateTokenIn { name, expiry } = input.body;
    let lasts = api_key::check(&name, expiry)?;
    let application = Some(call.application(&input.app_id).await?.application.id);
    let wanted = NewKey { name, role: Role::Publisher, application, lasts };
    let (key, token) = api_key::make(&call, wanted).await?;
    Ok(Done(ApiTokenOut {
        token,
        id: key.id,
        name: key.name,
        created_at: to_wire(key.created_at),
        expires_at: key.expires_at.map(to_wire),
        scopes: vec![key.role.name().to_owned()],
    }))
}
