//! What fails, and how the server is.

use maud::{Markup, html};
use postrider::api::{NodeOut, RejectingSourcesOut, StatusOut, WorstEndpointsOut};

use crate::{
    context::Context,
    page::Tone,
    site::join,
    ui::{self, Icon, badge, facts, table},
};

/// The endpoints with the most failed attempts.
pub(super) fn worst_endpoints(context: &Context, worst: &WorstEndpointsOut) -> Markup {
    let rows = html! {
        @for it in worst.data.iter().take(5) {
            @let path = context.app_path(&it.app_id.to_string(), &["endpoints", &it.endpoint_id.to_string()]);
            tr {
                td {
                    a href=(context.link(&path)) { (it.url.as_deref().unwrap_or("deleted endpoint")) }
                    small { (ui::sentence(&it.remedy)) }
                }
                td { (badge(Tone::Bad, Icon::Cross, &it.cause)) }
                td.number { (ui::count(it.counts.failed)) }
            }
        }
    };
    html! {
        section.section {
            div.section-head { h2 { "Endpoints that fail most" } a href=(context.link("/failures")) { "All failures" } }
            @if worst.data.is_empty() {
                (ui::empty("No failed attempts", &html! { p { "Every attempt in this time was delivered." } }))
            } @else {
                (table("Endpoints that fail most", &["Endpoint", "Cause", "#Failed"], &rows))
            }
        }
    }
}

/// The sources that rejected the most requests.
pub(super) fn rejecting_sources(context: &Context, rejecting: &RejectingSourcesOut) -> Markup {
    let rows = html! {
        @for it in rejecting.data.iter().take(5) {
            @let path = join(&["sources", &it.source_id.to_string(), "rejected"]);
            tr {
                td { a href=(context.link(&path)) { (it.name.as_deref().unwrap_or("deleted source")) } }
                td.number { (ui::count(it.counts.rejected)) }
                td.number { (ui::count(it.counts.received)) }
            }
        }
    };
    html! {
        section.section {
            div.section-head { h2 { "Sources that reject requests" } a href=(context.link("/sources")) { "All sources" } }
            @if rejecting.data.is_empty() {
                (ui::empty("No rejected requests", &html! { p { "No source rejected a request in this time." } }))
            } @else {
                (table("Sources that reject requests", &["Source", "#Rejected", "#Accepted"], &rows))
            }
        }
    }
}

/// The nodes and the store.
pub(super) fn server(context: &Context, status: &StatusOut) -> Markup {
    let store = &status.store;
    let free = store.free_bytes.map_or_else(|| "unknown".to_owned(), ui::bytes);
    html! {
        section.section {
            h2 { "Server" }
            (facts(&[
                ("Store", html! { (ui::bytes(store.bytes)) }),
                ("Free on disk", html! { (free) }),
                ("Searches lag behind by", html! { (ui::plural(store.index_lag, "commit")) }),
                ("Accepts messages", html! {
                    @if store.writable { (badge(Tone::Good, Icon::Check, "Yes")) }
                    @else { (badge(Tone::Bad, Icon::Cross, "No, the store is not writable")) }
                }),
            ]))
            (table("Nodes", &["Node", "Version", "Started", "Lease"], &html! { @for node in &status.nodes { (node_row(context, node)) } }))
        }
    }
}

fn node_row(context: &Context, node: &NodeOut) -> Markup {
    html! {
        tr {
            td { (node.name) @if node.current { " " span.soft { "(this one)" } } }
            td { (node.version) }
            td { @if let Some(at) = node.started_at { (ui::time(context, at)) } @else { span.soft { "unknown" } } }
            td {
                @match node.lease_until {
                    Some(at) if at < context.now => { (badge(Tone::Warning, Icon::Warning, "Expired")) },
                    Some(at) => { "until " (ui::time(context, at)) },
                    None => { span.soft { "the only node" } },
                }
            }
        }
    }
}
