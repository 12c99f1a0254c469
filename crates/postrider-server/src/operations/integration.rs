//! Integrations of applications, and their keys.

use postrider::{
    ApplicationId, IntegrationId,
    api::{
        ListResponse,
        integration::{IntegrationIn, IntegrationKeyOut, IntegrationOut, MAX_INTEGRATIONS},
    },
    name::MAX_NAME,
};
use postrider_core::catalog::{Application, Integration};
use postrider_store::{IdOrUid, ScanPage};

use super::application;
use crate::{
    api::{
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::operations,
        problems::{Problems, WordRule},
        reply::{Created, Done, NoContent},
    },
    auth::{
        key::{KeyGrant, KeyId},
        token::{self, ApplicationGrant, Grant},
    },
    operations::{
        call::Call,
        page::{Page, PageQuery},
    },
};
use postrider::api::Permission;

const FLAGS: WordRule = WordRule {
    field: "featureFlags",
    min_items: 0,
    max_items: 100,
    max_length: MAX_NAME,
    marks: "-_.",
};

operations! {
    tag "Integration";

    /// List an application's integrations
    List "v1.integration.list" = GET "/api/v1/app/{app_id}/integration"
        path { app_id: IdOrUid<ApplicationId> }
        query { PageQuery }
        -> Done<ListResponse<IntegrationOut>> = list,
        needs(Permission::Read);

    /// Create an integration
    Create "v1.integration.create" = POST "/api/v1/app/{app_id}/integration"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<IntegrationIn> }
        -> Created<IntegrationOut> = create,
        needs(Permission::Operate);

    /// Get an integration
    Get "v1.integration.get" = GET "/api/v1/app/{app_id}/integration/{integ_id}"
        path { app_id: IdOrUid<ApplicationId>, integ_id: IntegrationId }
        -> Done<IntegrationOut> = get,
        needs(Permission::Read);

    /// Replace an integration
    Update "v1.integration.update" = PUT "/api/v1/app/{app_id}/integration/{integ_id}"
        path { app_id: IdOrUid<ApplicationId>, integ_id: IntegrationId }
        body { Json<IntegrationIn> }
        -> Done<IntegrationOut> = update,
        needs(Permission::Operate);

    /// Delete an integration; its key stops working
    Delete "v1.integration.delete" = DELETE "/api/v1/app/{app_id}/integration/{integ_id}"
        path { app_id: IdOrUid<ApplicationId>, integ_id: IntegrationId }
        -> NoContent = delete,
        needs(Permission::Operate);

    /// Get an integration's key
    GetKey "v1.integration.get-key" = GET "/api/v1/app/{app_id}/integration/{integ_id}/key"
        path { app_id: IdOrUid<ApplicationId>, integ_id: IntegrationId }
        -> Done<IntegrationKeyOut> = get_key,
        needs(Permission::ReadSecrets);

    /// Replace an integration's key; the old one stops working
    RotateKey "v1.integration.rotate-key" = POST "/api/v1/app/{app_id}/integration/{integ_id}/key/rotate"
        path { app_id: IdOrUid<ApplicationId>, integ_id: IntegrationId }
        -> Done<IntegrationKeyOut> = rotate_key,
        needs(Permission::Operate);
}

const NOT_FOUND: ApiError = ApiError::NotFound("integration");

async fn list(call: Call, input: List) -> Result<Done<ListResponse<IntegrationOut>>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let all = &entry.application.integrations;
    let mut page = Page::<IntegrationId>::of(&call, &input.query)?;
    let found = page
        .fill(async |scan| Ok(ScanPage::of(all.iter().cloned().map(|it| (it.id, it)), &scan)))
        .await?;
    Ok(Done(page.list(found, |it| it.id, |it| shown(&it))))
}

async fn create(call: Call, input: Create) -> Result<Created<IntegrationOut>, ApiError> {
    let Create { app_id, body } = input;
    let (name, feature_flags) = checked(body)?;
    let integration = Integration {
        id: call.engine().clock().integration_id(),
        name,
        feature_flags,
        key_version: 1,
        key_created_at: call.now,
        created_at: call.now,
        updated_at: call.now,
    };
    let id = call.application(&app_id).await?.application.id;
    let changed = application::modify(&call, id, |application| {
        if application.integrations.len() >= MAX_INTEGRATIONS {
            let detail = format!("the application has {MAX_INTEGRATIONS} integrations already");
            return Err(ApiError::Bad { code: "too_many", detail });
        }
        application.integrations.push(integration.clone());
        Ok(())
    });
    changed.await?;
    Ok(Created(shown(&integration)))
}

fn checked(body: IntegrationIn) -> Result<(String, Vec<String>), ApiError> {
    let mut problems = Problems::within(&["body"]);
    problems.require(!body.name.is_empty(), "name", "must not be empty");
    let is_short = body.name.len() <= MAX_NAME;
    problems.require(is_short, "name", &format!("is longer than {MAX_NAME} bytes"));
    problems.plain_text("name", &body.name);
    let flags = problems.words(&FLAGS, body.feature_flags);
    problems.finish_with((body.name, flags))
}

async fn get(call: Call, input: Get) -> Result<Done<IntegrationOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    Ok(Done(shown(find(&entry.application, input.integ_id)?)))
}

fn find(application: &Application, id: IntegrationId) -> Result<&Integration, ApiError> {
    application.integrations.iter().find(|it| it.id == id).ok_or(NOT_FOUND)
}

async fn update(call: Call, input: Update) -> Result<Done<IntegrationOut>, ApiError> {
    let Update { app_id, integ_id, body } = input;
    let (name, feature_flags) = checked(body)?;
    let changed = modify(&call, &app_id, integ_id, |integration| {
        integration.name.clone_from(&name);
        integration.feature_flags.clone_from(&feature_flags);
    });
    Ok(Done(shown(&changed.await?.1)))
}

/// Changes an integration, and returns it with its application.
async fn modify(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    integ_id: IntegrationId,
    change: impl Fn(&mut Integration),
) -> Result<(ApplicationId, Integration), ApiError> {
    let id = call.application(app_id).await?.application.id;
    let changed = application::modify(call, id, |application| {
        let found = application.integrations.iter_mut().find(|it| it.id == integ_id);
        let integration = found.ok_or(NOT_FOUND)?;
        change(integration);
        integration.updated_at = call.now;
        Ok(integration.clone())
    });
    Ok((id, changed.await?))
}

async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    let Delete { app_id, integ_id } = input;
    let id = call.application(&app_id).await?.application.id;
    let deleted = application::modify(&call, id, |application| {
        let before = application.integrations.len();
        application.integrations.retain(|it| it.id != integ_id);
        if application.integrations.len() == before { Err(NOT_FOUND) } else { Ok(()) }
    });
    deleted.await.map(|()| NoContent)
}

/// The key is made again from what it was made from, so it is not stored.
async fn get_key(call: Call, input: GetKey) -> Result<Done<IntegrationKeyOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let integration = find(&entry.application, input.integ_id)?;
    Ok(Done(key(&call, entry.application.id, integration)))
}

async fn rotate_key(call: Call, input: RotateKey) -> Result<Done<IntegrationKeyOut>, ApiError> {
    let RotateKey { app_id, integ_id } = input;
    let changed = modify(&call, &app_id, integ_id, |integration| {
        integration.key_version += 1;
        integration.key_created_at = call.now;
    });
    let (application, integration) = changed.await?;
    Ok(Done(key(&call, application, &integration)))
}

fn key(call: &Call, application: ApplicationId, it: &Integration) -> IntegrationKeyOut {
    let key = KeyGrant { id: KeyId::Integration(it.id), version: it.key_version };
    let application = ApplicationGrant { key: Some(key), ..ApplicationGrant::full(application) };
    let grant = Grant { application: Some(application), ..Grant::of(call.organization().clone()) };
    let key = token::mint(&grant, &call.settings().jwt_secret, it.key_created_at);
    IntegrationKeyOut { key }
}

fn shown(it: &Integration) -> IntegrationOut {
    IntegrationOut {
        id: it.id,
        name: it.name.clone(),
        feature_flags: it.feature_flags.clone(),
        created_at: to_wire(it.created_at),
        updated_at: to_wire(it.updated_at),
    }
}
