//! Schemas as tables of their properties.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    document::{Document, entries, items, text},
    kind, markdown,
};

/// Most values of an enumeration that are shown without unfolding them.
const SHOWN_VALUES: usize = 5;

/// Who writes a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    Client,
    /// It always writes the fields that are required, so there is no need to say which they are.
    Server,
}

/// A schema, and the names of those that it is a part of, which it may refer to again.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    document: &'a Document,
    writer: Writer,
    name: &'a str,
    parent: Option<&'a Self>,
}

/// The properties of a body.
pub(super) fn body(document: &Document, schema: &Value, writer: Writer) -> Markup {
    let (resolved, name) = document.resolve(schema);
    let place = Place { document, writer, name: name.unwrap_or_default(), parent: None };
    let part = Part::of(document, resolved);
    html! {
        @if matches!(part, Part::None | Part::Values(_)) {
            p { span.kind { (kind::name(document, resolved)) } }
        }
        (children(&place, &part))
    }
}

/// The properties of the schema with a name.
pub(super) fn fields(document: &Document, name: &str) -> Markup {
    let schema = document.schema(name);
    children(
        &Place { document, writer: Writer::Server, name, parent: None },
        &Part::of(document, schema),
    )
}

/// How many properties a body has.
pub(super) fn count(document: &Document, schema: &Value) -> usize {
    match Part::of(document, document.resolve(schema).0) {
        Part::Object(object, _) => entries(&object["properties"]).count(),
        Part::Values(_) | Part::Variants(_) | Part::None => 0,
    }
}

/// What there is to say about a parameter in addition to its description.
pub(super) fn parameter(document: &Document, parameter: &Value) -> Markup {
    let place = Place { document, writer: Writer::Client, name: "", parent: None };
    details(&place, &parameter["schema"], text(&parameter["description"]))
}

/// The part of a schema that has parts itself, within lists and maps.
enum Part<'a> {
    Object(&'a Value, Option<&'a str>),
    Variants(&'a [Value]),
    Values(Vec<(String, &'a str)>),
    None,
}

impl<'a> Part<'a> {
    fn of(document: &'a Document, schema: &'a Value) -> Self {
        let mut schema = schema;
        let mut name = None;
        loop {
            let (resolved, found) = document.resolve(kind::without_null(schema).0);
            name = found.or(name);
            schema = resolved;
            if schema["items"].is_object() {
                schema = &schema["items"];
            } else if schema["additionalProperties"].is_object() {
                schema = &schema["additionalProperties"];
            } else {
                let is_nullable = kind::without_null(schema).1 && schema["anyOf"].is_array();
                if !is_nullable && !schema["$ref"].is_string() {
                    break;
                }
            }
        }
        let variants = items(&schema["oneOf"]);
        if schema["properties"].is_object() {
            Self::Object(schema, name)
        } else if !variants.is_empty() && variants.iter().all(|it| it.get("const").is_some()) {
            Self::Values(variants.iter().map(value).collect())
        } else if !variants.is_empty() {
            Self::Variants(variants)
        } else if schema["enum"].is_array() {
            Self::Values(numbered(schema))
        } else {
            Self::None
        }
    }
}

fn value(variant: &Value) -> (String, &str) {
    (shown(&variant["const"]), text(&variant["description"]))
}

/// The values of an enumeration of numbers, whose description is `Success = 0; Pending = 1;`.
fn numbered(schema: &Value) -> Vec<(String, &str)> {
    let names = text(&schema["description"]).split(';').filter_map(|it| it.split_once('='));
    let names: Vec<_> = names.map(|(name, number)| (number.trim(), name.trim())).collect();
    let values = items(&schema["enum"]).iter().map(shown);
    values
        .map(|value| {
            let name = names.iter().find(|it| it.0 == value).map_or("", |it| it.1);
            (value, name)
        })
        .collect()
}

/// A value without quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Place<'_> {
    fn is_within(&self, name: &str) -> bool {
        self.name == name || self.parent.is_some_and(|it| it.is_within(name))
    }
}

fn children(place: &Place<'_>, part: &Part<'_>) -> Markup {
    match part {
        Part::Object(object, _) => properties(place, object),
        Part::Variants(variants) => html! {
            p.hint { "One of:" }
            ul.variants {
                @for variant in *variants {
                    li { details {
                        summary { (markdown::inline(text(&variant["description"]))) }
                        (children(place, &Part::of(place.document, variant)))
                    } }
                }
            }
        },
        Part::Values(values) => values_list(values),
        Part::None => html! {},
    }
}

fn values_list(values: &[(String, &str)]) -> Markup {
    let list = html! {
        ul.values {
            @for (value, meaning) in values {
                li { code { (value) } @if !meaning.is_empty() { " " span { (markdown::inline(meaning)) } } }
            }
        }
    };
    html! {
        @if values.len() > SHOWN_VALUES {
            details { summary { (values.len()) " values" } (list) }
        } @else { (list) }
    }
}

/// A table of the properties of an object; those that are required come first.
fn properties(place: &Place<'_>, object: &Value) -> Markup {
    let required: Vec<_> = items(&object["required"]).iter().map(text).collect();
    let mut rows: Vec<_> = entries(&object["properties"]).collect();
    let is_required = |name: &str| place.writer == Writer::Client && required.contains(&name);
    rows.sort_by_key(|(name, it)| (!is_required(name), it["deprecated"] == true));
    html! {
        @if rows.is_empty() { p.hint { "An object without fields." } } @else {
            table.fields {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Description" } } }
                tbody {
                    @for (name, property) in rows {
                        tr {
                            th scope="row" {
                                (label(name, is_required(name), property["deprecated"] == true))
                            }
                            td { (details(place, property, text(&property["description"]))) }
                        }
                    }
                }
            }
        }
    }
}

/// The name of a field or parameter.
pub(super) fn label(name: &str, is_required: bool, is_deprecated: bool) -> Markup {
    html! {
        code { (name) }
        @if is_required { span.needed { "required" } }
        @if is_deprecated { span.old { "deprecated" } }
    }
}

/// The type, the rules, the description, and the parts.
fn details(place: &Place<'_>, schema: &Value, description: &str) -> Markup {
    let document = place.document;
    let (inner, is_nullable) = kind::without_null(schema);
    let mut rules = kind::rules(document.resolve(inner).0);
    if is_nullable && !rules.iter().any(|it| it == "or null") {
        rules.push("or null".to_owned());
    }
    html! {
        p.type-line {
            span.kind { (kind::name(document, schema)) }
            @for rule in &rules { span { (rule) } }
            @if let Some(default) = schema.get("default").filter(|it| !it.is_null() && **it != "") {
                span { "default " code { (shown(default)) } }
            }
            @if schema["x-ignored"] == true { span { "ignored" } }
        }
        @if !description.is_empty() { div { (markdown::block(description)) } }
        @if let Some(pattern) = inner["pattern"].as_str().or_else(|| inner["items"]["pattern"].as_str()) {
            p.hint { "Pattern " code { (pattern) } }
        }
        (nested(place, &Part::of(document, schema)))
    }
}

fn nested(place: &Place<'_>, part: &Part<'_>) -> Markup {
    match part {
        Part::Object(_, Some(name)) if place.is_within(name) => {
            html! { p.hint { "It has the fields of the object that it is a part of." } }
        },
        Part::Object(object, name) => {
            let inner = Place { name: name.unwrap_or_default(), parent: Some(place), ..*place };
            let fields = entries(&object["properties"]).count();
            html! {
                @if fields > 0 {
                    details.nested {
                        summary { (crate::ui::plural(fields as u64, "field")) }
                        (properties(&inner, object))
                    }
                }
            }
        },
        Part::Variants(_) | Part::Values(_) | Part::None => children(place, part),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Document {
        Document::new(
            &json!({"components": {"schemas": {
                "Tree": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
                        "kind": {"anyOf": [{"$ref": "#/components/schemas/Kind"}, {"type": "null"}]},
                        "name": {"type": "string", "description": "A <b>`name`</b>."},
                    },
                },
                "Kind": {"oneOf": [{"const": "oak", "description": "Hard.", "type": "string"}]},
                "Status": {"enum": [0, 1], "type": "integer", "description": "Success = 0; Fail = 1; "},
            }}})
            .to_string(),
        )
    }

    #[test]
    fn references_are_followed_but_not_in_circles() {
        let html = body(&document(), &json!({"$ref": "#/components/schemas/Tree"}), Writer::Client)
            .into_string();
        assert_eq!(html.matches("<table").count(), 1, "{html}");
        assert!(html.contains("the object that it is a part of"), "{html}");
        assert!(html.contains("<code>oak</code> <span>Hard.</span>"), "{html}");
        assert!(html.contains("&lt;b&gt;<code>name</code>&lt;/b&gt;"), "{html}");
        let (name, kind) = (html.find("<code>name").unwrap(), html.find("<code>kind").unwrap());
        assert!(name < kind, "required fields come first");
    }

    #[test]
    fn numbers_have_names() {
        let html =
            body(&document(), &json!({"$ref": "#/components/schemas/Status"}), Writer::Server)
                .into_string();
        assert!(html.contains("<code>1</code> <span>Fail</span>"), "{html}");
    }
}
