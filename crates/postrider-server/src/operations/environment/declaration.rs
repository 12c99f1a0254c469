//! Applying and exporting declared records.

mod apply;
mod batch;
mod document;
mod export;
mod names;
mod removal;

use postrider::api::{
    Permission,
    declaration::{ApplyIn, ApplyOut, DeclarationOut},
};
use serde_json::json;

pub(in crate::operations) use self::document::{open_document, secret_document};
use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{BodySize, Idempotency, operations},
        query::query,
        reply::Done,
    },
    operations::{audited::of_organization, call::Call},
};

query! {
    ExportQuery {
        /// Include secrets; otherwise, there are masks (`***`) in their place.
        with_secrets: bool,
    }
}

operations! {
    tag "Environment";

    /// Create, change and remove records, so that they are as declared
    Apply "v1.environment.apply" = POST "/api/v1/environment/apply"
        body { Json<ApplyIn> }
        -> Done<ApplyOut> = apply,
        idempotency(Idempotency::Unkeyed),
        body_size(BodySize::Batch),
        needs(Permission::Administer);

    /// Export the records of the organization, as they can be declared
    ExportRecords "v1.environment.export-records" = GET "/api/v1/environment/records"
        query { ExportQuery }
        -> Done<DeclarationOut> = export_records,
        needs(Permission::Administer);
}

async fn apply(call: Call, Apply { body }: Apply) -> Result<Done<ApplyOut>, ApiError> {
    Box::pin(apply::apply(&call, body)).await.map(Done)
}

async fn export_records(
    call: Call,
    ExportRecords { query }: ExportRecords,
) -> Result<Done<DeclarationOut>, ApiError> {
    let records = Box::pin(export::export(&call, query.with_secrets)).await?;
    if query.with_secrets {
        let record = of_organization(call.organization());
        call.store().record(record, [("revealed", json!("all secrets"))]).await?;
    }
    Ok(Done(records))
}
