//! The endpoints of a source: those of its application, under the source's path.

use http::Method;
use postrider::api::{
    EndpointSecretRotateIn, IngestEndpointTransformationOut, IngestEndpointTransformationPatch,
};

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{Operation, operation},
        problems::Problems,
        reply::{NoContent, Shown},
    },
    operations::{call::Call, endpoint},
};

const TAG: &str = "Ingest Endpoint";

pub(super) fn operations() -> Vec<Operation> {
    let all = "/ingest/api/v1/source/{source_id}/endpoint";
    let one = "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}";
    let declare = |method, path, id, summary| operation(method, path, id, TAG, summary);
    let mut operations = vec![
        declare(Method::GET, all, "v1.ingest.endpoint.list", "List a source's endpoints")
            .run(endpoint::list),
        declare(Method::POST, all, "v1.ingest.endpoint.create", "Create an endpoint of a source")
            .run(endpoint::create),
        declare(Method::GET, one, "v1.ingest.endpoint.get", "Get an endpoint of a source")
            .run(endpoint::get),
        declare(
            Method::PUT,
            one,
            "v1.ingest.endpoint.upsert",
            "Replace or create an endpoint of a source",
        )
        .run(endpoint::put),
        declare(Method::DELETE, one, "v1.ingest.endpoint.delete", "Delete an endpoint of a source")
            .run(endpoint::delete),
    ];
    operations.extend(parts());
    operations
}

fn parts() -> Vec<Operation> {
    let secret = "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/secret";
    let rotated = "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/secret/rotate";
    let headers = "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/headers";
    let code = "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/transformation";
    let declare = |method, path, id, summary| operation(method, path, id, TAG, summary);
    vec![
        declare(
            Method::GET,
            secret,
            "v1.ingest.endpoint.get-secret",
            "Get the signing secret of a source's endpoint",
        )
        .run(endpoint::secret::get),
        declare(
            Method::POST,
            rotated,
            "v1.ingest.endpoint.rotate-secret",
            "Replace the signing secret of a source's endpoint",
        )
        .run(rotate),
        declare(
            Method::GET,
            headers,
            "v1.ingest.endpoint.get-headers",
            "Get the headers of a source's endpoint",
        )
        .run(endpoint::headers::get),
        declare(
            Method::PUT,
            headers,
            "v1.ingest.endpoint.set-headers",
            "Replace the headers of a source's endpoint",
        )
        .run(endpoint::headers::put),
        declare(
            Method::GET,
            code,
            "v1.ingest.endpoint.transformation.get",
            "Get the transformation of a source's endpoint; there is none",
        )
        .run(transformation),
        declare(
            Method::PATCH,
            code,
            "v1.ingest.endpoint.transformation.patch",
            "Refuse a transformation of a source's endpoint",
        )
        .run(patch_transformation),
    ]
}

/// Unlike the operation on the application's path, this one has nothing to say.
async fn rotate(
    call: Call,
    (): (),
    body: Json<EndpointSecretRotateIn>,
) -> Result<NoContent, ApiError> {
    endpoint::secret::rotate(call, (), body).await.map(|_| NoContent)
}

async fn transformation(
    call: Call,
    (): (),
    (): (),
) -> Result<Shown<IngestEndpointTransformationOut>, ApiError> {
    let entry = call.application().await?;
    call.endpoint(&entry)?;
    Ok(Shown(IngestEndpointTransformationOut::default()))
}

/// A setting that is taken works, so that none is.
async fn patch_transformation(
    call: Call,
    (): (),
    Json(body): Json<IngestEndpointTransformationPatch>,
) -> Result<NoContent, ApiError> {
    let entry = call.application().await?;
    call.endpoint(&entry)?;
    let mut problems = Problems::within(&["body"]);
    let none = "cannot be set: webhooks are passed on as they came";
    problems.demand(body.code.is_none(), "code", none);
    problems.demand(body.enabled != Some(true), "enabled", none);
    problems.demand(body.variables.is_none_or(|it| it.is_empty()), "variables", none);
    problems.or(NoContent)
}
