//! Tokens for the owners of sources.

use postrider::{
    SourceId,
    api::{AppPortalAccessIn, AppPortalAccessOut, IngestSourceConsumerPortalAccessIn, Permission},
};
use postrider_store::IdOrUid;

use crate::{
    api::{body::Json, error::ApiError, operation::operations, reply::Done},
    operations::{authentication, call::Call},
};

operations! {
    tag "Ingest Source";

    /// Create a token for the application of a source
    ConsumerPortalAccess "v1.ingest.authentication.consumer-portal-access" = POST "/ingest/api/v1/source/{source_id}/dashboard"
        path { source_id: IdOrUid<SourceId> }
        body { Json<IngestSourceConsumerPortalAccessIn> }
        -> Done<AppPortalAccessOut> = grant_access,
        needs(Permission::Operate);
}

/// The token is one of the source's application: its holder can manage the endpoints and see the
/// messages, but not the source.
async fn grant_access(
    call: Call,
    input: ConsumerPortalAccess,
) -> Result<Done<AppPortalAccessOut>, ApiError> {
    let IngestSourceConsumerPortalAccessIn { expiry, read_only } = input.body;
    let body = AppPortalAccessIn { expiry, read_only, ..AppPortalAccessIn::default() };
    authentication::grant_access(&call, (&input.source_id).into(), body).await.map(Done)
}
