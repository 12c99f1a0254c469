//! The page, whose requests a script shows.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::{listen::token_from_key, provider};

use super::key::key;
use crate::{
    context::Context,
    page::{Page, PageResult, Section, Tone},
    ui::{self, Field, code},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let page = Page::new(Section::Inspect, "Inspect")
        .lead(html! { "Shows what a sender sends, as it arrives. Nothing is stored." });
    if !context.may(Action::Operate) {
        let least = Action::Operate.least_role();
        return Ok(page.part(ui::notice(Tone::Neutral, &html! {
            "Only people and keys with the role " strong { (least) } " can receive requests here."
        })));
    }
    let session = context.query.text("url").unwrap_or("1");
    let path = format!("/api/v1/receive/{}/", token_from_key(&key(&context, session)));
    let url = context.shared.site.url(&path);
    let next = context.now.as_millisecond();
    Ok(page
        .actions(html! { a.button.secondary href=(context.link(&format!("/inspect?url={next}"))) { "Use another URL" } })
        .part(html! {
            (address(&url))
            div.split {
                section.section {
                    h2 { "Requests" }
                    p #inspect-state .hint role="status" { "Requests are shown by a script, which is not running. " code { "postrider listen" } " shows them in a terminal." }
                    div #inspect-requests data-rows {}
                    div #inspect-empty {
                        (ui::empty("No requests yet", &html! {
                            p { "Enter the URL at a sender, or try it:" }
                            (code::block("curl", &format!("curl '{url}' -d '{{\"hello\":\"world\"}}'")))
                        }))
                    }
                }
                (settings(&context, session))
            }
        }))
}

fn address(url: &str) -> Markup {
    html! {
        section.card aria-label="URL" {
            div.inspect-url #inspect-url { (ui::id(url)) }
            p.hint { "It works while this page is open. Opening the page again gives you the same URL." }
        }
    }
}

fn settings(context: &Context, session: &str) -> Markup {
    let providers: Vec<_> =
        provider::all().iter().map(|it| (it.id.as_str(), it.name.as_str())).collect();
    let options: Vec<_> = std::iter::once(("", "recognize it")).chain(providers).collect();
    html! {
        section.card {
            form.stack #inspect method="post" action=(context.link("/inspect/requests")) {
                (ui::form::csrf(context))
                (ui::form::hidden(&[("session", session)]))
                h2 { "Verify" }
                (Field::new("provider", "Sender").select(&options))
                (Field::new("secret", "Secret").code(1).hint(html! { "Each request is verified with it. It is not stored." }).area())
                h2 { "Respond with" }
                div.form-row.colors {
                    (Field::new("status", "Status").value("200").kind("number").line())
                    (Field::new("content_type", "Content type").placeholder("none").line())
                }
                (Field::new("body", "Body").code(2).area())
                div { button type="submit" { "Apply" } }
            }
        }
    }
}
