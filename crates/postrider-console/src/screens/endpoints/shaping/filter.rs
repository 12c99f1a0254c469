//! Tries a filter, or saves it.

use std::sync::Arc;

use http::Method;
use postrider::api::{EndpointOut, FilterTestIn, FilterTestOut};
use serde_json::json;

use super::{
    super::subject::Subject,
    filter_form::{FilterTrial, text},
    script_form,
    view::{Sent, show},
};
use crate::{
    api::ApiFailure,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome},
    viewer::Action,
};

/// Does what the pressed button says.
pub(in super::super) async fn change(context: Arc<Context>, form: Form) -> ActionResult {
    context.require(Action::ManageEndpoints)?;
    let subject = Subject::read(&context).await?;
    if form.text("do") == Some("save") {
        save(&context, &subject, &form).await
    } else {
        attempt(&context, &subject, &form).await
    }
}

async fn attempt(context: &Context, subject: &Subject, form: &Form) -> ActionResult {
    let limit = form.text("limit").and_then(|it| it.parse().ok());
    let body = FilterTestIn { filter: Some(text(form)), limit };
    match context.api.post::<FilterTestOut>(subject.api(&["filter", "test"]), &body).await {
        Ok(result) => {
            let sent = Sent::Filter(form, FilterTrial::Tried(&result));
            Ok(Outcome::page(show(context, subject, &sent).await?))
        },
        Err(error) => refuse(context, subject, form, error).await,
    }
}

async fn save(context: &Context, subject: &Subject, form: &Form) -> ActionResult {
    let filter = Some(text(form)).filter(|it| !it.is_empty());
    let is_removed = filter.is_none();
    let body = json!({ "filter": filter });
    match context.api.send::<EndpointOut>(Method::PATCH, subject.api(&[]), &body).await {
        Ok(_) => {
            let done = if is_removed {
                "The endpoint has no filter now."
            } else {
                "The filter has been saved. It applies to messages that are published from now on."
            };
            if script_form::is_unsaved(context, subject, form).await? {
                let sent = Sent::FilterSaved(form, done);
                return Ok(Outcome::page(show(context, subject, &sent).await?));
            }
            Ok(Outcome::done(subject.path(context, &["filter"]), done))
        },
        Err(error) => refuse(context, subject, form, error).await,
    }
}

async fn refuse(
    context: &Context,
    subject: &Subject,
    form: &Form,
    error: ApiFailure,
) -> ActionResult {
    if !error.is_input() {
        return Err(error.into());
    }
    let sent = Sent::Filter(form, FilterTrial::Refused(&error));
    Ok(Outcome::again(show(context, subject, &sent).await?))
}
