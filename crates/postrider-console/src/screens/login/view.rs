//! The sign-in page.

use maud::{Markup, PreEscaped, html};

use crate::{
    context::Shared, form::Form, layout::bare, page::Tone, session::Session, site::Audience,
    theme::Theme, ui::notice,
};

/// What the sign-in page shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Login<'a> {
    /// Why the person has to sign in again.
    pub(super) problem: Option<&'a str>,
    /// The page to go to afterwards.
    pub(super) return_to: Option<&'a str>,
    /// The path and the fields of a form that was sent without a session.
    pub(super) interrupted: Option<(&'a str, &'a Form)>,
    /// Who was to see the page, if it is known.
    pub(super) audience: Option<Audience>,
}

/// Fields of the sign-in form, which a form that was interrupted does not contain.
const OWN: [&str; 6] = ["csrf", "key", "username", "token", "interrupted", "return_to"];

pub(super) fn login(shared: &Shared, theme: Theme, login: &Login<'_>) -> Markup {
    if login.audience == Some(Audience::Portal) {
        return expired(shared, theme);
    }
    bare(
        shared,
        theme,
        "Sign in · Postrider",
        &html! {
            div.login data-login {
                h1 { "Sign in to Postrider" }
                @if let Some(problem) = login.problem { (notice(Tone::Bad, &html! { (problem) })) }
                @if login.interrupted.is_some() {
                    (notice(Tone::Neutral, &html! { "What you entered is kept. You can send it after signing in." }))
                }
                form.stack #login-form method="post" action=(shared.site.path("/login")) {
                    input #login-key type="hidden" name="key";
                // Password managers store the token under this name.
                input type="text" name="username" value="postrider" autocomplete="username" hidden;
                    @if let Some(path) = login.return_to { input type="hidden" name="return_to" value=(path); }
                    @if let Some((path, form)) = login.interrupted {
                        input type="hidden" name="interrupted" value=(path);
                        (fields(form))
                    }
                    div.field {
                        label for="login-token" { "Token or API key" }
                        input #login-token.code name="token" type="password" autocomplete="current-password" spellcheck="false";
                    }
                    button type="submit" { "Sign in" }
                }
                @if shared.settings.has_sso {
                    a.button.secondary href={ (shared.site.path("/auth/login")) "?return_to=" (login.return_to.map(crate::site::encode).unwrap_or_default()) } {
                        "Sign in with single sign-on"
                    }
                }
                details.hint {
                    summary { "How do I get a token?" }
                    p { "On the server, " code { "postrider console" } " prints a sign-in link, and "
                        code { "postrider token create" } " a token. An administrator can create API keys under Settings." }
                }
                div #login-tab hidden {
                    (notice(Tone::Warning, &html! {
                        "Your browser keeps no cookies for embedded pages. "
                        a #login-tab-link target="_blank" rel="noopener" href="" { "Open in a new tab" }
                    }))
                }
            }
        },
    )
}

/// The page of a customer whose token has expired. The embedding page is notified by a script.
fn expired(shared: &Shared, theme: Theme) -> Markup {
    bare(
        shared,
        theme,
        "Session ended",
        &html! {
            div.login data-expired {
                h1 { "Your session has ended" }
                p { "Open this page again from the application that you came from." }
            }
        },
    )
}

/// A page that sends an interrupted form.
pub(super) fn resume(
    shared: &Shared,
    theme: Theme,
    path: &str,
    form: &Form,
    token: &str,
) -> Markup {
    bare(
        shared,
        theme,
        "Signed in · Postrider",
        &html! {
            div.login {
                h1 { "You are signed in" }
                p { "Your session had ended while you were filling in a form. Nothing has been changed yet." }
                form.stack method="post" action=(shared.site.path(path)) {
                    input type="hidden" name="csrf" value=(Session::csrf_of(token));
                    (fields(form))
                    button type="submit" { "Send the form" }
                }
                a.button.plain href=(shared.site.path("/")) { "Discard it" }
            }
        },
    )
}

/// The fields of a form that was interrupted.
fn fields(form: &Form) -> Markup {
    let fields = form.pairs().iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    html! {
        @for (name, value) in fields {
            // In a text area, because hidden inputs lose line breaks.
            textarea hidden name=(name) aria-label=(name) { (PreEscaped("\n")) (value) }
        }
    }
}
