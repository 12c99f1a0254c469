//! The sign-in page.

use maud::{Markup, PreEscaped, html};

use crate::{
    context::Shared,
    form::Form,
    layout::{bare, portal_bare},
    page::Tone,
    query::Query,
    session::Session,
    site::Audience,
    theme::{Appearance, PARAMETERS, Theme},
    ui::notice,
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
    /// The parameters of the page, which tell how the embedding page wants the portal to look.
    pub(super) embedding: Option<&'a Query>,
}

/// Fields of the sign-in form, which a form that was interrupted does not contain.
const OWN: [&str; 6] = ["csrf", "key", "username", "token", "interrupted", "return_to"];

pub(super) fn login(shared: &Shared, appearance: &Appearance, login: &Login<'_>) -> Markup {
    if login.audience == Some(Audience::Portal) {
        return ended(shared, appearance, login);
    }
    if appearance.is_framed {
        return framed(shared, appearance, login);
    }
    bare(
        shared,
        appearance.theme,
        "Sign in",
        &html! {
            (running(shared, login))
            div.login.sign-in {
                h1 { "Sign in to Postrider" }
                @if let Some(problem) = login.problem { (notice(Tone::Bad, &html! { (problem) })) }
                @if login.interrupted.is_some() {
                    (notice(Tone::Neutral, &html! { "What you entered is kept. You can send it after signing in." }))
                }
                form.stack method="post" action=(shared.site.path("/login")) {
                    @if let Some(path) = login.return_to { input type="hidden" name="return_to" value=(path); }
                    @if let Some((path, form)) = login.interrupted {
                        input type="hidden" name="interrupted" value=(path);
                        (fields(form))
                    }
                    // Password managers store the token under this name.
                    input type="text" name="username" value="postrider" autocomplete="username" hidden;
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
            }
        },
    )
}

/// The sign-in with the key of a link: a form that a script sends, and what is shown meanwhile.
fn running(shared: &Shared, login: &Login<'_>) -> Markup {
    let given = login.embedding.map(|it| it.only(&PARAMETERS).and("next", it.text("next")));
    let given = given.unwrap_or_default();
    let next = Query::default().and("next", given.text("next")).on(&shared.site.path("/portal"));
    html! {
        div.key-sign-in data-login {
            form #login-form method="post" action=(shared.site.path("/login")) data-next=(next) {
                input #login-key type="hidden" name="key";
                @if let Some(path) = login.return_to { input type="hidden" name="return_to" value=(path); }
                @for (name, value) in given.pairs() { input type="hidden" name=(name) value=(value); }
            }
            p.signing-in role="status" { "Signing in…" }
            div.login #login-tab hidden {
                h1 { "Open in a new tab" }
                p { "Your browser keeps no cookies for pages inside other pages, so you cannot be signed in here." }
                a.button #login-tab-link target="_blank" rel="noopener" href="" { "Open in a new tab" }
            }
        }
    }
}

/// The sign-in inside another page, where people have no token that they could enter.
fn framed(shared: &Shared, appearance: &Appearance, login: &Login<'_>) -> Markup {
    portal_bare(
        shared,
        appearance,
        "Sign in",
        &html! {
            (running(shared, login))
            div.login.sign-in data-expired[login.problem.is_some()] {
                h1 { "You are not signed in" }
                @if let Some(problem) = login.problem { (notice(Tone::Bad, &html! { (problem) })) }
                p { "Reload the page, or open it again from the application that you came from." }
                noscript { p { "Signing in here needs JavaScript." } }
            }
        },
    )
}

/// The page of a customer whose token has expired. The embedding page is notified by a script.
fn ended(shared: &Shared, appearance: &Appearance, login: &Login<'_>) -> Markup {
    let title =
        if login.problem.is_some() { "Your session has ended" } else { "You are not signed in" };
    portal_bare(
        shared,
        appearance,
        title,
        &html! {
            div.login data-expired {
                h1 { (title) }
                p { "Reload the page, or open it again from the application that you came from." }
                @if let Some((_, form)) = login.interrupted {
                    p { "Nothing was changed. Copy what you entered, so that you can enter it again:" }
                    (entered(form))
                }
            }
        },
    )
}

/// What the person entered in a form that could not be sent.
fn entered(form: &Form) -> Markup {
    let fields = form
        .pairs()
        .iter()
        .filter(|(name, value)| !OWN.contains(&name.as_str()) && !value.is_empty());
    html! {
        div.stack {
            @for (index, (name, value)) in fields.enumerate() {
                div.field {
                    label for={ "entered-" (index) } { (name) }
                    textarea.code readonly rows="1" id={ "entered-" (index) } { (PreEscaped("\n")) (value) }
                }
            }
        }
    }
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
