//! Health checks: whether the process responds, whether the server can do its work, and whether it
//! should get requests.

use postrider::ApplicationId;
use postrider_core::catalog::Application;
use postrider_store::Records;

use postrider::api::Permission;

use crate::{
    api::{access::Access, error::ApiError, operation::operations, reply::NoContent},
    operations::call::Call,
};

operations! {
    tag "Health";

    /// Check that the server can do its work
    Check "v1.health.get" = GET "/api/v1/health"
        -> NoContent = check,
        access(Access::Anyone),
        needs(Permission::Any);

    /// Check that the server can do its work
    CheckHead "v1.health.head" = HEAD "/api/v1/health"
        -> NoContent = check_head,
        access(Access::Anyone),
        needs(Permission::Any);

    /// Check that the server is ready for requests
    Ready "v1.health.ready" = GET "/api/v1/health/ready"
        -> NoContent = ready,
        access(Access::Anyone),
        needs(Permission::Any);

    /// Check that the server is ready for requests
    ReadyHead "v1.health.ready-head" = HEAD "/api/v1/health/ready"
        -> NoContent = ready_head,
        access(Access::Anyone),
        needs(Permission::Any);

    /// Check that the server responds
    Ping "v1.health.ping" = GET "/api/v1/health/ping"
        -> NoContent = ping,
        access(Access::Anyone),
        needs(Permission::Any);

    /// Check that the server responds
    PingHead "v1.health.ping-head" = HEAD "/api/v1/health/ping"
        -> NoContent = ping_head,
        access(Access::Anyone),
        needs(Permission::Any);
}

async fn check(call: Call, _: Check) -> Result<NoContent, ApiError> {
    check_parts(&call).await
}

async fn check_head(call: Call, _: CheckHead) -> Result<NoContent, ApiError> {
    check_parts(&call).await
}

async fn check_parts(call: &Call) -> Result<NoContent, ApiError> {
    if !call.engine().is_running() {
        return Err(ApiError::Unavailable("a part of the server has stopped", None));
    }
    // Every store can look up one row. No application has this id.
    call.store().find::<Application>(ApplicationId::from_u128(0)).await?;
    call.store().check_writable().await?;
    Ok(NoContent)
}

async fn ready(call: Call, _: Ready) -> Result<NoContent, ApiError> {
    check_ready(&call).await
}

async fn ready_head(call: Call, _: ReadyHead) -> Result<NoContent, ApiError> {
    check_ready(&call).await
}

async fn check_ready(call: &Call) -> Result<NoContent, ApiError> {
    if call.settings().draining.is_cancelled() {
        return Err(ApiError::Unavailable("the server is shutting down", None));
    }
    if call.reader().node_lease().valid_until <= call.now {
        return Err(ApiError::Unavailable(
            "this node has no valid lease of its database; it renews it when the database responds",
            None,
        ));
    }
    check_parts(call).await
}

async fn ping(_: Call, _: Ping) -> Result<NoContent, ApiError> {
    Ok(NoContent)
}

async fn ping_head(_: Call, _: PingHead) -> Result<NoContent, ApiError> {
    Ok(NoContent)
}
