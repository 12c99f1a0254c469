//! The page: the filter, and the transformation.

use super::{
    super::subject::{Subject, Tab},
    filter_form::{self, FilterTrial},
    script_form::{self, ScriptForm},
    start,
    trial::Tried,
};
use crate::{
    context::Context,
    failure::Failure,
    form::Form,
    page::{Page, PageResult},
    viewer::Action,
};

/// The form that was sent, and what came of it.
pub(super) enum Sent<'a> {
    Nothing,
    Filter(&'a Form, FilterTrial<'a>),
    Script(&'a Form, &'a Tried),
}

/// The page. It has only the forms that the person may send.
pub(super) async fn show(context: &Context, subject: &Subject, sent: &Sent<'_>) -> PageResult {
    let may_filter = context.may(Action::ManageEndpoints);
    let may_transform = context.may(Action::ManageTransformations);
    if !may_filter && !may_transform {
        return Err(Failure::NotPermitted(Action::ManageEndpoints));
    }
    let page = subject.page(context, Tab::Shaping);
    let page = if may_filter { page.part(filter(context, subject, sent)) } else { page };
    if may_transform { transformation(context, subject, sent, page).await } else { Ok(page) }
}

fn filter(context: &Context, subject: &Subject, sent: &Sent<'_>) -> maud::Markup {
    match sent {
        Sent::Filter(form, trial) => filter_form::section(context, subject, form, *trial),
        Sent::Nothing | Sent::Script(..) => {
            let stored = subject.endpoint.filter.clone().unwrap_or_default();
            let form = Form::filled([("filter", stored)]);
            filter_form::section(context, subject, &form, FilterTrial::None)
        },
    }
}

async fn transformation(
    context: &Context,
    subject: &Subject,
    sent: &Sent<'_>,
    page: Page,
) -> PageResult {
    let choices = start::choices(context).await?;
    let samples = super::sample::latest(context, subject).await?;
    let start = context.query.text("from").and_then(|it| choices.find(it));
    let fresh;
    let (form, tried) = match sent {
        Sent::Script(form, tried) => (*form, Some(*tried)),
        Sent::Nothing | Sent::Filter(..) => {
            fresh = script_form::filled(context, subject, start.as_ref()).await?;
            (&fresh, None)
        },
    };
    let shown = ScriptForm { subject, form, tried, samples: &samples, start: start.as_ref() };
    Ok(page.part(maud::html! {
        section.section.shaping #transformation {
            h2 { "Transformation" }
            (start::chooser(context, &choices))
            (shown.markup(context))
        }
        @if let Some(tried) = tried { (tried.markup()) }
    }))
}
