//! The alerts that are firing.

use maud::{Markup, html};
use postrider::{
    SourceId,
    api::{AlertKind, AlertOut, AlertsOut},
};

use crate::{
    context::Context,
    page::Tone,
    site::join,
    ui::{self, Icon, badge, table},
};

/// Most alerts that the page shows.
const MAX_SHOWN: usize = 20;

/// Nothing if none is firing.
pub(super) fn view(context: &Context, alerts: &AlertsOut) -> Markup {
    let firing = &alerts.data;
    let rows = html! { @for alert in firing.iter().take(MAX_SHOWN) { (row(context, alert)) } };
    html! {
        @if !firing.is_empty() {
            section.section {
                h2 { "Alerts" }
                (table("Alerts", &["Alert", "Summary", "Since"], &rows))
                @if let Some(more) = firing.len().checked_sub(MAX_SHOWN).filter(|it| *it > 0) {
                    p.soft { "and " (more) " more" }
                }
            }
        }
    }
}

fn row(context: &Context, alert: &AlertOut) -> Markup {
    html! {
        tr {
            td { (badge(tone(alert.kind), Icon::Warning, name(alert.kind))) }
            td {
                (alert.summary)
                @if let Some(path) = path(context, alert) {
                    " " a href=(context.link(&path)) { (alert.subject) }
                }
            }
            td { (ui::time(context, alert.began_at)) }
        }
    }
}

const fn tone(kind: AlertKind) -> Tone {
    match kind {
        AlertKind::EndpointDisabled | AlertKind::DiskNearlyFull | AlertKind::StoreUnavailable => {
            Tone::Bad
        },
        AlertKind::SourceRejecting | AlertKind::CertificateExpiring | AlertKind::DeliveriesLate => {
            Tone::Warning
        },
    }
}

const fn name(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::EndpointDisabled => "Endpoint disabled",
        AlertKind::SourceRejecting => "Source rejects requests",
        AlertKind::DiskNearlyFull => "Disk nearly full",
        AlertKind::CertificateExpiring => "Certificate expires",
        AlertKind::DeliveriesLate => "Deliveries are late",
        AlertKind::StoreUnavailable => "Store unavailable",
    }
}

/// The page about the subject, if there is one.
fn path(context: &Context, alert: &AlertOut) -> Option<String> {
    if let (Some(app), Some(endpoint)) = (alert.app_id, alert.endpoint_id) {
        let segments = ["endpoints", &endpoint.to_string()];
        return Some(context.app_path(&app.to_string(), &segments));
    }
    let source = alert.subject.parse::<SourceId>().ok()?;
    Some(join(&["sources", &source.to_string(), "rejected"]))
}
