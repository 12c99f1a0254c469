//! Transformations of endpoints.

use bytes::Bytes;
use postrider::{
    ApplicationId, ConnectorId, EndpointId,
    api::{
        Capability, EndpointKind, Patch, Permission,
        connector::ConnectorOut,
        transformation::{
            EndpointTransformationOut, EndpointTransformationPatch, TransformationSimulateIn,
            TransformationSimulateOut,
        },
    },
};
use postrider_core::{
    catalog::{Connector, Endpoint},
    kind::MASK,
    message::{Format, Message},
    time::Timestamp,
    transformation::{
        CODE_BYTES, Form, MAX_VARIABLES, MAX_VARIABLES_BYTES, Script, Shaped, ShapedRequest,
        Transformation, Variables,
    },
};
use postrider_engine::{Made, ShapeError, Shaper};
use postrider_store::{IdOrUid, Records};
use sha2::{Digest, Sha256};

use super::{current, replace};
use crate::{
    api::{
        access::Access,
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::{BodySize, operations},
        path::id_or_uid,
        problems::Problems,
        reply::{Done, IfAny, NoContent},
    },
    operations::{
        call::{self, ApplicationPath, Call},
        connector::{render, visibility},
        secrets,
    },
    race,
};

const DISABLED: &str = "this server does not run transformations; set `transformations.enabled` in \
    its configuration";

operations! {
    tag "Endpoint";

    /// Get an endpoint's transformation
    GetTransformation "v1.endpoint.transformation.get" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/transformation"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointTransformationOut> = get,
        access(Access::Application(Capability::ManageTransformations)),
        needs(Permission::Read);

    /// Change an endpoint's transformation
    PatchTransformation "v1.endpoint.transformation.patch" = PATCH "/api/v1/app/{app_id}/endpoint/{endpoint_id}/transformation"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointTransformationPatch> }
        -> NoContent = patch,
        access(Access::Application(Capability::ManageTransformations)),
        needs(Permission::Operate);

    /// Get the connector that an endpoint's transformation comes from
    GetConnector "v1.endpoint.get-connector" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/connector"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> IfAny<ConnectorOut> = get_connector,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Run code on a payload as if it were an endpoint's transformation
    SimulateTransformation "v1.endpoint.transformation.simulate" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/transformation/simulate"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<TransformationSimulateIn> }
        -> Done<TransformationSimulateOut> = simulate,
        access(Access::Application(Capability::ManageTransformations)),
        body_size(BodySize::Message),
        needs(Permission::Operate);
}

async fn get(
    call: Call,
    input: GetTransformation,
) -> Result<Done<EndpointTransformationOut>, ApiError> {
    get_from(&call, (&input.app_id).into(), &input.endpoint_id).await.map(Done)
}

/// The transformation of an endpoint of the application that a path names.
pub(in crate::operations) async fn get_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<EndpointTransformationOut, ApiError> {
    let entry = call.application(path).await?;
    let endpoint = call::endpoint(&entry, endpoint_id)?;
    let Some(transformation) = &endpoint.transformation else {
        return Ok(EndpointTransformationOut::default());
    };
    let variables = secrets::open_at_rest(call, &transformation.variables)?;
    let masked = variables.into_keys().map(|name| (name, MASK.to_owned()));
    Ok(EndpointTransformationOut {
        code: transformation.code.clone(),
        enabled: transformation.enabled,
        variables: Some(masked.collect()),
        updated_at: Some(to_wire(transformation.updated_at)),
    })
}

async fn get_connector(call: Call, input: GetConnector) -> Result<IfAny<ConnectorOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let endpoint = call::endpoint(&entry, &input.endpoint_id)?;
    let Some(id) = endpoint.transformation.as_ref().and_then(|it| it.connector) else {
        return Ok(IfAny(None));
    };
    let organization = &entry.application.organization;
    let found = call.store().get::<Connector>(organization, &IdOrUid::Id(id)).await?;
    Ok(IfAny(found.map(render::connector)))
}

async fn patch(call: Call, input: PatchTransformation) -> Result<NoContent, ApiError> {
    let PatchTransformation { app_id, endpoint_id, body } = input;
    patch_in(&call, (&app_id).into(), &endpoint_id, (body, Form::Single)).await.map(|()| NoContent)
}

/// Changes the transformation of an endpoint of the application that a path names.
pub(in crate::operations) async fn patch_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    (mut body, form): (EndpointTransformationPatch, Form),
) -> Result<(), ApiError> {
    refuse_polling(call, path, endpoint_id).await?;
    if let Some(code) = body.code.value() {
        check_code(call, code, "code").await?;
    }
    let connector = match body.connector.take() {
        Some(named) => Some(connector_of(call, &named, &mut body).await?),
        None => None,
    };
    let change = Change { body: &body, form, connector };
    race::retry(|| try_patch(call, path, endpoint_id, &change)).await
}

/// Clients of a polling endpoint get messages as they were published.
async fn refuse_polling(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<(), ApiError> {
    let entry = call.application(path).await?;
    check_kind(call::endpoint(&entry, endpoint_id)?.kind)
}

/// Refuses a transformation of a kind that has none.
pub(super) fn check_kind(kind: EndpointKind) -> Result<(), ApiError> {
    if kind != EndpointKind::Polling {
        return Ok(());
    }
    let detail = "endpoints of the kind `polling` have no transformation".to_owned();
    Err(ApiError::Bad { code: "not_supported", detail })
}

/// A change of a transformation.
pub(super) struct Change<'a> {
    pub(super) body: &'a EndpointTransformationPatch,
    pub(super) form: Form,
    /// Where the code comes from, if not from the client.
    pub(super) connector: Option<ConnectorId>,
}

/// Takes the code of a connector.
async fn connector_of(
    call: &Call,
    named: &str,
    body: &mut EndpointTransformationPatch,
) -> Result<ConnectorId, ApiError> {
    let unknown = || ApiError::invalid(&["body", "connector"], "there is no such connector");
    if body.code != Patch::Keep {
        return Err(ApiError::invalid(&["body", "connector"], "cannot be given beside `code`"));
    }
    let named = id_or_uid::<ConnectorId>(named).ok_or_else(unknown)?;
    let found = call.store().get::<Connector>(call.organization(), &named).await?;
    let connector = found.filter(|it| visibility::shows(call, it)).ok_or_else(unknown)?;
    body.code = Patch::Set(connector.transformation);
    Ok(connector.id)
}

/// Refuses code that would never run.
pub(in crate::operations) async fn check_code(
    call: &Call,
    code: &str,
    field: &str,
) -> Result<(), ApiError> {
    check_length(code, field)?;
    let checked = shaper(call)?.check(code).await;
    checked.map_err(|error| refused(error, field))
}

fn refused(error: ShapeError, field: &str) -> ApiError {
    if error.is_temporary {
        return ApiError::Unavailable("code cannot be run now; try again", None);
    }
    ApiError::invalid(&["body", field], error.message)
}

fn check_length(code: &str, field: &str) -> Result<(), ApiError> {
    if CODE_BYTES.contains(&code.len()) {
        return Ok(());
    }
    let (least, most) = (CODE_BYTES.start(), CODE_BYTES.end());
    let message = format!("must have {least} to {most} bytes, not {}", code.len());
    Err(ApiError::invalid(&["body", field], message))
}

fn shaper(call: &Call) -> Result<&Shaper, ApiError> {
    call.engine().shaper().ok_or(ApiError::NotAvailable(DISABLED))
}

async fn try_patch(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    change: &Change<'_>,
) -> Result<(), ApiError> {
    let entry = call.application(path).await?;
    let _lock = call.locks().application(entry.application.id).await;
    let old = current(call, &entry, endpoint_id).await?;
    let transformation = changed(call, &old.0, change)?.map(Box::new);
    let endpoint = Endpoint { transformation, updated_at: call.now, ..old.0.clone() };
    replace(call, path, &entry.application, &old, &endpoint).await
}

/// The transformation after the change; `None` if there is nothing left of it.
pub(super) fn changed(
    call: &Call,
    endpoint: &Endpoint,
    &Change { body, form, connector }: &Change<'_>,
) -> Result<Option<Transformation>, ApiError> {
    let old = endpoint.transformation.as_deref().cloned().unwrap_or_default();
    let code = body.code.clone().apply(old.code);
    let before = secrets::open_at_rest(call, &old.variables)?;
    let after = match &body.variables {
        Patch::Keep => before,
        Patch::Clear => Variables::new(),
        Patch::Set(given) => unmasked(given.clone(), &before)?,
    };
    let enabled = body.enabled.unwrap_or(old.enabled);
    if enabled && code.is_none() {
        return Err(ApiError::invalid(&["body", "enabled"], "needs `code`"));
    }
    let (form, connector) = match body.code {
        Patch::Keep => (old.form, old.connector),
        Patch::Clear | Patch::Set(_) => (form, connector),
    };
    let variables = secrets::seal_at_rest(call, &after);
    let is_empty = code.is_none() && after.is_empty();
    let new = Transformation { code, form, connector, enabled, variables, updated_at: call.now };
    Ok((!is_empty).then_some(new))
}

/// The variables with the values that masks stand in for.
fn unmasked(given: Variables, before: &Variables) -> Result<Variables, ApiError> {
    let mut problems = Problems::within(&["body"]);
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > MAX_VARIABLES || bytes > MAX_VARIABLES_BYTES {
        let most = format!("must be at most {MAX_VARIABLES} and {MAX_VARIABLES_BYTES} bytes");
        problems.add(&["variables"], most);
    }
    let mut after = Variables::new();
    for (name, value) in given {
        let value = if value == MASK { before.get(&name).cloned() } else { Some(value) };
        match value {
            Some(value) => drop(after.insert(name, value)),
            None => problems.add(&["variables", &name], "is masked, and there is no value to keep"),
        }
    }
    problems.finish_with(after)
}

async fn simulate(
    call: Call,
    input: SimulateTransformation,
) -> Result<Done<TransformationSimulateOut>, ApiError> {
    let SimulateTransformation { app_id, endpoint_id, body } = input;
    let entry = call.application(&app_id).await?;
    let endpoint = call::endpoint(&entry, &endpoint_id)?;
    let old = endpoint.transformation.as_deref();
    let before = old.map(|it| secrets::open_at_rest(&call, &it.variables)).transpose()?;
    let before = before.unwrap_or_default();
    let variables = match body.variables.clone() {
        Some(given) => unmasked(given, &before)?,
        None => before,
    };
    let script =
        Script { code: body.code.as_str().into(), form: Form::Single, variables: variables.into() };
    let trial = Trial { owner: endpoint.application, kind: endpoint.kind, url: &endpoint.url };
    run(&call, &trial, &script, body).await.map(Done)
}

/// For what code is tried.
pub(in crate::operations) struct Trial<'a> {
    /// Whose processes run it.
    pub(in crate::operations) owner: ApplicationId,
    pub(in crate::operations) kind: EndpointKind,
    pub(in crate::operations) url: &'a str,
}

impl Trial<'_> {
    /// For no endpoint. The application represents the organization, so that its code shares
    /// processes with nothing else.
    pub(in crate::operations) fn of_organization(call: &Call) -> Self {
        let digest = Sha256::digest(call.organization().as_str());
        let start = digest.first_chunk().copied().unwrap_or_default();
        let owner = ApplicationId::from_u128(u128::from_be_bytes(start));
        Self { owner, kind: EndpointKind::Http, url: "https://example.com/webhook" }
    }
}

/// Runs code on the payload.
pub(in crate::operations) async fn run(
    call: &Call,
    trial: &Trial<'_>,
    script: &Script,
    body: TransformationSimulateIn,
) -> Result<TransformationSimulateOut, ApiError> {
    check_length(&body.code, "code")?;
    let message = message(call, trial.owner, body)?;
    let Trial { owner, kind, url } = *trial;
    let made = shaper(call)?.make(owner, script, kind, (&[&message], url)).await;
    let made = made.map_err(|error| refused(error, "code"))?;
    Ok(simulated(made, url))
}

fn message(
    call: &Call,
    application: ApplicationId,
    body: TransformationSimulateIn,
) -> Result<Message, ApiError> {
    let payload =
        serde_json::to_vec(&body.payload).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Message {
        id: call.engine().clock().message_id(),
        application,
        event_type: body.event_type,
        event_id: None,
        channels: body.channels.unwrap_or_default(),
        tags: Vec::new(),
        body: Some(Bytes::from(payload)),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
    })
}

fn simulated(made: Made, url: &str) -> TransformationSimulateOut {
    let Made { shaped, console } = made;
    let (url, console) = (url.to_owned(), console);
    match shaped {
        Shaped::Cancelled => TransformationSimulateOut {
            url,
            payload: String::new(),
            method: None,
            cancel: true,
            headers: std::collections::BTreeMap::new(),
            console,
        },
        Shaped::Request(ShapedRequest { method, url: new, headers, body, .. }) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            TransformationSimulateOut {
                url: new.unwrap_or(url),
                payload: text(&body),
                method: Some(method.to_string()),
                cancel: false,
                headers: headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                    .collect(),
                console,
            }
        },
    }
}
