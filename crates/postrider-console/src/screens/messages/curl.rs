//! A request as a `curl` command.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Longest body that is part of the command; longer ones are read from a file.
const MAX_BODY: usize = 16 << 10;

/// Headers that `curl` adds itself.
const OWN: [&str; 2] = ["content-length", "host"];

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    pub(super) headers: &'a BTreeMap<String, String>,
    /// Headers whose values are not known here. The command takes them from variables.
    pub(super) sensitive: &'a BTreeSet<String>,
    pub(super) body: Option<&'a str>,
}

/// The command for a POSIX shell.
pub(super) fn command(request: &Request<'_>) -> String {
    let mut text = format!("curl -X POST {}", quote(request.url));
    for (name, value) in request.headers.iter().filter(|it| !OWN.contains(&it.0.as_str())) {
        add(&mut text, &format!("-H {}", quote(&format!("{name}: {value}"))));
    }
    for name in request.sensitive {
        add(&mut text, &format!("-H \"{name}: ${}\"", variable(name)));
    }
    match request.body {
        Some(body) if body.len() <= MAX_BODY => {
            add(&mut text, &format!("--data-binary {}", quote(body)));
        },
        Some(_) => add(&mut text, "--data-binary @payload.json"),
        None => {},
    }
    text
}

fn add(text: &mut String, part: &str) {
    write!(text, " \\\n  {part}").expect("strings take all that is written");
}

/// The variable that holds a secret value.
pub(super) fn variable(header: &str) -> String {
    let mark = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
    header.chars().map(mark).collect()
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_and_contain_no_secrets() {
        let headers = [("content-length", "7"), ("webhook-id", "msg_1"), ("x", "it's")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let sensitive = BTreeSet::from(["x-api-key".to_owned()]);
        let request = Request {
            url: "https://example.com/?a=1&b=2",
            headers: &headers,
            sensitive: &sensitive,
            body: Some(r#"{"a":1}"#),
        };
        let expected = r#"curl -X POST 'https://example.com/?a=1&b=2' \
  -H 'webhook-id: msg_1' \
  -H 'x: it'\''s' \
  -H "x-api-key: $X_API_KEY" \
  --data-binary '{"a":1}'"#;
        assert_eq!(command(&request), expected);
        let long = "x".repeat(MAX_BODY + 1);
        let long = command(&Request { body: Some(&long), ..request });
        assert!(long.ends_with("--data-binary @payload.json"));
    }
}
