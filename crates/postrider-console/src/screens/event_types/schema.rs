//! JSON schemas for people: as a table of properties, and compared with a payload.

mod compare;
mod node;
mod property;

use maud::{Markup, html};
use serde_json::value::RawValue;

pub(crate) use self::compare::differences;
use self::{
    node::Node,
    property::{Property, properties},
};
use crate::{
    page::Tone,
    ui::{self, Icon, badge},
};

/// Most levels that are indented.
const MAX_INDENT: usize = 6;

/// The properties with their types, to look at beside a payload.
pub(crate) fn outline(schema: &RawValue) -> Markup {
    let properties = read(schema);
    if properties.is_empty() {
        return html! { p.hint { "The schema names no properties." } };
    }
    html! {
        ul.outline {
            @for it in &properties {
                li class=(indent(it)) {
                    code { (it.name) }
                    span.soft.small { (it.kind) @if it.is_required { ", required" } }
                }
            }
        }
    }
}

/// The properties as a table.
pub(crate) fn table(schema: &RawValue) -> Markup {
    let properties = read(schema);
    if properties.is_empty() {
        return html! { p.hint { "The schema names no properties." } };
    }
    let rows = html! { @for it in &properties { (row(it)) } };
    html! { div.properties { (ui::table("Properties", &["Property", "Type", "Description"], &rows)) } }
}

fn read(schema: &RawValue) -> Vec<Property> {
    serde_json::from_str::<Node>(schema.get()).map(|it| properties(&it)).unwrap_or_default()
}

fn row(it: &Property) -> Markup {
    html! {
        tr {
            th scope="row" class=(indent(it)) {
                @if it.is_option { span.soft { (it.name) } } @else { code { (it.name) } }
                @if it.is_required { span.required-mark { "required" } }
                @if it.is_deprecated { (badge(Tone::Warning, Icon::Warning, "Deprecated")) }
            }
            td { (it.kind) }
            td {
                @if !it.description.is_empty() { p { (it.description) } }
                @if !it.values.is_empty() {
                    p.tags { span.soft { "One of" } @for value in &it.values { code.tag { (value) } } }
                }
                @if !it.notes.is_empty() { p.soft { (it.notes.join(", ")) } }
            }
        }
    }
}

fn indent(it: &Property) -> String {
    format!("depth-{}", it.depth.min(MAX_INDENT))
}
