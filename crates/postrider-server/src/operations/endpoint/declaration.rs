//! Endpoints as files declare them.

use std::collections::BTreeMap;

use postrider::{
    ConnectorId, EventTypeName,
    api::{
        EndpointAuthentication, EndpointAuthenticationType, EndpointConfig, EndpointIn,
        EndpointOrdering, EndpointSigning, EventTypes, Patch, ThrottleRate,
        declaration::{DeclaredEndpoint, DeclaredTransformation},
        transformation::EndpointTransformationPatch,
    },
};
use postrider_core::{
    catalog::{self, Application, Credentials, Endpoint, Headers},
    declaration::Document,
    kind::{Fields, MASK, mask},
    request::is_sensitive,
    transformation::{Form, Transformation, Variables},
};

use super::{
    build, credential,
    declared::{self, DeclaredEndpoint as Configured},
    disablement, event_types, kind, signing,
    transformation::{self, Change},
};
use crate::{
    api::error::ApiError,
    operations::{
        call::{ApplicationPath, Call},
        environment::{self, secret_document},
        render, secrets,
    },
};

/// What an endpoint belongs to, and what is applied with it.
pub(in crate::operations) struct Context<'a> {
    pub application: &'a Application,
    pub path: ApplicationPath<'a>,
    /// Event types that exist, because they are applied as well.
    pub event_types: &'a [EventTypeName],
    /// Event types are not checked, because a provider chooses their names.
    pub receives: bool,
    /// The connector whose code the endpoint gets.
    pub connector: Option<(ConnectorId, String)>,
}

/// The endpoint after it was applied.
pub(in crate::operations) async fn declared(
    call: &Call,
    context: &Context<'_>,
    old: Option<&Endpoint>,
    body: DeclaredEndpoint,
) -> Result<Endpoint, ApiError> {
    let DeclaredEndpoint { transformation, endpoint: body, disabled, .. } = body;
    let body = EndpointIn { disabled: disabled.unwrap_or_default(), ..body };
    let built = build(call, context.application, body.clone(), kind::of_new)?;
    let mut new = match old {
        Some(old) => merged(call, old, (body, disabled), built)?,
        None => built,
    };
    new.transformation = transformed(call, context, (old, &new), transformation).await?;
    call.quotas().check_endpoint(old, &new)?;
    environment::check_endpoint(call, old, &new).await?;
    if !context.receives {
        let mut known = context.event_types.to_vec();
        known.extend(old.and_then(|it| it.event_types.clone()).unwrap_or_default());
        let wanted = new.event_types.as_deref();
        event_types::check(call, context.application, context.path, wanted, &known).await?;
    }
    Ok(match old {
        Some(old) => disablement::noted(call, old, &new),
        None => new,
    })
}

/// The present endpoint with what the file says.
fn merged(
    call: &Call,
    old: &Endpoint,
    (endpoint, disabled): (EndpointIn, Option<bool>),
    new: Endpoint,
) -> Result<Endpoint, ApiError> {
    let uid = new.uid.clone().ok_or_else(|| ApiError::invalid(&["body", "uid"], "is missing"))?;
    let (paused, has_credentials) = (endpoint.paused, endpoint.authentication.is_some());
    let is_signed = endpoint.signing.is_some();
    let configured = Configured {
        organization: call.organization().clone(),
        application: uid.clone(),
        uid,
        disabled,
        endpoint,
    };
    let mut merged = declared::merged(call, &configured, old, new)?;
    merged.paused = paused.unwrap_or(old.paused);
    merged.retry_requested_at = old.retry_requested_at;
    if !has_credentials {
        merged.authentication.credentials = secrets::seal_at_rest(call, &None);
    }
    if !is_signed {
        merged.signing = None;
    }
    merged.updated_at = call.now;
    Ok(merged)
}

async fn transformed(
    call: &Call,
    context: &Context<'_>,
    (old, new): (Option<&Endpoint>, &Endpoint),
    body: Option<DeclaredTransformation>,
) -> Result<Option<Box<Transformation>>, ApiError> {
    let Some(DeclaredTransformation { code, enabled, variables, .. }) = body else {
        return Ok(None);
    };
    transformation::check_kind(new.kind)?;
    let (code, connector) = match &context.connector {
        Some((id, code)) => (Some(code.clone()), Some(*id)),
        None => (code, None),
    };
    let before = old.and_then(|it| it.transformation.as_deref());
    if let Some(code) =
        code.as_deref().filter(|it| before.and_then(|it| it.code.as_deref()) != Some(*it))
    {
        transformation::check_code(call, code, "transformation").await?;
    }
    let set = EndpointTransformationPatch {
        enabled: Some(enabled.unwrap_or(code.is_some())),
        code: code.map_or(Patch::Clear, Patch::Set),
        variables: Patch::Set(variables),
        connector: None,
    };
    let form = before.map_or(Form::Single, |it| it.form);
    let change = Change { body: &set, form, connector };
    let after = transformation::changed(call, new, &change)?;
    Ok(match (before, after) {
        (Some(before), Some(after)) if is_same(call, before, &after)? => {
            Some(Box::new(before.clone()))
        },
        (_, after) => after.map(Box::new),
    })
}

fn is_same(call: &Call, a: &Transformation, b: &Transformation) -> Result<bool, ApiError> {
    let variables = |it: &Transformation| secrets::open_at_rest(call, &it.variables);
    Ok(a.code == b.code && a.enabled == b.enabled && variables(a)? == variables(b)?)
}

/// The parts of an endpoint that may contain secrets.
struct Parts {
    config: Option<Fields>,
    headers: Headers,
    authentication: Option<EndpointAuthentication>,
    signing: Option<EndpointSigning>,
    variables: Variables,
    secret: Option<String>,
}

/// The endpoint as a file contains it. `parent` is the uid of the application that it belongs to,
/// or of the source.
pub(in crate::operations) fn document(
    call: &Call,
    it: &Endpoint,
    parent: &Parent,
) -> Result<Document, ApiError> {
    let config = secrets::open_at_rest(call, &it.config)?;
    let headers = secrets::open_at_rest(call, &it.headers)?;
    let credentials = secrets::open_at_rest(call, &it.authentication.credentials)?;
    let variables = it.transformation.as_ref();
    let variables = variables.map(|it| secrets::open_at_rest(call, &it.variables)).transpose()?;
    let variables = variables.unwrap_or_default();
    let is_http = it.kind.is_http();
    let hide = |(name, value): (&String, &String)| {
        let shown = if is_sensitive(name) { MASK.to_owned() } else { value.clone() };
        (name.clone(), shown)
    };
    let masked = Parts {
        config: (!is_http).then(|| mask(it.kind, &config)),
        headers: headers.iter().map(hide).collect(),
        authentication: credentials.as_ref().map(credential::masked),
        signing: it.signing.as_deref().map(signing::current),
        variables: variables.keys().map(|name| (name.clone(), MASK.to_owned())).collect(),
        secret: is_http.then(|| MASK.to_owned()),
    };
    let secret = is_http.then(|| secrets::open(call, &it.secret)).transpose()?;
    let plain = Parts {
        config: (!is_http).then_some(config),
        headers,
        authentication: credentials.map(given),
        signing: it.signing.as_deref().map(|it| signing::revealed(call, it)).transpose()?,
        variables,
        secret: secret.map(|it| it.reveal()),
    };
    secret_document(&body(it, parent, plain), &body(it, parent, masked))
}

/// The uid of what an endpoint belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::operations) enum Parent {
    Application(String),
    Source(String),
}

impl Parent {
    pub(in crate::operations) fn uid(&self) -> &str {
        match self {
            Self::Application(uid) | Self::Source(uid) => uid,
        }
    }
}

fn body(it: &Endpoint, parent: &Parent, parts: Parts) -> DeclaredEndpoint {
    let Parts { config, headers, authentication, signing, variables, secret } = parts;
    let shown = render::endpoint(it);
    let (application, source) = match parent {
        Parent::Application(uid) => (Some(uid.clone()), None),
        Parent::Source(uid) => (None, Some(uid.clone())),
    };
    let names = |names: Vec<EventTypeName>| names.iter().map(ToString::to_string).collect();
    let endpoint = EndpointIn {
        url: if it.kind.is_http() { shown.url } else { String::new() },
        kind: it.kind,
        config: config.map(EndpointConfig),
        uid: it.uid.as_ref().map(ToString::to_string),
        description: shown.description,
        disabled: it.disabled,
        event_types: EventTypes(shown.event_types.0.map(names)),
        channels: shown.channels,
        filter: shown.filter,
        throttle_rate: ThrottleRate(shown.throttle_rate.0),
        ordering: (it.ordering == catalog::Ordering::Fifo).then_some(EndpointOrdering::Fifo),
        strict_rate: Some(it.strict_rate),
        batch: shown.batch,
        paused: Some(it.paused),
        skip_after: shown.skip_after,
        trusted_certificates: shown.trusted_certificates,
        forward_trace_context: Some(it.forward_trace_context),
        signing,
        authentication,
        metadata: shown.metadata,
        secret,
        headers,
    };
    DeclaredEndpoint {
        application,
        source,
        transformation: it.transformation.as_deref().map(|it| code(it, variables)),
        endpoint,
        disabled: Some(it.disabled),
    }
}

fn code(it: &Transformation, variables: BTreeMap<String, String>) -> DeclaredTransformation {
    let is_usual = it.enabled == it.code.is_some();
    DeclaredTransformation {
        code: it.code.clone(),
        connector: None,
        enabled: (!is_usual).then_some(it.enabled),
        variables,
    }
}

fn given(credentials: Credentials) -> EndpointAuthentication {
    let of = |authentication_type| EndpointAuthentication {
        authentication_type,
        ..EndpointAuthentication::default()
    };
    match credentials {
        Credentials::Basic { username, password } => EndpointAuthentication {
            username: Some(username),
            password: Some(password),
            ..of(EndpointAuthenticationType::Basic)
        },
        Credentials::Bearer { token } => {
            EndpointAuthentication { token: Some(token), ..of(EndpointAuthenticationType::Bearer) }
        },
        Credentials::Header { name, value } => EndpointAuthentication {
            name: Some(name),
            value: Some(value),
            ..of(EndpointAuthenticationType::Header)
        },
    }
}
