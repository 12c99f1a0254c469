//! The `curl` command of an operation.

use std::fmt::Write;

use serde_json::Value;

use super::document::{items, text};
use crate::ui::quoted;

/// What a command consists of.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub method: &'a str,
    /// The server's public URL, without a slash at the end.
    pub server: &'a str,
    pub path: &'a str,
    pub parameters: &'a Value,
    pub needs_token: bool,
    pub body: Option<&'a Value>,
}

/// The command. Variable parts of the path become shell variables, such as `$APP_ID`.
pub(super) fn command(request: &Request<'_>) -> String {
    let mut text = String::from("curl");
    match request.method {
        "GET" => {},
        "HEAD" => text.push_str(" --head"),
        method => {
            write!(text, " -X {method}").expect("strings take all that is written");
        },
    }
    let (path, parameters) = (variables(request.path), query(request.parameters));
    write!(text, " \"{}{path}{parameters}\"", request.server)
        .expect("strings take all that is written");
    if request.needs_token {
        text.push_str(" \\\n  -H \"Authorization: Bearer $POSTRIDER_TOKEN\"");
    }
    if let Some(body) = request.body {
        let json = serde_json::to_string_pretty(body).unwrap_or_default();
        text.push_str(" \\\n  -H 'Content-Type: application/json'");
        write!(text, " \\\n  -d {}", quoted(&json)).expect("strings take all that is written");
    }
    text
}

/// The names of the shell variables of a path.
fn variables(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let name = segment.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        name.map_or_else(|| segment.to_owned(), variable)
    });
    segments.collect::<Vec<_>>().join("/")
}

fn variable(name: &str) -> String {
    format!("${}", name.to_ascii_uppercase())
}

/// The parameters that are required.
fn query(parameters: &Value) -> String {
    let required =
        items(parameters).iter().filter(|it| it["in"] == "query" && it["required"] == true);
    let pairs: Vec<_> = required
        .map(|it| format!("{0}={1}", text(&it["name"]), variable(text(&it["name"]))))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        let parameters = json!([
            {"in": "path", "name": "app_id", "required": true},
            {"in": "query", "name": "q", "required": true},
            {"in": "query", "name": "limit"},
        ]);
        let body = json!({"name": "it's"});
        let request = Request {
            method: "GET",
            server: "https://hooks.example.com/p",
            path: "/api/v1/app/{app_id}",
            parameters: &parameters,
            needs_token: false,
            body: None,
        };
        assert_eq!(
            command(&request),
            r#"curl "https://hooks.example.com/p/api/v1/app/$APP_ID?q=$Q""#
        );
        let none = json!([]);
        let request = Request {
            method: "PUT",
            parameters: &none,
            needs_token: true,
            body: Some(&body),
            ..request
        };
        let expected = r#"curl -X PUT "https://hooks.example.com/p/api/v1/app/$APP_ID" \
  -H "Authorization: Bearer $POSTRIDER_TOKEN" \
  -H 'Content-Type: application/json' \
  -d '{
  "name": "it'\''s"
}'"#;
        assert_eq!(command(&request), expected);
    }
}
