//! Connectors as responses show them.

use postrider::api::connector::{
    ConnectorAuthenticationMethod, ConnectorOptionsBody, ConnectorOut, ConnectorProduct,
    CustomConnectorOptions,
};
use postrider_core::catalog::{AuthenticationMethod, Connector, ConnectorOptions};

use crate::api::convert::to_wire;

pub(in crate::operations) fn connector(it: Connector) -> ConnectorOut {
    let product_type = product(&it);
    ConnectorOut {
        managed_by: it.managed_by,
        id: it.id,
        org_id: it.organization,
        uid: it.uid,
        kind: it.kind,
        name: it.name,
        logo: it.logo,
        description: it.description,
        instructions: it.instructions,
        allowed_event_types: it.allowed_event_types,
        transformation: it.transformation,
        created_at: to_wire(it.created_at),
        updated_at: to_wire(it.updated_at),
        transformation_updated_at: to_wire(it.transformation_updated_at),
        feature_flags: it.feature_flags,
        product_type,
    }
}

pub(super) const fn product(it: &Connector) -> ConnectorProduct {
    if it.is_for_streams { ConnectorProduct::Stream } else { ConnectorProduct::Dispatch }
}

pub(super) fn options(it: &Connector) -> ConnectorOptionsBody {
    let options = it.options.as_ref().map(|ConnectorOptions { authentication, default_url }| {
        let authentication_method = authentication.map(|method| match method {
            AuthenticationMethod::Bearer => ConnectorAuthenticationMethod::HttpBearer,
            AuthenticationMethod::Basic => ConnectorAuthenticationMethod::HttpBasic,
        });
        CustomConnectorOptions { authentication_method, default_url: default_url.clone() }
    });
    ConnectorOptionsBody { kind: it.kind, options }
}
