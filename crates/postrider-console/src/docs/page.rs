//! The documentation page, rendered from the `OpenAPI` document. It loads no other files.

use std::fmt::Write;

use serde_json::Value;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
nav { columns: 16rem; } nav a { display: block; text-decoration: none; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; }
summary { cursor: pointer; padding: .4rem .6rem; }
details > div { padding: 0 .6rem .6rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: .4rem; overflow: auto; padding: .6rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .2rem .4rem; vertical-align: top; }
.method { display: inline-block; font-weight: 600; width: 4.5rem; }
.summary { opacity: .7; }
";

/// The page for an `OpenAPI` document.
pub(crate) fn page(document: &str) -> String {
    let document: Value = serde_json::from_str(document).expect("the document is JSON");
    let mut html = String::with_capacity(1 << 17);
    write_page(&mut html, &document).expect("strings take all that is written");
    html
}

fn write_page(html: &mut String, document: &Value) -> std::fmt::Result {
    let title = text(&document["info"]["title"]);
    write!(
        html,
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content='width=device-width'>\
         <title>{title} API</title><style>{STYLE}</style><h1>{title} API</h1>\
         <p>{}</p><p>Version {}. OpenAPI document: \
         <a href=/api/v1/openapi.json>openapi.json</a>.</p>\
         <p>Every request needs the header <code>Authorization: Bearer &lt;token&gt;</code>; \
         <code>postrider token create</code> creates tokens.</p>",
        text(&document["info"]["description"]).replace("\n\n", "</p><p>"),
        text(&document["info"]["version"]),
    )?;
    let mut tag = String::new();
    for (path, method, operation) in operations(document) {
        if operation["tags"][0] != tag.as_str() {
            tag = text(&operation["tags"][0]);
            write!(html, "<h2>{tag}</h2>")?;
        }
        write_operation(html, path, method, operation)?;
    }
    html.push_str("<h2>Schemas</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        write!(html, "<details id='{0}'><summary><code>{0}</code></summary><div>", escape(name))?;
        write_schema(html, schema)?;
        html.push_str("</div></details>");
    }
    Ok(())
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    entries(&document["paths"]).flat_map(|(path, methods)| {
        entries(methods).map(move |(method, operation)| (path, method, operation))
    })
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn write_operation(html: &mut String, path: &str, method: &str, it: &Value) -> std::fmt::Result {
    write!(
        html,
        "<details id='{}'><summary><span class=method>{}</span><code>{}</code> \
         <span class=summary>{}</span></summary><div>",
        text(&it["operationId"]),
        method.to_ascii_uppercase(),
        escape(path),
        text(&it["summary"]),
    )?;
    let parameters = it["parameters"].as_array().into_iter().flatten();
    html.push_str("<table>");
    for parameter in parameters {
        write!(
            html,
            "<tr><td><code>{}</code><td>{}<td>{}<td><code>{}</code>",
            text(&parameter["name"]),
            text(&parameter["in"]),
            text(&parameter["description"]),
            kind(&parameter["schema"]),
        )?;
    }
    html.push_str("</table>");
    if let Some(body) = it.get("requestBody") {
        write!(html, "<p>Body: {}</p>", kind(schema_of(body)))?;
    }
    html.push_str("<table>");
    for (code, response) in entries(&it["responses"]) {
        let description = text(&response["description"]);
        write!(
            html,
            "<tr><td><code>{code}</code><td>{description}<td>{}",
            kind(schema_of(response))
        )?;
    }
    html.push_str("</table></div></details>");
    Ok(())
}

fn schema_of(holder: &Value) -> &Value {
    &holder["content"]["application/json"]["schema"]
}

fn write_schema(html: &mut String, schema: &Value) -> std::fmt::Result {
    write!(html, "<p>{}</p>", text(&schema["description"]))?;
    if schema["properties"].is_object() {
        html.push_str("<table>");
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in entries(&schema["properties"]) {
            let needed = if required.iter().any(|it| it == name) { "required" } else { "" };
            write!(
                html,
                "<tr><td><code>{}</code><td>{}<td>{needed}<td>{}",
                escape(name),
                kind(property),
                text(&property["description"]),
            )?;
        }
        html.push_str("</table>");
        return Ok(());
    }
    let json = serde_json::to_string_pretty(schema).unwrap_or_default();
    write!(html, "<pre>{}</pre>", escape(&json))
}

/// The type that a schema describes, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
        return format!("<a href='#{0}'>{0}</a>", escape(name));
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|it| escape(&it.to_string())).collect();
        return values.join(", ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => {
            format!("list of {}", self::kind(&schema["items"]))
        },
        Value::String(kind) => escape(kind),
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// The text of a JSON string, for HTML.
fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
