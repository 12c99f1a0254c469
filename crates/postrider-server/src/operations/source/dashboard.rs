//! Tokens for whoever looks after a source.

use http::Method;
use postrider::api::{AppPortalAccessIn, AppPortalAccessOut, IngestSourceConsumerPortalAccessIn};

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{Operation, operation},
        reply::Shown,
    },
    operations::{authentication, call::Call},
};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation(
            Method::POST,
            "/ingest/api/v1/source/{source_id}/dashboard",
            "v1.ingest.authentication.consumer-portal-access",
            super::TAG,
            "Make a token for the application of a source",
        )
        .run(grant_access),
    ]
}

/// The token is one of the source's application: it can look after the endpoints and see the
/// messages, but not the source.
async fn grant_access(
    call: Call,
    (): (),
    Json(body): Json<IngestSourceConsumerPortalAccessIn>,
) -> Result<Shown<AppPortalAccessOut>, ApiError> {
    let IngestSourceConsumerPortalAccessIn { expiry, read_only } = body;
    let body = AppPortalAccessIn { expiry, read_only, ..AppPortalAccessIn::default() };
    authentication::grant_access(call, (), Json(body)).await
}
