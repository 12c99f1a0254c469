//! The latest messages of an application.

use maud::{Markup, html};

use crate::{
    context::Context,
    screens::messages::rows::{Row, table},
    ui,
};

pub(super) fn view(context: &Context, app: &str, rows: &[Row]) -> Markup {
    html! {
        section.section {
            div.section-head {
                h2 { "Latest messages" }
                (ui::link(context, &format!("/messages?app={app}"), "All messages"))
            }
            @if rows.is_empty() {
                (ui::empty("No messages yet", &html! {
                    p { "Messages appear here when they are published for this application." }
                    (ui::code::block("Command line", &format!("postrider send {app} order.created '{{\"id\": 1}}'")))
                }))
            } @else { (table(context, rows, None)) }
        }
    }
}
