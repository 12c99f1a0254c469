//! The server: nodes, store, main secret, and where its configuration is.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{MainSecretOut, NodeOut, StatusOut};

use super::tabs;
use crate::{
    api::v1,
    context::Context,
    page::{PageResult, Tone},
    ui::{self, Icon, badge, code, facts},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let secret = async {
        if !context.may(Action::Administer) {
            return Ok(None);
        }
        context.api.find::<MainSecretOut>(v1(&["main-secret"])).await
    };
    let (status, secret) = tokio::try_join!(context.api.get::<StatusOut>(v1(&["status"])), secret)?;
    Ok(tabs::page(&context)
        .live(
            "status",
            html! {
                section.section { h2 { "Store" } (store(&context, &status)) }
                section.section { h2 { "Nodes" } (nodes(&context, &status)) }
                section.section { h2 { "Main secret" } (main_secret(&context, secret.as_ref())) }
            },
        )
        .part(configuration(&context, &status)))
}

fn store(context: &Context, status: &StatusOut) -> Markup {
    let store = &status.store;
    let free = store.free_bytes.map_or_else(|| "not known".to_owned(), ui::bytes);
    html! {
        @if !store.writable {
            (ui::notice(Tone::Bad, &html! { "The store cannot be written to. Messages are refused until it can; the server’s log says why." }))
        }
        @if let Some(rebuild) = &store.index_rebuild { (ui::index_rebuild(context, rebuild)) }
        div.numbers {
            div { span.name { "Size" } span.value { (ui::bytes(store.bytes)) } }
            div { span.name { "Free" } span.value { (free) } }
            div { span.name { "Index lag" } span.value { (ui::number(store.index_lag)) } }
            div { span.name { "Waiting deliveries" } span.value { (ui::number(status.waiting)) } }
            div { span.name { "Writable" } span.value { (if store.writable { "yes" } else { "no" }) } }
        }
    }
}

fn nodes(context: &Context, status: &StatusOut) -> Markup {
    ui::table(
        "Nodes",
        &["Node", "Version", "Started", "Lease", "State"],
        &html! {
            @for it in &status.nodes { (node(context, it)) }
        },
    )
}

fn node(context: &Context, it: &NodeOut) -> Markup {
    let is_late = it.lease_until.is_some_and(|at| at < context.now);
    html! {
        tr {
            td { (it.name) small { (it.id) } }
            td { (it.version) }
            td { @match it.started_at { Some(at) => { (ui::time(context, at)) }, None => { span.soft { "–" } } } }
            td { @match it.lease_until { Some(at) => { "until " (ui::time(context, at)) }, None => { span.soft { "not needed" } } } }
            td {
                @if is_late { (badge(Tone::Bad, Icon::Cross, "Lease expired")) }
                @else if it.current { (badge(Tone::Good, Icon::Check, "Shows this page")) }
                @else { (badge(Tone::Good, Icon::Check, "Active")) }
            }
        }
    }
}

fn main_secret(context: &Context, secret: Option<&MainSecretOut>) -> Markup {
    let Some(secret) = secret else {
        return ui::notice(
            Tone::Neutral,
            &html! { "Only the role " strong { (Action::Administer.least_role()) } " can see this." },
        );
    };
    let tone = if secret.unreadable_records > 0 { Tone::Bad } else { Tone::Neutral };
    html! {
        p { "The main secret encrypts all stored secrets. To replace it, configure a new one before the old one; the server then encrypts everything again." }
        @if secret.unreadable_records > 0 {
            (ui::notice(tone, &html! { (ui::plural(secret.unreadable_records, "record")) " cannot be decrypted with any configured secret. Configure the secret that they were encrypted with." }))
        } @else if secret.complete && secret.secrets.len() > 1 {
            (ui::notice(Tone::Good, &html! { "Everything is encrypted with the first secret. Once all nodes have it, remove the others." }))
        }
        (ui::table("Main secrets", &["Fingerprint", "Use", "#Values"], &html! {
            @for it in &secret.secrets {
                tr {
                    td { code { (it.fingerprint) } }
                    td { @if it.current { (badge(Tone::Good, Icon::Check, "Encrypts")) } @else { (badge(Tone::Neutral, Icon::Clock, "Only decrypts")) } }
                    td.number { @match it.values { Some(values) => { (ui::count(values)) }, None => { span.soft { "not counted" } } } }
                }
            }
        }))
        (facts(&[
            ("Still to encrypt again", html! { (ui::count(secret.outdated_values)) }),
            ("Stored in plain text", html! { (ui::count(secret.plaintext_values)) }),
            ("Looked at", html! { @match secret.checked_at { Some(at) => { (ui::time(context, at)) }, None => { span.soft { "not necessary yet" } } } }),
        ]))
    }
}

fn configuration(context: &Context, status: &StatusOut) -> Markup {
    html! {
        section.section {
            h2 { "Configuration" }
            p { "Retention, retries, limits and listeners are set in the configuration file, in environment variables or on the command line. The API does not return them. On the server, this shows what is in effect and where each value comes from:" }
            (code::block("Command line", "postrider config"))
        }
        (ui::api_panel(context, status, &v1(&["status"]), Some("postrider config")))
    }
}
