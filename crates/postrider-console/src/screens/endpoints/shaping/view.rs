//! The page: the filter, and the transformation. Both are one form with two pairs of buttons, so that
//! a button of one part keeps what was entered in the other.

use std::borrow::Cow;

use maud::{Markup, html};

use super::{
    super::subject::{Subject, Tab},
    filter_form::{self, FilterTrial},
    script_form::{self, ScriptForm},
    start::{self, Choices},
    trial::Tried,
};
use crate::{
    context::Context,
    failure::Failure,
    form::Form,
    page::{PageResult, Tone},
    ui,
    viewer::Action,
};

/// What was sent, and what came of it.
#[derive(Clone, Copy)]
pub(super) enum Sent<'a> {
    Nothing,
    Filter(&'a Form, FilterTrial<'a>),
    Script(&'a Form, &'a Tried),
    /// The filter was saved, and the transformation has changes that are not.
    FilterSaved(&'a Form, &'a str),
    /// The transformation was saved, and the filter has changes that are not.
    ScriptSaved(&'a Form, &'a str),
}

impl<'a> Sent<'a> {
    fn filter(self) -> Option<&'a Form> {
        match self {
            Self::Nothing => None,
            Self::Filter(form, _)
            | Self::Script(form, _)
            | Self::FilterSaved(form, _)
            | Self::ScriptSaved(form, _) => Some(form),
        }
    }

    /// The values of variables that were saved are not shown again.
    fn script(self) -> Option<&'a Form> {
        match self {
            Self::Nothing | Self::ScriptSaved(..) => None,
            Self::Filter(form, _) | Self::Script(form, _) | Self::FilterSaved(form, _) => {
                Some(form)
            },
        }
    }

    const fn trial(self) -> FilterTrial<'a> {
        match self {
            Self::Filter(_, trial) => trial,
            Self::Nothing | Self::Script(..) | Self::FilterSaved(..) | Self::ScriptSaved(..) => {
                FilterTrial::None
            },
        }
    }

    const fn tried(self) -> Option<&'a Tried> {
        match self {
            Self::Script(_, tried) => Some(tried),
            Self::Nothing | Self::Filter(..) | Self::FilterSaved(..) | Self::ScriptSaved(..) => {
                None
            },
        }
    }

    fn notice(self) -> Markup {
        let (done, unsaved) = match self {
            Self::FilterSaved(_, done) => (done, "The transformation"),
            Self::ScriptSaved(_, done) => (done, "The filter"),
            Self::Nothing | Self::Filter(..) | Self::Script(..) => return Markup::default(),
        };
        ui::notice(
            Tone::Warning,
            &html! { (done) " " (unsaved) " has changes that are not saved yet." },
        )
    }
}

/// The page. It has only the parts that the person may change.
pub(super) async fn show(context: &Context, subject: &Subject, sent: &Sent<'_>) -> PageResult {
    let may_filter = context.may(Action::ManageEndpoints);
    let may_transform = context.may(Action::ManageTransformations);
    if !may_filter && !may_transform {
        return Err(Failure::NotPermitted(Action::ManageEndpoints));
    }
    let choices = if may_transform { start::choices(context).await? } else { Choices::default() };
    let script = if may_transform {
        script(context, subject, *sent, &choices).await?
    } else {
        Markup::default()
    };
    let path = context.query.only(&["from"]).on(&subject.path(context, &["filter"]));
    Ok(subject.page(context, Tab::Shaping).part(html! {
        (sent.notice())
        (start::chooser_form(context, &choices))
        form.stack.wide-gap method="post" action=(context.link(&path)) {
            (ui::form::csrf(context))
            @if may_filter { (filter(context, subject, *sent)) }
            (script)
        }
        @if let Some(tried) = sent.tried() { (tried.markup()) }
    }))
}

fn filter(context: &Context, subject: &Subject, sent: Sent<'_>) -> Markup {
    let form = sent
        .filter()
        .filter(|it| it.has("filter"))
        .map_or_else(|| Cow::Owned(filter_form::filled(subject)), Cow::Borrowed);
    filter_form::section(context, subject, &form, sent.trial())
}

async fn script(
    context: &Context,
    subject: &Subject,
    sent: Sent<'_>,
    choices: &Choices,
) -> Result<Markup, Failure> {
    let samples = super::sample::latest(context, subject).await?;
    let start = context.query.text("from").and_then(|it| choices.find(it));
    let form = match sent.script().filter(|it| it.has("code")) {
        Some(form) => Cow::Borrowed(form),
        None => Cow::Owned(script_form::filled(context, subject, start.as_ref()).await?),
    };
    let shown = ScriptForm {
        subject,
        form: &form,
        tried: sent.tried(),
        samples: &samples,
        start: start.as_ref(),
    };
    Ok(html! {
        section.section.shaping #transformation {
            h2 { "Transformation" }
            (start::chooser(context, choices))
            (shown.markup(context))
        }
    })
}
