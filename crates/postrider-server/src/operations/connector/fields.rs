//! The fields of a connector: from a request to the record.

use postrider::{
    ConnectorId,
    api::{
        self,
        connector::{
            ConnectorAuthenticationMethod, ConnectorIn, ConnectorKind, ConnectorOptionsBody,
            ConnectorPatch, ConnectorProduct, ConnectorUpsertIn, CustomConnectorOptions,
        },
    },
};
use postrider_core::catalog::{AuthenticationMethod, Connector, ConnectorOptions};

use crate::{
    api::{
        error::ApiError,
        problems::{Problems, WordRule},
    },
    operations::{call::Call, endpoint::url},
};

/// Most bytes of a name or a URL, and of the texts.
const MAX_NAME: usize = 256;
const MAX_TEXT: usize = 32 << 10;

const FLAGS: WordRule =
    WordRule { field: "featureFlags", min_items: 0, max_items: 100, max_length: 256, marks: "-_." };

/// The body that creates a connector with this uid.
pub(super) fn new(body: ConnectorUpsertIn, uid: String) -> ConnectorIn {
    let ConnectorUpsertIn {
        name,
        logo,
        description,
        kind,
        instructions,
        allowed_event_types,
        transformation,
        feature_flags,
    } = body;
    ConnectorIn {
        name,
        uid: Some(uid),
        logo,
        description,
        kind,
        instructions,
        allowed_event_types,
        transformation,
        feature_flags,
        product_type: None,
    }
}

/// A new connector. Its code was checked.
pub(super) fn build(call: &Call, body: ConnectorIn) -> Result<Connector, ApiError> {
    let mut problems = Problems::within(&["body"]);
    let connector = Connector {
        managed_by: None,
        id: call.engine().clock().connector_id(),
        organization: call.organization().clone(),
        uid: problems.uid::<ConnectorId>("uid", body.uid.as_deref()),
        kind: body.kind,
        name: body.name,
        logo: body.logo,
        description: body.description,
        instructions: body.instructions,
        allowed_event_types: body.allowed_event_types.map(|it| problems.event_types(it)),
        transformation: body.transformation,
        feature_flags: body.feature_flags.map(|it| problems.words(&FLAGS, it)),
        is_for_streams: body.product_type == Some(ConnectorProduct::Stream),
        options: None,
        created_at: call.now,
        updated_at: call.now,
        transformation_updated_at: call.now,
    };
    check(&connector, &mut problems);
    problems.finish_with(connector)
}

fn check(connector: &Connector, problems: &mut Problems<'_>) {
    let Connector { name, logo, description, instructions, .. } = connector;
    for (field, text, most) in [
        ("name", name.as_str(), MAX_NAME),
        ("logo", logo.as_deref().unwrap_or_default(), MAX_NAME * 8),
        ("description", description, MAX_TEXT),
        ("instructions", instructions, MAX_TEXT),
    ] {
        problems.plain_text(field, text);
        if text.len() > most {
            problems.add(&[field], format!("is longer than {most} bytes"));
        }
    }
    let is_url = |logo: &String| {
        logo.parse::<::url::Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    };
    problems.require(logo.as_ref().is_none_or(is_url), "logo", "must be an http or https URL");
}

/// Changes the given fields. The code was checked.
pub(super) fn apply(
    call: &Call,
    connector: &mut Connector,
    patch: ConnectorPatch,
) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    let types = match patch.allowed_event_types {
        api::Patch::Keep => api::Patch::Keep,
        api::Patch::Clear => api::Patch::Clear,
        api::Patch::Set(names) => api::Patch::Set(problems.event_types(names)),
    };
    let flags = match patch.feature_flags {
        api::Patch::Keep => api::Patch::Keep,
        api::Patch::Clear => api::Patch::Clear,
        api::Patch::Set(flags) => api::Patch::Set(problems.words(&FLAGS, flags)),
    };
    connector.allowed_event_types = types.apply(connector.allowed_event_types.take());
    connector.feature_flags = flags.apply(connector.feature_flags.take());
    connector.logo = patch.logo.apply(connector.logo.take());
    let set = |old: &mut String, new: Option<String>| {
        if let Some(new) = new {
            *old = new;
        }
    };
    set(&mut connector.name, patch.name);
    set(&mut connector.description, patch.description);
    set(&mut connector.instructions, patch.instructions);
    if let Some(kind) = patch.kind {
        connector.options = connector.options.take().filter(|_| kind == connector.kind);
        connector.kind = kind;
    }
    if let Some(code) = patch.transformation.filter(|it| *it != connector.transformation) {
        connector.transformation = code;
        connector.transformation_updated_at = call.now;
    }
    connector.updated_at = call.now;
    check(connector, &mut problems);
    problems.finish()
}

/// The options of a connector, if its kind has any.
pub(super) fn options(
    call: &Call,
    connector: &Connector,
    body: ConnectorOptionsBody,
) -> Result<Option<ConnectorOptions>, ApiError> {
    let mut problems = Problems::within(&["body"]);
    problems.require(body.kind == connector.kind, "kind", "must be the kind of the connector");
    let is_custom = connector.kind == ConnectorKind::Custom;
    problems.require(body.options.is_none() || is_custom, "options", "only `Custom` has options");
    let default_url = body.options.as_ref().and_then(|it| it.default_url.as_deref());
    if let Some(text) = default_url {
        url::check(call.settings(), text, &mut problems);
    }
    problems.finish_with(body.options.filter(|_| is_custom).map(stored))
}

fn stored(options: CustomConnectorOptions) -> ConnectorOptions {
    let CustomConnectorOptions { authentication_method, default_url } = options;
    let authentication = authentication_method.map(|method| match method {
        ConnectorAuthenticationMethod::HttpBearer => AuthenticationMethod::Bearer,
        ConnectorAuthenticationMethod::HttpBasic => AuthenticationMethod::Basic,
    });
    ConnectorOptions { authentication, default_url }
}
