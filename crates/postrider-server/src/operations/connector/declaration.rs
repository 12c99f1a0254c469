//! Connectors as files declare them.

use postrider::api::connector::ConnectorIn;
use postrider_core::{catalog::Connector, declaration::Document};

use super::{MAX_CONNECTORS, fields, render};
use crate::{
    api::error::ApiError,
    operations::{
        call::Call, endpoint::transformation, environment::open_document, limit::require_room,
    },
};

/// The connector after it was applied. `created` is the number of those that are created with it.
pub(in crate::operations) async fn declared(
    call: &Call,
    old: Option<&Connector>,
    body: ConnectorIn,
    created: usize,
) -> Result<Connector, ApiError> {
    if old.is_none_or(|old| old.transformation != body.transformation) {
        transformation::check_code(call, &body.transformation, "transformation").await?;
    }
    let Some(old) = old.cloned() else {
        let most = MAX_CONNECTORS.saturating_sub(created);
        require_room::<Connector>(call, most, "connectors").await?;
        return fields::build(call, body);
    };
    let new = fields::build(call, body)?;
    let is_same = new.transformation == old.transformation;
    Ok(Connector {
        id: old.id,
        options: old.options.filter(|_| old.kind == new.kind),
        created_at: old.created_at,
        transformation_updated_at: if is_same { old.transformation_updated_at } else { call.now },
        ..new
    })
}

/// The connector as a file contains it. Its options are not part of it.
pub(in crate::operations) fn document(it: &Connector) -> Result<Document, ApiError> {
    open_document(&ConnectorIn {
        name: it.name.clone(),
        uid: it.uid.as_ref().map(ToString::to_string),
        logo: it.logo.clone(),
        description: it.description.clone(),
        kind: it.kind,
        instructions: it.instructions.clone(),
        allowed_event_types: it
            .allowed_event_types
            .as_ref()
            .map(|names| names.iter().map(ToString::to_string).collect()),
        transformation: it.transformation.clone(),
        feature_flags: it.feature_flags.clone(),
        product_type: it.is_for_streams.then(|| render::product(it)),
    })
}
