//! Choosing the provider of a new source.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::provider::{self, Provider};

use crate::{
    context::Context,
    page::{Page, PageResult, Section},
    site::join,
    ui,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let wanted = context.query.text("q").unwrap_or_default().to_lowercase();
    let found: Vec<_> = provider::all().iter().filter(|it| is_match(it, &wanted)).collect();
    let head = Page::new(Section::Sources, "Create source")
        .crumb("Sources", "/sources")
        .lead(html! { "Which service sends the webhooks? Each signs requests in its own way." });
    Ok(head.part(html! {
        (ui::filters(&context, &search(&wanted)))
        @if found.is_empty() {
            (ui::empty("No such provider", &html! {
                p { "No provider's name or category contains “" (wanted) "”. If you know how it signs, describe it as a custom provider." }
                a.button.secondary href=(context.link("/sources/new/custom")) { "Use a custom provider" }
            }))
        } @else {
            (list(&context, found))
        }
        (others(&context))
    }))
}

fn search(wanted: &str) -> Markup {
    html! {
        div.field.wide {
            label for="provider-search" { "Provider" }
            input id="provider-search" name="q" type="search" value=(wanted) placeholder="Stripe, GitHub, payments, …" autocomplete="off" data-find=".provider[data-text]";
        }
    }
}

/// Whether a provider has all words in its name, id or category.
fn is_match(provider: &Provider, wanted: &str) -> bool {
    let text = haystack(provider);
    wanted.split_whitespace().all(|word| text.contains(word))
}

fn haystack(provider: &Provider) -> String {
    format!("{} {} {}", provider.name, provider.id, category(&provider.category)).to_lowercase()
}

/// The providers in alphabetical order.
fn list(context: &Context, mut providers: Vec<&Provider>) -> Markup {
    providers.sort_by_key(|it| it.name.to_lowercase());
    html! {
        ul.providers {
            @for it in providers {
                li.provider data-text=(haystack(it)) {
                    a href=(context.link(&join(&["sources", "new", &it.id]))) { (it.name) }
                    p.hint { (category(&it.category)) }
                }
            }
        }
    }
}

fn others(context: &Context) -> Markup {
    html! {
        section.section {
            h2 { "Not in the list?" }
            ul.providers.wide {
                li.provider {
                    a href=(context.link("/sources/new/custom")) { "Custom provider" }
                    p.hint { "Describe how the sender signs; requests are verified accordingly." }
                }
                li.provider {
                    a href=(context.link("/sources/new/generic-webhook")) { "Any sender" }
                    p.hint { "Every request is accepted without verification. Use it only if the sender does not sign." }
                }
            }
        }
    }
}

/// The name of a category for people.
fn category(id: &str) -> &str {
    const NAMES: [(&str, &str); 35] = [
        ("ai", "AI"),
        ("auth", "Authentication"),
        ("billing", "Billing"),
        ("chat", "Chat"),
        ("ci", "Continuous integration"),
        ("cloud", "Cloud"),
        ("cms", "Content management"),
        ("commerce", "Commerce"),
        ("comms", "Calls and text messages"),
        ("crm", "Customer relations"),
        ("crypto", "Crypto"),
        ("data", "Data"),
        ("devops", "Operations"),
        ("email", "E-mail"),
        ("esign", "Electronic signatures"),
        ("fintech", "Banking"),
        ("fitness", "Fitness"),
        ("forms", "Forms"),
        ("hosting", "Hosting"),
        ("identity", "Identity verification"),
        ("media", "Media"),
        ("meetings", "Meetings"),
        ("notifications", "Notifications"),
        ("observability", "Observability"),
        ("payments", "Payments"),
        ("pm", "Project management"),
        ("productivity", "Productivity"),
        ("scheduling", "Scheduling"),
        ("shipping", "Shipping"),
        ("social", "Social media"),
        ("source-control", "Source control"),
        ("standard", "Standards"),
        ("storage", "Storage"),
        ("support", "Customer support"),
        ("", "Other"),
    ];
    NAMES.iter().find(|it| it.0 == id).map_or(id, |it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_found_by_name_id_and_category() {
        let find = |wanted| provider::all().iter().filter(|it| is_match(it, wanted)).count();
        assert_eq!(find(""), provider::all().len());
        assert!(find("source control github") == 1);
        assert!(find("payments") > 10);
        assert_eq!(find("no such thing"), 0);
    }

    #[test]
    fn every_category_has_a_name() {
        for it in provider::all() {
            assert_ne!(category(&it.category), it.category, "{}", it.id);
        }
    }
}
