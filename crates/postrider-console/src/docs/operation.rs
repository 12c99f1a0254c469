//! An operation: its parameters, its bodies, and examples.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    curl::{self, Request},
    document::{Document, Operation, entries, items, json_of, text},
    markdown,
    schema::{self, Writer},
};
use crate::{
    standalone::Standalone,
    ui::{code, plural, text::copy},
};

/// The section of an operation.
pub(super) fn section(common: &Standalone, document: &Document, operation: &Operation) -> Markup {
    let definition = document.definition(operation);
    html! {
        section.operation id=(operation.id) aria-labelledby={ (operation.id) "-title" } {
            div.about {
                header.operation-head {
                    h2 id={ (operation.id) "-title" } {
                        a.anchor href={ "#" (operation.id) } { (markdown::inline(&operation.summary)) }
                    }
                    p.route { (method(&operation.method)) code { (breakable(&operation.path)) } (copy(&operation.path, "Copy the path")) }
                }
                @if let Some(description) = definition["description"].as_str() {
                    div.prose { (markdown::block(description)) }
                }
                (parameters(document, definition))
                (request_body(document, definition))
                (responses(document, definition))
                (errors(definition, &common.link("/docs#errors")))
                p.operation-id { "Operation " code { (operation.id) } }
            }
            div.examples { (examples(document, operation, definition, &common.site.url(""))) }
        }
    }
}

/// The method, coloured.
pub(super) fn method(method: &str) -> Markup {
    html! { span class={ "method " (method.to_ascii_lowercase()) } { (method) } }
}

/// A path that can be broken after each slash.
pub(super) fn breakable(path: &str) -> Markup {
    html! { @for part in path.split_inclusive('/') { (part) wbr; } }
}

fn parameters(document: &Document, definition: &Value) -> Markup {
    let all = items(&definition["parameters"]);
    let groups =
        [("path", "Path parameters"), ("query", "Query parameters"), ("header", "Headers")];
    html! {
        @for (place, title) in groups {
            @let rows: Vec<_> = all.iter().filter(|it| it["in"] == place).collect();
            @if !rows.is_empty() {
                h3 { (title) }
                table.fields {
                    thead { tr { th scope="col" { "Parameter" } th scope="col" { "Description" } } }
                    tbody {
                        @for row in rows {
                            tr {
                                th scope="row" {
                                    (schema::label(text(&row["name"]), row["required"] == true, row["deprecated"] == true))
                                }
                                td { (schema::parameter(document, row)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn request_body(document: &Document, definition: &Value) -> Markup {
    html! {
        @if let Some(content) = json_of(&definition["requestBody"]) {
            h3 { "Request body" @if definition["requestBody"]["required"] == true { span.needed { "required" } } }
            (schema::body(document, &content["schema"], Writer::Client))
        }
    }
}

fn responses(document: &Document, definition: &Value) -> Markup {
    html! {
        @for (status, response) in entries(&definition["responses"]).filter(|it| it.0.starts_with('2')) {
            h3 { "Response " code { (status) } " " (text(&response["description"])) }
            @match json_of(response) {
                Some(content) => (response_body(document, &content["schema"])),
                None => p.hint { "It has no body." },
            }
        }
    }
}

fn errors(definition: &Value, explanation: &str) -> Markup {
    let errors: Vec<_> =
        entries(&definition["responses"]).filter(|it| !it.0.starts_with('2')).collect();
    html! {
        @if !errors.is_empty() {
            h3 { a.anchor href=(explanation) { "Errors" } }
            table.fields.errors {
                thead { tr { th scope="col" { "Status" } th scope="col" { "Reason" } } }
                tbody {
                    @for (status, response) in errors {
                        tr { th scope="row" { code { (status) } } td { (text(&response["description"])) } }
                    }
                }
            }
        }
    }
}

fn response_body(document: &Document, schema: &Value) -> Markup {
    let fields = schema::count(document, schema);
    html! {
        @if fields > 0 {
            details.nested.body {
                summary { (plural(fields as u64, "field")) }
                (schema::body(document, schema, Writer::Server))
            }
        } @else { (schema::body(document, schema, Writer::Server)) }
    }
}

fn examples(
    document: &Document,
    operation: &Operation,
    definition: &Value,
    server: &str,
) -> Markup {
    let body = json_of(&definition["requestBody"]);
    let request = Request {
        method: &operation.method,
        server,
        path: &operation.path,
        parameters: &definition["parameters"],
        needs_token: document.needs_token(definition),
        body: body.and_then(|it| document.example(it)),
    };
    let response = entries(&definition["responses"]).find(|it| it.0.starts_with('2'));
    let returned = response.and_then(|(_, it)| document.example(json_of(it)?));
    html! {
        (code::block("Request", &curl::command(&request)))
        @if let (Some((status, _)), Some(example)) = (response, returned) {
            (code::example(&format!("Response {status}"), example))
        }
    }
}
