//! The callbacks of a document: requests that the API makes to a URL that it was given.

use serde_json::{Map, Value};

type Callback<'a> = (Vec<String>, &'a str, &'a Value);

/// The callbacks of all operations and of the components, each with its place and its name. A
/// callback has one item for each expression of a URL.
pub(super) fn all(document: &Map<String, Value>) -> Vec<Callback<'_>> {
    let mut found = Vec::new();
    for (path, item) in members(document.get("paths")) {
        for (method, operation) in members(Some(item)) {
            let place = ["paths", path, method, "callbacks"];
            add(&place, operation.get("callbacks"), &mut found);
        }
    }
    let shared = document.get("components").and_then(|it| it.get("callbacks"));
    add(&["components", "callbacks"], shared, &mut found);
    found
}

fn add<'a>(place: &[&str], callbacks: Option<&'a Value>, found: &mut Vec<Callback<'a>>) {
    for (name, callback) in members(callbacks) {
        // What is shared is found where it is.
        for (expression, item) in members(Some(callback)).filter(|(it, _)| *it != "$ref") {
            let place = place.iter().copied().chain([name, expression]);
            found.push((place.map(str::to_owned).collect(), name, item));
        }
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value))
}
