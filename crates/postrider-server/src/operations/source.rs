//! Sources: the URLs that providers post to.

mod dashboard;
mod endpoint;
mod fields;
mod kind;
mod log;
mod render;
mod secret;

use std::{collections::BTreeMap, time::Duration};

use http::Method;
use postrider::{
    ApplicationId, SourceId,
    api::{
        IngestSourceIn, IngestSourceOut, IngestSourcePatch, ListResponse, Ordering, RotateTokenOut,
        ingest::{DEFAULT_DEDUPE_SECONDS, Verification},
    },
};
use postrider_core::catalog::{Application, SealedSecret, Source};
use postrider_store::{IdOrUid, Key, Record, Scan};
use sha2::{Digest, Sha256};

use self::kind::{Choice, GENERIC};
use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{Operation, operation},
        page::Page,
        problems::Problems,
        query::{Limit, query},
        reply::{Created, NoContent, Shown, Upserted},
    },
    operations::{
        call::{self, Call},
        secrets,
    },
    quota,
};

const TAG: &str = "Ingest Source";

/// Characters of a token: 160 bits of them.
const TOKEN: usize = 32;

/// What a token is made of: letters and digits that people do not mix up.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Sources that are read in one call.
const PAGE: usize = 250;

pub(super) fn operations() -> Vec<Operation> {
    let all = "/ingest/api/v1/source";
    let one = "/ingest/api/v1/source/{source_id}";
    let token = "/ingest/api/v1/source/{source_id}/token/rotate";
    let mut operations = vec![
        operation(Method::GET, all, "v1.ingest.source.list", TAG, "List sources").run(list),
        operation(Method::POST, all, "v1.ingest.source.create", TAG, "Create a source").run(create),
        operation(Method::GET, one, "v1.ingest.source.get", TAG, "Get a source").run(get),
        operation(Method::PUT, one, "v1.ingest.source.upsert", TAG, "Replace or create a source")
            .run(put),
        operation(Method::PATCH, one, "v1.ingest.source.patch", TAG, "Change a source").run(patch),
        operation(Method::DELETE, one, "v1.ingest.source.delete", TAG, "Delete a source")
            .run(delete),
        operation(
            Method::POST,
            token,
            "v1.ingest.source.rotate-token",
            TAG,
            "Give a source another inbound URL",
        )
        .run(rotate_token),
    ];
    operations.extend(secret::operations());
    operations.extend(dashboard::operations());
    operations.extend(endpoint::operations());
    operations.extend(log::operations());
    operations
}

query! {
    ListQuery {
        /// Most items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of the page to go on from.
        iterator: Option<String>,
        /// Which way to walk; descending, newest first, if absent.
        order: Option<Ordering>,
    }
}

async fn list(
    call: Call,
    query: ListQuery,
    (): (),
) -> Result<Shown<ListResponse<IngestSourceOut>>, ApiError> {
    let order = query.order.unwrap_or(Ordering::Descending);
    let mut page = Page::<SourceId>::new(&call, query.limit, query.iterator.as_deref(), order)?;
    let found = page.fill(|scan| call.store().sources(call.organization(), scan)).await?;
    let list = page.list(found, |it| it.id, |it| render::source(&call, it));
    let ListResponse { data, iterator, prev_iterator, done } = list;
    let data = data.into_iter().collect::<Result<_, _>>()?;
    Ok(Shown(ListResponse { data, iterator, prev_iterator, done }))
}

async fn create(
    call: Call,
    (): (),
    Json(body): Json<IngestSourceIn>,
) -> Result<Created<IngestSourceOut>, ApiError> {
    make(&call, body).await.map(Created)
}

async fn get(call: Call, (): (), (): ()) -> Result<Shown<IngestSourceOut>, ApiError> {
    let source = call.source().await?;
    render::source(&call, source).map(Shown)
}

async fn put(
    call: Call,
    (): (),
    Json(body): Json<IngestSourceIn>,
) -> Result<Upserted<IngestSourceOut>, ApiError> {
    let Some(old) = call.find_source().await? else {
        return make_named(&call, body).await.map(Upserted::Created);
    };
    let _turn = call.context.exclusive(old.application).await;
    let mut source = call.source().await?;
    if let Some(app) = &body.app_id
        && application(&call, app).await? != source.application
    {
        let message = "is another one than the source's, which it keeps";
        return Err(ApiError::invalid(&["body", "appId"], message));
    }
    let (kind, verification) = (body.kind.clone(), body.verification);
    let (choice, patch) = read(body)?;
    let is_hidden = kind::shown(&source.kind) == GENERIC && source.provider != GENERIC;
    if is_hidden && choice.is_open && verification != Some(Verification::None) {
        // Clients that read the type and write it back do not know that there is more to it.
        let message = format!("is {}; name it, or choose verification none", source.provider);
        return Err(ApiError::invalid(&["body", "provider"], message));
    }
    switch(&mut source, kind, choice);
    fields::apply(&call, &mut source, patch)?;
    replace(&call, source).await.map(Upserted::Existing)
}

/// Gives the source the type; with another provider, nothing is left of what the old one
/// needed.
fn switch(source: &mut Source, kind: String, choice: Choice) {
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

async fn patch(
    call: Call,
    (): (),
    Json(body): Json<IngestSourcePatch>,
) -> Result<Shown<IngestSourceOut>, ApiError> {
    let _turn = call.context.exclusive(call.source().await?.application).await;
    let mut source = call.source().await?;
    fields::apply(&call, &mut source, body)?;
    replace(&call, source).await.map(Shown)
}

async fn delete(call: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    let application = call.source().await?.application;
    let _turn = call.context.exclusive(application).await;
    let source = call.source().await?;
    let goes_too = source.owns_application && !is_shared(&call, &source).await?;
    let key = if goes_too {
        Key::Application(application)
    } else {
        Key::Source(source.organization, source.id)
    };
    call.store().remove(key).await?;
    call.engine().changed(application).await?;
    Ok(NoContent)
}

/// Whether another source has the application too.
async fn is_shared(call: &Call, source: &Source) -> Result<bool, ApiError> {
    let mut scan = Scan { after: None, ascending: true, limit: PAGE };
    loop {
        let found = call.store().sources(call.organization(), scan.clone()).await?;
        let shares = |it: &Source| it.application == source.application && it.id != source.id;
        if found.items.iter().any(shares) {
            return Ok(true);
        }
        let Some(after) = found.resume else { return Ok(false) };
        scan.after = Some(after);
    }
}

async fn rotate_token(call: Call, (): (), (): ()) -> Result<Shown<RotateTokenOut>, ApiError> {
    let _turn = call.context.exclusive(call.source().await?.application).await;
    let mut source = call.source().await?;
    (source.token, source.token_digest) = new_token(&call);
    let source = replace(&call, source).await?;
    Ok(Shown(RotateTokenOut { ingest_url: source.ingest_url }))
}

/// Creates the source that the path names by the uid that it is to have.
async fn make_named(call: &Call, body: IngestSourceIn) -> Result<IngestSourceOut, ApiError> {
    let IdOrUid::Uid(uid) = call.named::<SourceId>("source_id")? else {
        return Err(ApiError::NotFound("source"));
    };
    if body.uid.as_ref().is_some_and(|it| it != uid.as_str()) {
        return Err(ApiError::invalid(&["body", "uid"], "must be the uid of the path"));
    }
    make(call, IngestSourceIn { uid: Some(uid.as_str().to_owned()), ..body }).await
}

async fn make(call: &Call, body: IngestSourceIn) -> Result<IngestSourceOut, ApiError> {
    let chosen = match &body.app_id {
        Some(app) => Some(application(call, app).await?),
        None => None,
    };
    if let Some(application) = chosen {
        quota::check_sources(call, application).await?;
    }
    let kind = body.kind.clone();
    let (choice, patch) = read(body)?;
    let mut source = blank(call, kind, choice, chosen);
    fields::apply(call, &mut source, patch)?;
    let _turn = call.context.exclusive(source.application).await;
    if source.owns_application {
        save_application(call, &source).await?;
    }
    let created = render::source(call, source.clone())?;
    if let Err(error) = save(call, source.clone(), true).await {
        if source.owns_application {
            call.store().remove(Key::Application(source.application)).await?;
        }
        return Err(error);
    }
    Ok(created)
}

/// The application that gets the messages, by id or uid.
async fn application(call: &Call, text: &str) -> Result<ApplicationId, ApiError> {
    let found = match call::named(text) {
        Some(named) => call.store().application(call.organization(), &named).await?,
        None => None,
    };
    let missing = || ApiError::invalid(&["body", "appId"], "is not an application");
    found.map(|it| it.id).ok_or_else(missing)
}

/// What the body says of the type, and all the rest of it.
fn read(mut body: IngestSourceIn) -> Result<(Choice, IngestSourcePatch), ApiError> {
    let mut problems = Problems::within(&["body"]);
    let choice = kind::choose(&body.kind, body.provider.as_deref(), &mut problems);
    let config = body.config.take();
    let mut patch = IngestSourcePatch::from(body);
    fields::unfold(config, &mut patch, &mut problems);
    problems.finish()?;
    Ok((choice.expect("there was no problem"), patch))
}

/// A source with nothing set but who posts and for whom.
fn blank(call: &Call, kind: String, choice: Choice, chosen: Option<ApplicationId>) -> Source {
    let clock = call.engine().clock();
    let (token, token_digest) = new_token(call);
    Source {
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
        dedupe_window: Duration::from_secs(DEFAULT_DEDUPE_SECONDS.into()),
        dedupe_by_body: false,
        tolerance: None,
        max_body: None,
        forward_headers: None,
        created_at: call.now,
        updated_at: call.now,
    }
}

/// Makes the application of the source's own.
async fn save_application(call: &Call, source: &Source) -> Result<(), ApiError> {
    let uid = source.id.to_string().parse().expect("an id has the characters of a uid");
    let application = Application {
        id: source.application,
        organization: source.organization.clone(),
        uid: Some(uid),
        name: source.name.clone(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        created_at: call.now,
        updated_at: call.now,
    };
    Ok(call.store().save(Record::Application(application), true).await?)
}

async fn save(call: &Call, source: Source, create: bool) -> Result<(), ApiError> {
    let application = source.application;
    call.store().save(Record::Source(Box::new(source)), create).await?;
    Ok(call.engine().changed(application).await?)
}

/// Saves what a source has become.
async fn replace(call: &Call, mut source: Source) -> Result<IngestSourceOut, ApiError> {
    source.updated_at = call.now;
    let shown = render::source(call, source.clone())?;
    save(call, source, false).await?;
    Ok(shown)
}

fn new_token(call: &Call) -> (SealedSecret, [u8; 32]) {
    let mut random = [0; TOKEN];
    call.engine().clock().random(&mut random);
    let token: String =
        random.map(|it| char::from(ALPHABET[usize::from(it % 32)])).iter().collect();
    (secrets::seal_text(call, &token), Sha256::digest(&token).into())
}
