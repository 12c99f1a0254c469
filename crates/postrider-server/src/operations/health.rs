//! Whether the server is there and can do its work.

use http::Method;
use postrider::ApplicationId;

use crate::{
    api::{
        error::ApiError,
        operation::{Operation, operation},
        reply::NoContent,
    },
    auth::Access,
    operations::call::Call,
};

const TAG: &str = "Health";

pub(super) fn operations() -> Vec<Operation> {
    let health = "/api/v1/health";
    let ping = "/api/v1/health/ping";
    let [get, head] = [Method::GET, Method::HEAD];
    let anyone = Access::Anyone;
    vec![
        operation(get.clone(), health, "v1.health.get", TAG, "Check that the server works")
            .by(anyone)
            .run(check),
        operation(head.clone(), health, "v1.health.head", TAG, "Check that the server works")
            .by(anyone)
            .run(check),
        operation(get, ping, "v1.health.ping", TAG, "Check that the server answers")
            .by(anyone)
            .run(ping_back),
        operation(head, ping, "v1.health.ping-head", TAG, "Check that the server answers")
            .by(anyone)
            .run(ping_back),
    ]
}

async fn check(call: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    if !call.context.engine.is_running() {
        return Err(ApiError::Unavailable("a part of the server has stopped", None));
    }
    // A look at one row, whatever the store has: there is no application with this id.
    call.store().application_by_id(ApplicationId::from_u128(0)).await?;
    call.store().check_writable().await?;
    Ok(NoContent)
}

async fn ping_back(_: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    Ok(NoContent)
}
