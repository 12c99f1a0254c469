//! Connectors: transformations that a platform offers to its customers.

pub(super) mod declaration;
mod fields;
pub(super) mod render;
pub(super) mod visibility;

use postrider::{
    ConnectorId,
    api::{
        Capability, ListResponse, Permission,
        connector::{
            ConnectorIn, ConnectorKind, ConnectorOptionsBody, ConnectorOut, ConnectorPatch,
            ConnectorTemplateOut, ConnectorUpsertIn,
        },
        transformation::{TransformationSimulateIn, TransformationSimulateOut},
    },
};
use postrider_core::{
    catalog::Connector,
    connector_template,
    transformation::{Form, Script},
};
use postrider_store::{Expected, IdOrUid, Records, Version};

use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::{BodySize, operations},
        path::new_uid,
        query::query,
        reply::{Created, Done, IfAny, NoContent, Upserted},
    },
    operations::{
        call::Call,
        endpoint::transformation::{self, Trial},
        limit::require_room,
        page::{Page, PageQuery},
    },
    race,
};

/// Most connectors of an organization.
const MAX_CONNECTORS: usize = 500;

query! {
    ProductQuery {
        /// Only connectors for this product: `Dispatch` or `Stream`.
        product_type: Option<String>,
    }
}

operations! {
    tag "Connector";

    /// List connectors
    List "v1.connector.list" = GET "/api/v1/connector"
        query { (PageQuery, ProductQuery) }
        -> Done<ListResponse<ConnectorOut>> = list,
        access(Access::Application(Capability::ManageTransformations)),
        needs(Permission::Read);

    /// Create a connector
    Create "v1.connector.create" = POST "/api/v1/connector"
        body { Json<ConnectorIn> }
        -> Created<ConnectorOut> = create,
        needs(Permission::Operate);

    /// List the transformations that come with the server
    ListTemplates "v1.connector.list-templates" = GET "/api/v1/connector-template"
        -> Done<ListResponse<ConnectorTemplateOut>> = list_templates,
        needs(Permission::Read);

    /// Run code on a payload as if it were a connector
    Simulate "v1.connector.simulate" = POST "/api/v1/connector/simulate"
        body { Json<TransformationSimulateIn> }
        -> Done<TransformationSimulateOut> = simulate,
        body_size(BodySize::Message),
        needs(Permission::Operate);

    /// Get a connector
    Get "v1.connector.get" = GET "/api/v1/connector/{connector_id}"
        path { connector_id: IdOrUid<ConnectorId> }
        -> Done<ConnectorOut> = get,
        access(Access::Application(Capability::ManageTransformations)),
        needs(Permission::Read);

    /// Replace or create a connector
    Upsert "v1.connector.upsert" = PUT "/api/v1/connector/{connector_id}"
        path { connector_id: IdOrUid<ConnectorId> }
        body { Json<ConnectorUpsertIn> }
        -> Upserted<ConnectorOut> = upsert,
        needs(Permission::Operate);

    /// Change a connector
    Patch "v1.connector.patch" = PATCH "/api/v1/connector/{connector_id}"
        path { connector_id: IdOrUid<ConnectorId> }
        body { Json<ConnectorPatch> }
        -> Done<ConnectorOut> = patch,
        needs(Permission::Operate);

    /// Delete a connector
    Delete "v1.connector.delete" = DELETE "/api/v1/connector/{connector_id}"
        path { connector_id: IdOrUid<ConnectorId> }
        -> NoContent = delete,
        needs(Permission::Operate);

    /// Get the options of a connector
    GetOptions "v1.connector.options.get" = GET "/api/v1/connector/{connector_id}/options"
        path { connector_id: IdOrUid<ConnectorId> }
        -> IfAny<ConnectorOptionsBody> = get_options,
        needs(Permission::Read);

    /// Replace the options of a connector
    SetOptions "v1.connector.options.set" = PUT "/api/v1/connector/{connector_id}/options"
        path { connector_id: IdOrUid<ConnectorId> }
        body { Json<ConnectorOptionsBody> }
        -> Done<ConnectorOptionsBody> = set_options,
        needs(Permission::Operate);
}

async fn list(call: Call, input: List) -> Result<Done<ListResponse<ConnectorOut>>, ApiError> {
    let (query, product) = input.query;
    let is_for_streams = match product.product_type.as_deref() {
        None => None,
        Some("Dispatch") => Some(false),
        Some("Stream") => Some(true),
        Some(_) => {
            let message = "must be Dispatch or Stream";
            return Err(ApiError::invalid(&["query", "product_type"], message));
        },
    };
    let mut page = Page::<ConnectorId>::of(&call, &query)?;
    let store = call.store();
    let found = page
        .fill(async |scan| {
            let mut found = store.list::<Connector>(call.organization(), scan).await?;
            found.items.retain(|it| {
                is_for_streams.is_none_or(|wanted| it.is_for_streams == wanted)
                    && visibility::shows(&call, it)
            });
            Ok(found)
        })
        .await?;
    Ok(Done(page.list(found, |it| it.id, render::connector)))
}

async fn create(call: Call, input: Create) -> Result<Created<ConnectorOut>, ApiError> {
    insert(&call, input.body).await.map(Created)
}

async fn insert(call: &Call, body: ConnectorIn) -> Result<ConnectorOut, ApiError> {
    transformation::check_code(call, &body.transformation, "transformation").await?;
    require_room::<Connector>(call, MAX_CONNECTORS, "connectors").await?;
    let connector = fields::build(call, body)?;
    call.store().save(&connector, Expected::New).await?;
    Ok(render::connector(connector))
}

async fn list_templates(
    _: Call,
    _: ListTemplates,
) -> Result<Done<ListResponse<ConnectorTemplateOut>>, ApiError> {
    let data = connector_template::all();
    Ok(Done(ListResponse { data, done: true, iterator: None, prev_iterator: None }))
}

async fn simulate(
    call: Call,
    input: Simulate,
) -> Result<Done<TransformationSimulateOut>, ApiError> {
    let body = input.body;
    let script = Script {
        code: body.code.as_str().into(),
        form: Form::Single,
        variables: body.variables.clone().unwrap_or_default().into(),
    };
    transformation::run(&call, &Trial::of_organization(&call), &script, body).await.map(Done)
}

async fn get(call: Call, input: Get) -> Result<Done<ConnectorOut>, ApiError> {
    let (connector, _) = find(&call, &input.connector_id).await?;
    if !visibility::shows(&call, &connector) {
        return Err(ApiError::NotFound("connector"));
    }
    Ok(Done(render::connector(connector)))
}

async fn upsert(call: Call, input: Upsert) -> Result<Upserted<ConnectorOut>, ApiError> {
    let Upsert { connector_id, body } = input;
    if find_if_any(&call, &connector_id).await?.is_none() {
        let uid = new_uid(&connector_id, None, "connector")?;
        let body = fields::new(body, uid.to_string());
        return insert(&call, body).await.map(Upserted::Created);
    }
    transformation::check_code(&call, &body.transformation, "transformation").await?;
    race::retry(|| try_replace(&call, &connector_id, body.clone())).await.map(Upserted::Existing)
}

async fn try_replace(
    call: &Call,
    connector_id: &IdOrUid<ConnectorId>,
    body: ConnectorUpsertIn,
) -> Result<ConnectorOut, ApiError> {
    let (old, version) = find(call, connector_id).await?;
    let product_type = Some(render::product(&old));
    let body = ConnectorIn { product_type, ..fields::new(body, String::new()) };
    let new = fields::build(call, ConnectorIn { uid: None, ..body })?;
    let is_same = new.transformation == old.transformation;
    let new = Connector {
        id: old.id,
        uid: old.uid,
        managed_by: old.managed_by,
        options: old.options.filter(|_| old.kind == new.kind),
        created_at: old.created_at,
        transformation_updated_at: if is_same { old.transformation_updated_at } else { call.now },
        ..new
    };
    call.store().save(&new, Expected::Version(version)).await?;
    Ok(render::connector(new))
}

async fn patch(call: Call, input: Patch) -> Result<Done<ConnectorOut>, ApiError> {
    if let Some(code) = &input.body.transformation {
        transformation::check_code(&call, code, "transformation").await?;
    }
    race::retry(|| try_patch(&call, &input)).await.map(Done)
}

async fn try_patch(call: &Call, input: &Patch) -> Result<ConnectorOut, ApiError> {
    let (mut connector, version) = find(call, &input.connector_id).await?;
    fields::apply(call, &mut connector, input.body.clone())?;
    call.store().save(&connector, Expected::Version(version)).await?;
    Ok(render::connector(connector))
}

/// Endpoints that use it keep their code.
async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    let (connector, _) = find(&call, &input.connector_id).await?;
    call.store().remove::<Connector>(&connector.organization, &connector.id).await?;
    Ok(NoContent)
}

async fn get_options(
    call: Call,
    input: GetOptions,
) -> Result<IfAny<ConnectorOptionsBody>, ApiError> {
    let (connector, _) = find(&call, &input.connector_id).await?;
    let is_set = connector.options.is_some() || connector.kind != ConnectorKind::Custom;
    Ok(IfAny(is_set.then(|| render::options(&connector))))
}

async fn set_options(
    call: Call,
    input: SetOptions,
) -> Result<Done<ConnectorOptionsBody>, ApiError> {
    race::retry(|| try_set_options(&call, &input)).await.map(Done)
}

async fn try_set_options(
    call: &Call,
    input: &SetOptions,
) -> Result<ConnectorOptionsBody, ApiError> {
    let (mut connector, version) = find(call, &input.connector_id).await?;
    connector.options = fields::options(call, &connector, input.body.clone())?;
    connector.updated_at = call.now;
    call.store().save(&connector, Expected::Version(version)).await?;
    Ok(render::options(&connector))
}

/// The connector, and its version, as they are stored now.
async fn find(call: &Call, named: &IdOrUid<ConnectorId>) -> Result<(Connector, Version), ApiError> {
    find_if_any(call, named).await?.ok_or(ApiError::NotFound("connector"))
}

async fn find_if_any(
    call: &Call,
    named: &IdOrUid<ConnectorId>,
) -> Result<Option<(Connector, Version)>, ApiError> {
    Ok(call.store().get_versioned::<Connector>(call.organization(), named).await?)
}
