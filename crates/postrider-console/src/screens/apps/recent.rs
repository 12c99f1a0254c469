//! The latest messages, in tables of other pages.

use maud::{Markup, html};
use postrider::api::{MessageDeliveryOut, MessageStatus, OrganizationMessageOut};

use crate::{
    context::Context,
    ui::{self, state},
};

/// The latest messages of an application.
pub(super) fn view(context: &Context, app: &str, messages: &[OrganizationMessageOut]) -> Markup {
    html! {
        section.section {
            div.section-head {
                h2 { "Latest messages" }
                (ui::link(context, &format!("/messages?app={app}"), "All messages"))
            }
            @if messages.is_empty() {
                (ui::empty("No messages yet", &html! {
                    p { "Messages appear here when they are published for this application." }
                    (ui::code::block("Command line", &format!("postrider send {app} order.created '{{\"id\": 1}}'")))
                }))
            } @else { (table(context, app, messages)) }
        }
    }
}

fn table(context: &Context, app: &str, messages: &[OrganizationMessageOut]) -> Markup {
    let rows = html! {
        @for it in messages {
            @let path = context.app_path(app, &["messages", &it.msg.id.to_string()]);
            tr {
                td { a.strong href=(context.link(&path)) { (it.msg.event_type) } }
                td { (outcomes(it.deliveries.as_deref().unwrap_or_default())) }
                td { @match &it.msg.event_id { Some(id) => { code { (id) } }, None => { span.soft { "–" } } } }
                td { code.soft { (it.msg.id) } }
                td { (ui::time(context, it.msg.timestamp)) }
            }
        }
    };
    ui::table(
        "Latest messages",
        &["Event type", "Deliveries", "Event id", "Message", "Accepted"],
        &rows,
    )
}

/// The worst outcome first, and how many deliveries have each.
fn outcomes(deliveries: &[MessageDeliveryOut]) -> Markup {
    let order = [
        MessageStatus::Fail,
        MessageStatus::Sending,
        MessageStatus::Pending,
        MessageStatus::Success,
        MessageStatus::Canceled,
    ];
    let counts =
        order.map(|status| (status, deliveries.iter().filter(|it| it.status == status).count()));
    html! {
        @if deliveries.is_empty() { span.soft { "No endpoint" } }
        span.tags {
            @for (status, count) in counts.into_iter().filter(|it| it.1 > 0) {
                span.cell-line { (state::delivery(status)) @if count > 1 { span.soft { "× " (count) } } }
            }
        }
    }
}
