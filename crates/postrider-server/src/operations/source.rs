//! Sources: the URLs that providers post to.

pub(super) mod dashboard;
pub(super) mod declaration;
pub(super) mod endpoint;
pub(super) mod endpoint_authentication;
mod fields;
mod kind;
pub(crate) mod log;
pub(super) mod position;
mod render;
pub(super) mod secret;

use std::{collections::BTreeMap, time::Duration};

use postrider::{
    ApplicationId, SourceId,
    api::{
        IngestSourceIn, IngestSourceOut, IngestSourcePatch, ListResponse, Permission,
        RotateTokenOut,
        ingest::{DEFAULT_DEDUPE_SECONDS, Verification},
    },
};
use postrider_core::{
    catalog::{Application, SealedSecret, Source},
    time::Timestamp,
};
use postrider_store::{Expected, IdOrUid, Records, Scan, Version};
use sha2::{Digest, Sha256};

use self::kind::{GENERIC, ProviderChoice};
pub use self::{
    dashboard::ConsumerPortalAccess,
    endpoint::{
        CreateEndpoint, DeleteEndpoint, GetEndpoint, GetEndpointHeaders, GetEndpointSecret,
        GetTransformation, ListEndpoints, PatchTransformation, RotateEndpointSecret,
        SetEndpointHeaders, UpsertEndpoint,
    },
    endpoint_authentication::{DeleteMtls, DeleteOauth, GetMtls, GetOauth, SetMtls, SetOauth},
    log::{AcceptLog, ListAllLogs, ListLog, VerifyLog},
    position::{ForceSourceRetry, LastAckedSourceEvent, NextSourceEvent, SkipSourceEvents},
    secret::{GetSecret, RotateSecret},
};
use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::operations,
        path::{id_or_uid, new_uid},
        problems::Problems,
        reply::{Created, Done, NoContent, Upserted},
    },
    operations::{
        call::Call,
        page::{Page, PageQuery},
        secrets,
    },
    race,
};

/// Characters of a token, of five random bits each.
const TOKEN_LENGTH: usize = 32;

/// Characters of tokens: letters and digits that people do not confuse.
const TOKEN_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Sources that are read in one call.
const PAGE: usize = 250;

operations! {
    tag "Ingest Source";

    /// List sources
    List "v1.ingest.source.list" = GET "/ingest/api/v1/source"
        query { PageQuery }
        -> Done<ListResponse<IngestSourceOut>> = list,
        needs(Permission::Read);

    /// Create a source
    Create "v1.ingest.source.create" = POST "/ingest/api/v1/source"
        body { Json<IngestSourceIn> }
        -> Created<IngestSourceOut> = create,
        needs(Permission::Operate);

    /// Get a source
    Get "v1.ingest.source.get" = GET "/ingest/api/v1/source/{source_id}"
        path { source_id: IdOrUid<SourceId> }
        -> Done<IngestSourceOut> = get,
        needs(Permission::Read);

    /// Replace or create a source
    Upsert "v1.ingest.source.upsert" = PUT "/ingest/api/v1/source/{source_id}"
        path { source_id: IdOrUid<SourceId> }
        body { Json<IngestSourceIn> }
        -> Upserted<IngestSourceOut> = upsert,
        needs(Permission::Operate);

    /// Change a source
    Patch "v1.ingest.source.patch" = PATCH "/ingest/api/v1/source/{source_id}"
        path { source_id: IdOrUid<SourceId> }
        body { Json<IngestSourcePatch> }
        -> Done<IngestSourceOut> = patch,
        needs(Permission::Operate);

    /// Delete a source
    Delete "v1.ingest.source.delete" = DELETE "/ingest/api/v1/source/{source_id}"
        path { source_id: IdOrUid<SourceId> }
        -> NoContent = delete,
        needs(Permission::Operate);

    /// Replace the inbound URL of a source
    RotateToken "v1.ingest.source.rotate-token" = POST "/ingest/api/v1/source/{source_id}/token/rotate"
        path { source_id: IdOrUid<SourceId> }
        -> Done<RotateTokenOut> = rotate_token,
        needs(Permission::Operate);
}

async fn list(
    call: Call,
    List { query }: List,
) -> Result<Done<ListResponse<IngestSourceOut>>, ApiError> {
    let mut page = Page::<SourceId>::of(&call, &query)?;
    let found = page.fill(|scan| call.store().list::<Source>(call.organization(), scan)).await?;
    page.try_list(found, |it| it.id, |it| render::source(&call, it)).map(Done)
}

async fn create(call: Call, input: Create) -> Result<Created<IngestSourceOut>, ApiError> {
    create_from(&call, input.body).await.map(Created)
}

async fn get(call: Call, input: Get) -> Result<Done<IngestSourceOut>, ApiError> {
    let source = call.source(&input.source_id).await?;
    render::source(&call, source).map(Done)
}

async fn upsert(call: Call, input: Upsert) -> Result<Upserted<IngestSourceOut>, ApiError> {
    let Upsert { source_id, body } = input;
    let Some(old) = call.find_source(&source_id).await? else {
        let uid = new_uid(&source_id, body.uid.as_deref(), "source")?;
        let body = IngestSourceIn { uid: Some(uid.to_string()), ..body };
        return create_from(&call, body).await.map(Upserted::Created);
    };
    let update = || try_update(&call, &source_id, old.application, body.clone());
    race::retry(update).await.map(Upserted::Existing)
}

async fn try_update(
    call: &Call,
    source_id: &IdOrUid<SourceId>,
    application: ApplicationId,
    body: IngestSourceIn,
) -> Result<IngestSourceOut, ApiError> {
    let _lock = call.locks().application(application).await;
    let (mut source, version) = call.source_versioned(source_id).await?;
    if let Some(app) = &body.app_id
        && find_application(call, app).await? != source.application
    {
        let message = "cannot be changed";
        return Err(ApiError::invalid(&["body", "appId"], message));
    }
    let (kind, verification) = (body.kind.clone(), body.verification);
    let (choice, patch) = split(body)?;
    let is_hidden = kind::public_name(&source.kind) == GENERIC && source.provider != GENERIC;
    if is_hidden && choice.is_open && verification != Some(Verification::None) {
        // A client that reads the type and writes it back does not know the provider.
        let message = format!("is {}; give it, or set verification to none", source.provider);
        return Err(ApiError::invalid(&["body", "provider"], message));
    }
    set_kind(&mut source, kind, choice);
    fields::apply(call, &mut source, patch)?;
    replace(call, source, version).await
}

/// Sets the type. With another provider, the secrets and parameters of the old one are removed.
fn set_kind(source: &mut Source, kind: String, choice: ProviderChoice) {
    source.kind = kind;
    if source.provider == choice.provider {
        return;
    }
    source.model = None;
    source.provider = choice.provider;
    source.is_open = choice.is_open;
    source.secrets = Vec::new();
    source.parameters = BTreeMap::new();
    source.tolerance = None;
}

async fn patch(call: Call, input: Patch) -> Result<Done<IngestSourceOut>, ApiError> {
    race::retry(|| try_patch(&call, &input)).await.map(Done)
}

async fn try_patch(call: &Call, input: &Patch) -> Result<IngestSourceOut, ApiError> {
    let source_id = &input.source_id;
    let _lock = call.locks().application(call.source(source_id).await?.application).await;
    let (mut source, version) = call.source_versioned(source_id).await?;
    fields::apply(call, &mut source, input.body.clone())?;
    replace(call, source, version).await
}

async fn delete(call: Call, Delete { source_id }: Delete) -> Result<NoContent, ApiError> {
    let application = call.source(&source_id).await?.application;
    let _lock = call.locks().application(application).await;
    let source = call.source(&source_id).await?;
    let deletes_application = source.owns_application && !is_shared(&call, &source).await?;
    if deletes_application {
        call.store().remove::<Application>(&source.organization, &application).await?;
    } else {
        call.store().remove::<Source>(&source.organization, &source.id).await?;
    }
    call.engine().changed(application).await?;
    Ok(NoContent)
}

/// Whether another source uses the same application.
async fn is_shared(call: &Call, source: &Source) -> Result<bool, ApiError> {
    let mut scan = Scan { after: None, ascending: true, limit: PAGE };
    loop {
        let found = call.store().list::<Source>(call.organization(), scan.clone()).await?;
        let shares = |it: &Source| it.application == source.application && it.id != source.id;
        if found.items.iter().any(shares) {
            return Ok(true);
        }
        let Some(after) = found.resume else { return Ok(false) };
        scan.after = Some(after);
    }
}

async fn rotate_token(
    call: Call,
    RotateToken { source_id }: RotateToken,
) -> Result<Done<RotateTokenOut>, ApiError> {
    race::retry(|| try_rotate_token(&call, &source_id)).await.map(Done)
}

async fn try_rotate_token(
    call: &Call,
    source_id: &IdOrUid<SourceId>,
) -> Result<RotateTokenOut, ApiError> {
    let _lock = call.locks().application(call.source(source_id).await?.application).await;
    let (mut source, version) = call.source_versioned(source_id).await?;
    (source.token, source.token_digest) = new_token(call);
    let source = replace(call, source, version).await?;
    Ok(RotateTokenOut { ingest_url: source.ingest_url })
}

async fn create_from(call: &Call, body: IngestSourceIn) -> Result<IngestSourceOut, ApiError> {
    let chosen = match &body.app_id {
        Some(app) => Some(find_application(call, app).await?),
        None => None,
    };
    if let Some(application) = chosen {
        let (store, organization) = (call.reader(), call.organization());
        call.quotas().check_source_count(store, organization, (application, 0)).await?;
    }
    let kind = body.kind.clone();
    let (choice, patch) = split(body)?;
    let mut source = with_defaults(call, kind, choice, chosen);
    fields::apply(call, &mut source, patch)?;
    let _lock = call.locks().application(source.application).await;
    if source.owns_application {
        save_application(call, &source).await?;
    }
    let created = render::source(call, source.clone())?;
    if let Err(error) = save(call, source.clone(), Expected::New).await {
        if source.owns_application {
            call.store().remove::<Application>(&source.organization, &source.application).await?;
        }
        return Err(error);
    }
    Ok(created)
}

/// The application that receives the messages, by id or uid.
async fn find_application(call: &Call, text: &str) -> Result<ApplicationId, ApiError> {
    let found = match id_or_uid(text) {
        Some(named) => call.store().get::<Application>(call.organization(), &named).await?,
        None => None,
    };
    let missing = || ApiError::invalid(&["body", "appId"], "is not an application");
    found.map(|it| it.id).ok_or_else(missing)
}

/// Splits the body into the type and the other fields.
fn split(mut body: IngestSourceIn) -> Result<(ProviderChoice, IngestSourcePatch), ApiError> {
    let mut problems = Problems::within(&["body"]);
    let choice = kind::choose(&body.kind, body.provider.as_deref(), &mut problems);
    let config = body.config.take();
    let mut patch = IngestSourcePatch::from(body);
    fields::expand_config(config, &mut patch, &mut problems);
    problems.finish()?;
    Ok((choice.expect("a type without a choice is a problem"), patch))
}

/// A source of this type with default settings.
fn with_defaults(
    call: &Call,
    kind: String,
    choice: ProviderChoice,
    chosen: Option<ApplicationId>,
) -> Source {
    let clock = call.engine().clock();
    let (token, token_digest) = new_token(call);
    let dedupe_window = DEFAULT_DEDUPE_SECONDS.min(fields::longest_dedupe_window(call));
    Source {
        managed_by: None,
        id: clock.source_id(),
        organization: call.organization().clone(),
        owns_application: chosen.is_none(),
        application: chosen.unwrap_or_else(|| clock.application_id()),
        uid: None,
        name: String::new(),
        kind,
        provider: choice.provider,
        model: None,
        is_open: choice.is_open,
        disabled: false,
        metadata: BTreeMap::new(),
        token,
        token_digest,
        secrets: Vec::new(),
        parameters: BTreeMap::new(),
        public_url: None,
        response: None,
        dedupe_window: Duration::from_secs(dedupe_window.into()),
        dedupe_by_body: false,
        tolerance: None,
        max_body: None,
        forward_headers: None,
        created_at: call.now,
        updated_at: call.now,
    }
}

/// Creates the application that belongs to the source.
async fn save_application(call: &Call, source: &Source) -> Result<(), ApiError> {
    let application = application_of(source, call.now);
    Ok(call.store().save(&application, Expected::New).await.map(drop)?)
}

/// The application that belongs to the source.
fn application_of(source: &Source, now: Timestamp) -> Application {
    let uid = source.id.to_string().parse().expect("an id has the characters of a uid");
    Application {
        managed_by: None,
        id: source.application,
        organization: source.organization.clone(),
        uid: Some(uid),
        name: source.name.clone(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: postrider_core::catalog::ApplicationMode::Live,
        created_at: now,
        updated_at: now,
    }
}

async fn save(call: &Call, source: Source, expected: Expected) -> Result<(), ApiError> {
    let application = source.application;
    call.store().save(&source, expected).await?;
    Ok(call.engine().changed(application).await?)
}

/// Saves a changed source.
async fn replace(
    call: &Call,
    mut source: Source,
    version: Version,
) -> Result<IngestSourceOut, ApiError> {
    source.updated_at = call.now;
    let shown = render::source(call, source.clone())?;
    save(call, source, Expected::Version(version)).await?;
    Ok(shown)
}

fn new_token(call: &Call) -> (SealedSecret, [u8; 32]) {
    let mut random = [0; TOKEN_LENGTH];
    call.engine().clock().random(&mut random);
    let token: String =
        random.map(|it| char::from(TOKEN_ALPHABET[usize::from(it % 32)])).iter().collect();
    (secrets::seal_text(call, &token), Sha256::digest(&token).into())
}
