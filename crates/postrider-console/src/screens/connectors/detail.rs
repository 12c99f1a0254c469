//! The page of a connector.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::connector::ConnectorOut;

use super::{change, fields::kind_name};
use crate::{
    api::v1,
    context::Context,
    docs::markdown,
    page::{Page, PageResult, Section},
    ui::{self, code},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let object = v1(&["connector", context.param("connector")]);
    let it: ConnectorOut = context.api.get(object.clone()).await?;
    let command = format!("postrider connector get {}", it.id);
    let page = Page::new(Section::Connectors, it.name.clone())
        .crumb("Connectors", "/connectors")
        .lead(html! { (ui::id(&it.id.to_string())) span { (it.description) } })
        .part(html! {
            div.split {
                div.stack.wide-gap { (instructions(&it)) (code::block("Code", &it.transformation)) }
                aside.stack.wide-gap { (facts(&context, &it)) }
            }
            (ui::api_panel(&context, &it, &object, Some(&command)))
        });
    Ok(if context.may(Action::Operate) {
        page.actions(change::actions(&context, &it))
    } else {
        page
    })
}

fn instructions(it: &ConnectorOut) -> Markup {
    if it.instructions.is_empty() {
        return Markup::default();
    }
    html! {
        section.section {
            h2 { "Instructions" }
            div.instructions { (markdown::untrusted(&it.instructions)) }
        }
    }
}

fn facts(context: &Context, it: &ConnectorOut) -> Markup {
    let words = |words: Vec<String>, none: &'static str| {
        html! { @if words.is_empty() { span.soft { (none) } } @else { @for it in &words { span.word { (it) } } } }
    };
    let types = it.allowed_event_types.iter().flatten().map(ToString::to_string).collect();
    let uid = it.uid.as_ref().map(ToString::to_string);
    html! {
        section.section.type-facts {
            h2 { "Details" }
            (ui::facts(&[
                ("Service", html! { (kind_name(it.kind)) }),
                ("Uid", html! { @match &uid { Some(uid) => (ui::id(uid)), None => span.soft { "None" } } }),
                ("Event types", words(types, "All")),
                ("Only with feature flag", words(it.feature_flags.clone().unwrap_or_default(), "No")),
                ("Code changed", ui::time(context, it.transformation_updated_at)),
                ("Created", ui::time(context, it.created_at)),
            ]))
            p.hint { "An endpoint copies the code when it starts from the connector. Later changes do not affect it." }
        }
    }
}
