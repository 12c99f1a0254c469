//! Enabling and disabling an endpoint, and cancelling what is pending.

use std::sync::Arc;

use http::Method;
use postrider::api::{CancelMsgsIn, EndpointOut, EndpointPatch};
use postrider_core::sign_in::return_path;

use super::subject::Subject;
use crate::{
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome},
};

pub(super) async fn enable(context: Arc<Context>, form: Form) -> ActionResult {
    set_disabled(&context, false).await?;
    let path = back(&context, &form);
    Ok(Outcome::done(path, "The endpoint has been enabled. Its pending deliveries continue now."))
}

pub(super) async fn disable(context: Arc<Context>, form: Form) -> ActionResult {
    set_disabled(&context, true).await?;
    let path = back(&context, &form);
    Ok(Outcome::done(path, "The endpoint has been disabled. Its pending deliveries wait."))
}

async fn set_disabled(context: &Context, disabled: bool) -> Result<(), Failure> {
    let (app, endpoint) = (context.app(), context.param("endpoint"));
    let path = crate::api::v1(&["app", &app, "endpoint", endpoint]);
    let body = EndpointPatch { disabled: Some(disabled), ..EndpointPatch::default() };
    context.api.send::<EndpointOut>(Method::PATCH, path, &body).await?;
    Ok(())
}

/// The page that the form was on.
fn back(context: &Context, form: &Form) -> String {
    let own = context.app_path(&context.app(), &["endpoints", context.param("endpoint")]);
    form.text("return_to").and_then(return_path).map_or(own, ToOwned::to_owned)
}

/// Cancels all deliveries of messages that have been accepted so far.
pub(super) async fn cancel(context: Arc<Context>, _: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    let body = CancelMsgsIn { created_before: context.now };
    context.api.post::<()>(subject.api(&["cancel-msgs"]), &body).await?;
    let path = subject.path(&context, &[]);
    Ok(Outcome::done(path, "The pending deliveries are being cancelled."))
}
