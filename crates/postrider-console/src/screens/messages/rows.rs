//! Rows of the list of messages.

use maud::{Markup, html};
use postrider::api::{MessageDeliveryOut, MessageOut, MessageStatus, OrganizationMessageOut};

use super::names::{Names, app_link};
use crate::{
    context::Context,
    ui::{self, state},
};

/// Deliveries that are shown one by one; more are counted.
const MAX_SINGLE: usize = 3;

/// Most deliveries that the API lists with a message.
const MAX_LISTED: usize = 20;

/// A message of the list.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(super) app: String,
    pub(super) message: MessageOut,
    pub(super) deliveries: Vec<MessageDeliveryOut>,
}

impl From<OrganizationMessageOut> for Row {
    fn from(it: OrganizationMessageOut) -> Self {
        let deliveries = it.deliveries.unwrap_or_default();
        Self { app: it.app_id.to_string(), message: it.msg, deliveries }
    }
}

/// The table. `names` is none if all messages belong to the application of the page.
pub(crate) fn table(context: &Context, rows: &[Row], names: Option<&Names>) -> Markup {
    let mut heads = vec!["Event type", "Deliveries"];
    heads.extend(names.map(|_| "Application"));
    heads.extend(["Event id", "Accepted", "Message"]);
    let rows = html! { @for it in rows { (row(context, it, names)) } };
    html! { div.message-list { (ui::table("Messages", &heads, &rows)) } }
}

fn row(context: &Context, it: &Row, names: Option<&Names>) -> Markup {
    let id = it.message.id.to_string();
    let path = context.app_path(&it.app, &["messages", &id]);
    html! {
        tr {
            td { a.strong href=(context.link(&path)) { (it.message.event_type) } }
            td { (outcomes(&it.deliveries)) }
            @if let Some(names) = names { td { (app_link(context, names, &it.app)) } }
            td { @if let Some(event) = &it.message.event_id { code title=(event) { (event) } } @else { span.soft { "–" } } }
            td { (ui::time(context, it.message.timestamp)) }
            td { code.soft title=(id) { (id) } }
        }
    }
}

/// The outcome of each delivery, or how many deliveries have each.
fn outcomes(deliveries: &[MessageDeliveryOut]) -> Markup {
    if deliveries.is_empty() {
        return html! { span.soft { "No endpoint" } };
    }
    html! {
        span.outcomes {
            @if deliveries.len() <= MAX_SINGLE {
                @for it in deliveries {
                    span title={ (it.endpoint_id) ", " (ui::plural(it.attempts.into(), "attempt")) } { (state::delivery(it.status)) }
                }
            } @else {
                @for (status, count) in counts(deliveries) {
                    span.counted { (state::delivery(status)) "× " (count) }
                }
                @if deliveries.len() == MAX_LISTED { span.soft { "or more" } }
            }
        }
    }
}

/// How many deliveries have each status; failures first.
fn counts(deliveries: &[MessageDeliveryOut]) -> Vec<(MessageStatus, usize)> {
    let order = [
        MessageStatus::Fail,
        MessageStatus::Sending,
        MessageStatus::Pending,
        MessageStatus::Canceled,
        MessageStatus::Success,
    ];
    let count = |status| deliveries.iter().filter(|it| it.status == status).count();
    order.map(|it| (it, count(it))).into_iter().filter(|it| it.1 > 0).collect()
}

#[cfg(test)]
mod tests {
    use postrider::EndpointId;

    use super::*;

    fn delivery(status: MessageStatus) -> MessageDeliveryOut {
        MessageDeliveryOut {
            endpoint_id: EndpointId::from_u128(1),
            status,
            status_text: status.text(),
            attempts: 1,
            next_attempt: None,
        }
    }

    #[test]
    fn many_deliveries_are_counted_by_status() {
        use MessageStatus::{Fail, Pending, Success};
        let deliveries = [Success, Fail, Success, Pending].map(delivery);
        assert_eq!(counts(&deliveries), [(Fail, 1), (Pending, 1), (Success, 2)]);
        let html = outcomes(&deliveries).into_string();
        assert!(html.contains("Delivered</span>× 2"), "{html}");
        assert!(!outcomes(&deliveries[..3]).into_string().contains('×'));
    }
}
