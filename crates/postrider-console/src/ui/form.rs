//! Forms, and buttons that do something.

use maud::{Markup, html};

use super::icon::{Icon, icon};
use crate::{api::ApiFailure, context::Context, page::Tone, ui::state::notice};

/// A form that is sent to a path, which is without the prefix of the site.
pub(crate) fn form(context: &Context, path: &str, content: &Markup) -> Markup {
    html! {
        form.stack method="post" action=(context.link(path)) {
            (csrf(context))
            (content)
        }
    }
}

/// The hidden field that shows that the form is one of this server.
pub(crate) fn csrf(context: &Context) -> Markup {
    html! { input type="hidden" name="csrf" value=(context.session.csrf); }
}

/// Hidden fields.
pub(crate) fn hidden(fields: &[(&str, &str)]) -> Markup {
    html! { @for (name, value) in fields { input type="hidden" name=(name) value=(value); } }
}

/// The problems of a form that no field shows.
pub(crate) fn problems(failure: Option<&ApiFailure>, fields: &[&str]) -> Markup {
    let problems = failure.map(|it| it.besides(fields)).unwrap_or_default();
    html! { @for problem in problems { (notice(Tone::Bad, &html! { (problem) })) } }
}

/// The button that sends a form, and a link back.
pub(crate) fn submit(context: &Context, label: &str, back: Option<&str>) -> Markup {
    html! {
        div.buttons {
            button type="submit" { (label) }
            @if let Some(path) = back { a.button.plain href=(context.link(path)) { "Cancel" } }
        }
    }
}

/// A button that does something that can be undone.
pub(crate) fn action_button(
    context: &Context,
    path: &str,
    (shape, label): (Icon, &str),
    fields: &[(&str, &str)],
) -> Markup {
    html! {
        form.inline method="post" action=(context.link(path)) {
            (csrf(context))
            (hidden(fields))
            button.secondary type="submit" { (icon(shape)) (label) }
        }
    }
}

/// A dialog that asks before something is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirm<'a> {
    /// The id of the dialog, unique on its page.
    pub(crate) id: &'a str,
    /// The label of the button that opens it.
    pub(crate) button: &'a str,
    pub(crate) shape: Icon,
    pub(crate) title: &'a str,
    /// The label of the button that does it.
    pub(crate) submit: &'a str,
    /// Where the form is sent.
    pub(crate) path: &'a str,
    /// Whether what is done cannot be undone.
    pub(crate) is_dangerous: bool,
}

/// A button that opens a dialog, and the dialog with these contents. Works without scripts.
pub(crate) fn confirm(context: &Context, confirm: &Confirm<'_>, content: &Markup) -> Markup {
    let Confirm { id, button, shape, title, submit, path, is_dangerous } = confirm;
    html! {
        button.secondary type="button" popovertarget=(id) aria-haspopup="dialog" { (icon(*shape)) (button) }
        div.dialog popover id=(id) role="dialog" aria-labelledby={ (id) "-title" } {
            form.stack method="post" action=(context.link(path)) {
                (csrf(context))
                h2 id={ (id) "-title" } { (title) }
                (content)
                div.buttons {
                    button.danger[*is_dangerous] type="submit" { (submit) }
                    button.plain type="button" popovertarget=(id) popovertargetaction="hide" { "Close" }
                }
            }
        }
    }
}
