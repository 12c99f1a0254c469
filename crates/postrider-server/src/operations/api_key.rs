//! API keys: named, with a role, and stored as hashes only.

use std::time::Duration;

use postrider::{
    ApiKeyId, ApplicationId,
    api::{
        ApiKeyCreatedOut, ApiKeyIn, ApiKeyOut, ApiKeyPatch, ListResponse, Permission, Role,
        access::{MAX_KEY_EXPIRY_SECONDS, MAX_KEY_NAME},
    },
};
use postrider_core::{
    access::{ApiKey, ApiKeyUse, KEY_PREFIX, key_of},
    time::Timestamp,
};
use postrider_store::{Expected, IdOrUid, Records, Version};
use sha2::{Digest, Sha256};

use crate::{
    api::{
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::{Idempotency, operations},
        path::id_or_uid,
        problems::Problems,
        reply::{Created, Done, NoContent},
    },
    operations::{
        call::Call,
        page::{Page, PageQuery},
    },
    race,
};

/// Characters at the end of a key that are stored and shown.
const ENDING: usize = 4;

/// The maximum number of keys of an organization.
const MAX_KEYS: usize = 1_000;

operations! {
    tag "API Key";

    /// List API keys
    List "v1.api-key.list" = GET "/api/v1/api-key"
        query { PageQuery }
        -> Done<ListResponse<ApiKeyOut>> = list,
        needs(Permission::Administer);

    /// Create an API key
    Create "v1.api-key.create" = POST "/api/v1/api-key"
        body { Json<ApiKeyIn> }
        -> Created<ApiKeyCreatedOut> = create,
        needs(Permission::Administer),
        idempotency(Idempotency::Unkeyed);

    /// Get an API key
    Get "v1.api-key.get" = GET "/api/v1/api-key/{key_id}"
        path { key_id: ApiKeyId }
        -> Done<ApiKeyOut> = get,
        needs(Permission::Administer);

    /// Rename an API key
    Patch "v1.api-key.patch" = PATCH "/api/v1/api-key/{key_id}"
        path { key_id: ApiKeyId }
        body { Json<ApiKeyPatch> }
        -> Done<ApiKeyOut> = patch,
        needs(Permission::Administer);

    /// Revoke an API key
    Revoke "v1.api-key.revoke" = DELETE "/api/v1/api-key/{key_id}"
        path { key_id: ApiKeyId }
        -> NoContent = revoke,
        needs(Permission::Administer);
}

async fn list(call: Call, List { query }: List) -> Result<Done<ListResponse<ApiKeyOut>>, ApiError> {
    let mut page = Page::<ApiKeyId>::of(&call, &query)?;
    let found = page.fill(|scan| call.store().list::<ApiKey>(call.organization(), scan)).await?;
    let mut listed = page.list(found, |key| key.id, |key| render(key, None));
    for key in &mut listed.data {
        key.last_used_at = last_use(&call, key.id).await?.map(to_wire);
    }
    Ok(Done(listed))
}

/// The response is not stored under an idempotency key, because it contains the key.
async fn create(call: Call, input: Create) -> Result<Created<ApiKeyCreatedOut>, ApiError> {
    let ApiKeyIn { name, role, app_id, expiry } = input.body;
    let lasts = check(&name, expiry)?;
    let application = match app_id {
        None => None,
        Some(text) => Some(application(&call, &text).await?),
    };
    let wanted = NewKey { name, role, application, lasts };
    let (key, token) = make(&call, wanted).await?;
    Ok(Created(ApiKeyCreatedOut {
        id: key.id,
        token,
        name: key.name,
        role: key.role,
        app_id: key.application,
        created_at: to_wire(key.created_at),
        expires_at: key.expires_at.map(to_wire),
    }))
}

async fn application(call: &Call, text: &str) -> Result<ApplicationId, ApiError> {
    let named = id_or_uid::<ApplicationId>(text);
    let named =
        named.ok_or_else(|| ApiError::invalid(&["body", "appId"], "must be an id or a uid"))?;
    let found = call.find_application(&named).await?;
    let unknown = || ApiError::invalid(&["body", "appId"], "is not an application");
    Ok(found.ok_or_else(unknown)?.application.id)
}

/// How long a new key lasts.
pub(super) fn check(name: &str, expiry: Option<u64>) -> Result<Option<Duration>, ApiError> {
    let mut problems = Problems::within(&["body"]);
    problems.require(!name.is_empty(), "name", "must not be empty");
    let fits = name.chars().count() <= MAX_KEY_NAME;
    problems.require(fits, "name", &format!("must have at most {MAX_KEY_NAME} characters"));
    problems.plain_text("name", name);
    let lasts = expiry.is_none_or(|it| (1..=MAX_KEY_EXPIRY_SECONDS).contains(&it));
    let range = format!("must be 1 to {MAX_KEY_EXPIRY_SECONDS} seconds");
    problems.require(lasts, "expiry", &range);
    problems.finish_with(expiry.map(Duration::from_secs))
}

/// What a new key is for.
#[derive(Debug)]
pub(super) struct NewKey {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) application: Option<ApplicationId>,
    pub(super) lasts: Option<Duration>,
}

/// Creates a key, and returns it with its text, which is not stored.
pub(super) async fn make(call: &Call, wanted: NewKey) -> Result<(ApiKey, String), ApiError> {
    check_count(call).await?;
    let clock = call.engine().clock();
    let mut random = [0; 32];
    clock.random(&mut random);
    let token = key_of(&random);
    let ending = token.chars().skip(token.chars().count() - ENDING).collect();
    let key = ApiKey {
        id: clock.api_key_id(),
        organization: call.organization().clone(),
        name: wanted.name,
        role: wanted.role,
        application: wanted.application,
        digest: Sha256::digest(&token).into(),
        ending,
        expires_at: wanted.lasts.map(|lasts| call.now + lasts),
        created_by: call.principal.actor.id.clone(),
        created_at: call.now,
    };
    call.store().save(&key, Expected::New).await?;
    Ok((key, token))
}

async fn check_count(call: &Call) -> Result<(), ApiError> {
    let first = postrider_store::Scan { after: None, ascending: true, limit: MAX_KEYS };
    let found = call.store().list::<ApiKey>(call.organization(), first).await?;
    if found.items.len() < MAX_KEYS && found.resume.is_none() {
        return Ok(());
    }
    let detail = format!("the organization has {MAX_KEYS} API keys already; revoke some of them");
    Err(ApiError::Bad { code: "too_many_keys", detail })
}

async fn get(call: Call, Get { key_id }: Get) -> Result<Done<ApiKeyOut>, ApiError> {
    let (key, _) = find(&call, key_id).await?;
    let last_use = last_use(&call, key_id).await?;
    Ok(Done(render(key, last_use)))
}

async fn patch(call: Call, Patch { key_id, body }: Patch) -> Result<Done<ApiKeyOut>, ApiError> {
    let key = race::retry(|| rename(&call, key_id, body.clone())).await?;
    let last_use = last_use(&call, key_id).await?;
    Ok(Done(render(key, last_use)))
}

async fn rename(call: &Call, id: ApiKeyId, body: ApiKeyPatch) -> Result<ApiKey, ApiError> {
    let (mut key, version) = find(call, id).await?;
    if let Some(name) = body.name {
        check(&name, None)?;
        key.name = name;
    }
    call.store().save(&key, Expected::Version(version)).await?;
    call.engine().access_changed();
    Ok(key)
}

/// The key is refused everywhere when this returns: this node reads it again, and so does every
/// other one when it learns of the change.
async fn revoke(call: Call, Revoke { key_id }: Revoke) -> Result<NoContent, ApiError> {
    let is_removed = call.store().remove::<ApiKey>(call.organization(), &key_id).await?;
    call.engine().access_changed();
    if is_removed { Ok(NoContent) } else { Err(ApiError::NotFound("API key")) }
}

async fn find(call: &Call, id: ApiKeyId) -> Result<(ApiKey, Version), ApiError> {
    let found = call.store().get_versioned(call.organization(), &IdOrUid::Id(id)).await?;
    found.ok_or(ApiError::NotFound("API key"))
}

async fn last_use(call: &Call, id: ApiKeyId) -> Result<Option<Timestamp>, ApiError> {
    let found = call.store().get::<ApiKeyUse>(call.organization(), &IdOrUid::Id(id)).await?;
    Ok(found.map(|used| used.at))
}

fn render(key: ApiKey, last_use: Option<Timestamp>) -> ApiKeyOut {
    ApiKeyOut {
        id: key.id,
        name: key.name,
        role: key.role,
        app_id: key.application,
        censored_token: format!("{KEY_PREFIX}…{}", key.ending),
        created_at: to_wire(key.created_at),
        created_by: key.created_by,
        expires_at: key.expires_at.map(to_wire),
        last_used_at: last_use.map(to_wire),
    }
}
