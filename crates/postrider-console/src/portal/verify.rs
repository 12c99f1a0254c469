//! How receivers verify what they receive, in the customer's language.

mod language;

use std::sync::Arc;

use maud::{Markup, html};

use self::language::{Language, Scheme};
use crate::{
    context::Context,
    page::{Page, PageResult, Section},
    ui::{code, table, tabs},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let language = Language::of(context.query.text("language"));
    let scheme = Scheme::of(context.query.text("scheme"));
    Ok(Page::new(Section::Verify, "Verify webhooks")
        .part(introduction(&context))
        .part(html! {
            section.section {
                h2 { "Code" }
                (choices(&context, language, scheme))
                (code::block(language.name(), language.code(scheme)))
                p.hint { (hint(language, scheme)) }
            }
        })
        .part(by_hand(scheme)))
}

fn introduction(context: &Context) -> Markup {
    html! {
        div.stack.narrow {
            p { "Anyone can send requests to your endpoint. The signature tells you which of them are genuine." }
            ol.numbered {
                li { "Copy the secret from the page of your " a href=(context.link("/portal/endpoints")) { "endpoint" } "." }
                li { "Read the body as bytes, before any parsing." }
                li { "Verify the signature, and that it is at most five minutes old. The code below does both." }
                li { "Respond with a status from 200 to 299 at once, and do the work afterwards." }
                li { "Remember " code { "webhook-id" } ": a message can arrive more than once, always with the same id." }
            }
        }
    }
}

/// The languages and the kinds of secrets, as links.
fn choices(context: &Context, language: Language, scheme: Scheme) -> Markup {
    let link = |name, value| context.query.with(name, value).on(&context.path);
    let languages = Language::ALL.map(|it| (it.name(), link("language", it.id()), it == language));
    let schemes = Scheme::ALL.map(|it| (it, link("scheme", it.id())));
    html! {
        nav.schemes aria-label="Kind of secret" {
            @for (it, path) in schemes {
                a href=(context.link(&path)) aria-current=[(it == scheme).then_some("true")] {
                    strong { (it.name()) }
                    span.hint { (it.explanation()) }
                }
            }
        }
        (tabs(context, "Language", &languages))
    }
}

fn hint(language: Language, scheme: Scheme) -> Markup {
    match (scheme, language.library()) {
        (Scheme::Hmac, Some("standardwebhooks")) => html! {
            "If the headers of your requests begin with " code { "svix-" } " instead of " code { "webhook-" }
            ", use the library " code { "svix" } ", which accepts both."
        },
        (Scheme::Hmac, Some(_)) => {
            html! { "The library accepts headers that begin with " code { "webhook-" } " or " code { "svix-" } "." }
        },
        (Scheme::Hmac, None) | (Scheme::Ed25519, _) => html! {
            "The headers of some requests begin with " code { "svix-" } " instead of " code { "webhook-" } "; the values are the same."
        },
    }
}

/// What a signature covers, for languages without a library.
fn by_hand(scheme: Scheme) -> Markup {
    html! {
        section.section {
            h2 { "What is signed" }
            p { "The signature covers " code { "{webhook-id}.{webhook-timestamp}.{body}" } "." }
            (table("What is signed", &["Header", "Value"], &html! {
                tr { td { code.header-name { "webhook-id" } } td { "The id of the message. It is the same for every attempt." } }
                tr { td { code.header-name { "webhook-timestamp" } } td { "The time of the attempt in seconds since 1970." } }
                tr { td { code.header-name { "webhook-signature" } } td {
                    "One or more signatures, separated by spaces. Accept the request if one is valid: during a rotation of the secret there are two. "
                    (scheme.signature())
                } }
            }))
        }
    }
}
