//! The properties that a schema describes, as a flat list.

use std::collections::BTreeSet;

use super::node::Node;

/// Most levels of properties.
const MAX_DEPTH: usize = 8;

/// Most levels of a type in words, such as `array of array of string`.
const MAX_KIND_DEPTH: usize = 3;

/// Most properties of a schema. More are not read by people, and references can multiply them.
const MAX_PROPERTIES: usize = 500;

/// Most references that are followed to find one schema.
const MAX_REFERENCES: usize = 16;

/// A property of a payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) depth: usize,
    pub(super) name: String,
    /// Whether it is not a property, but one of several alternatives of its object.
    pub(super) is_option: bool,
    pub(super) kind: String,
    pub(super) is_required: bool,
    pub(super) is_deprecated: bool,
    pub(super) description: String,
    /// The values that are allowed, if they are few.
    pub(super) values: Vec<String>,
    /// Limits, formats and defaults.
    pub(super) notes: Vec<String>,
}

/// The properties in the order of the schema; those of an object follow the object.
pub(super) fn properties(schema: &Node) -> Vec<Property> {
    let mut walk = Walk { root: schema, open: Vec::new(), found: Vec::new() };
    walk.inside(schema, 0);
    walk.found
}

struct Walk<'a> {
    root: &'a Node,
    /// The schemas that contain the present one, so that recursion ends.
    open: Vec<*const Node>,
    found: Vec<Property>,
}

impl<'a> Walk<'a> {
    /// Adds the properties of an object, or of the items of a list.
    fn inside(&mut self, schema: &'a Node, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for part in self.parts(schema) {
            let address = std::ptr::from_ref(part);
            if self.open.contains(&address) {
                continue;
            }
            self.open.push(address);
            self.part(part, schema, depth);
            self.open.pop();
        }
    }

    fn part(&mut self, part: &'a Node, whole: &'a Node, depth: usize) {
        let required = self.required(whole);
        for (name, schema) in part.get("properties").map_or(&[][..], Node::fields) {
            self.add(name, schema, depth, required.contains(name.as_str()));
        }
        if let Some(schema) = part.get("additionalProperties").filter(|it| !it.fields().is_empty())
        {
            self.add("any other name", schema, depth, false);
        }
        if let Some(items) = part.get("items") {
            self.inside(items, depth);
        }
        self.options(part, depth);
    }

    /// Adds the alternatives that have properties of their own.
    fn options(&mut self, part: &'a Node, depth: usize) {
        let options = ["oneOf", "anyOf"].into_iter().find_map(|key| part.get(key));
        let options = options.map_or(&[][..], Node::items);
        if let [only] = options {
            self.inside(only, depth);
            return;
        }
        for (index, option) in options.iter().enumerate() {
            if !self.has_properties(option) || self.is_full() {
                continue;
            }
            let title = self.text(option, "title").unwrap_or_default();
            let name = format!("Option {} {title}", index + 1).trim_end().to_owned();
            let kind = self.kind(option, 0);
            let description = self.text(option, "description").unwrap_or_default().to_owned();
            self.found.push(Property {
                depth,
                name,
                is_option: true,
                kind,
                description,
                ..Property::default()
            });
            self.inside(option, depth + 1);
        }
    }

    fn add(&mut self, name: &str, schema: &'a Node, depth: usize, is_required: bool) {
        if self.is_full() {
            return;
        }
        let property = Property {
            depth,
            name: name.to_owned(),
            is_option: false,
            kind: self.kind(schema, 0),
            is_required,
            is_deprecated: self.find(schema, "deprecated") == Some(&Node::Bool(true)),
            description: self.text(schema, "description").unwrap_or_default().to_owned(),
            values: self
                .find(schema, "enum")
                .map_or(&[][..], Node::items)
                .iter()
                .map(ToString::to_string)
                .collect(),
            notes: self.notes(schema),
        };
        self.found.push(property);
        self.inside(schema, depth + 1);
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MAX_PROPERTIES
    }

    fn has_properties(&self, schema: &'a Node) -> bool {
        self.find(schema, "properties").is_some()
    }

    /// The schema that this one refers to, with all that it consists of.
    fn parts(&self, schema: &'a Node) -> Vec<&'a Node> {
        let mut parts = vec![self.resolve(schema)];
        let mut next = 0;
        while next < parts.len() && parts.len() < MAX_PROPERTIES {
            let inner = parts[next].get("allOf").map_or(&[][..], Node::items);
            for it in inner.iter().map(|it| self.resolve(it)) {
                if !parts.iter().any(|part| std::ptr::eq(*part, it)) {
                    parts.push(it);
                }
            }
            next += 1;
        }
        parts
    }

    fn resolve(&self, mut schema: &'a Node) -> &'a Node {
        for _ in 0..MAX_REFERENCES {
            let reference = schema.get("$ref").and_then(Node::text);
            let found = reference.and_then(|it| self.root.at(it.strip_prefix('#')?));
            let Some(found) = found else { break };
            schema = found;
        }
        schema
    }

    /// The value of a keyword. What stands beside a reference takes precedence over what it
    /// refers to.
    fn find(&self, schema: &'a Node, keyword: &str) -> Option<&'a Node> {
        let own = schema.get(keyword);
        own.or_else(|| self.parts(schema).into_iter().find_map(|part| part.get(keyword)))
    }

    fn text(&self, schema: &'a Node, keyword: &str) -> Option<&'a str> {
        self.find(schema, keyword).and_then(Node::text)
    }

    fn required(&self, schema: &'a Node) -> BTreeSet<&'a str> {
        let lists = self.parts(schema).into_iter().filter_map(|it| it.get("required"));
        lists.flat_map(Node::items).filter_map(Node::text).collect()
    }

    /// The type in words.
    fn kind(&self, schema: &'a Node, depth: usize) -> String {
        let types: Vec<_> = match self.find(schema, "type") {
            Some(Node::Text(name)) => vec![name.as_str()],
            Some(names) => names.items().iter().filter_map(Node::text).collect(),
            None => Vec::new(),
        };
        if !types.is_empty() {
            let names = types.into_iter().map(|name| match name {
                "array" => self.kind_of_list(schema, depth),
                name => name.to_owned(),
            });
            return names.collect::<Vec<_>>().join(" or ");
        }
        if let Some(value) = self.find(schema, "const") {
            return value.kind().to_owned();
        }
        if let Some(first) = self.find(schema, "enum").and_then(|it| it.items().first()) {
            return first.kind().to_owned();
        }
        if self.has_properties(schema) {
            return "object".to_owned();
        }
        self.kind_of_options(schema, depth)
    }

    fn kind_of_list(&self, schema: &'a Node, depth: usize) -> String {
        match self.find(schema, "items") {
            Some(items) if depth < MAX_KIND_DEPTH => {
                format!("array of {}", self.kind(items, depth + 1))
            },
            Some(_) | None => "array".to_owned(),
        }
    }

    fn kind_of_options(&self, schema: &'a Node, depth: usize) -> String {
        let options = ["oneOf", "anyOf"].into_iter().find_map(|it| self.find(schema, it));
        let mut kinds: Vec<String> = Vec::new();
        for option in options.map_or(&[][..], Node::items) {
            let kind = if depth < MAX_KIND_DEPTH {
                self.kind(option, depth + 1)
            } else {
                "any".to_owned()
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() { "any".to_owned() } else { kinds.join(" or ") }
    }

    fn notes(&self, schema: &'a Node) -> Vec<String> {
        const KEYWORDS: [(&str, &str); 14] = [
            ("format", "format"),
            ("const", "always"),
            ("default", "default"),
            ("pattern", "pattern"),
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
            ("multipleOf", "multiple of"),
            ("minLength", "minimum length"),
            ("maxLength", "maximum length"),
            ("minItems", "minimum number of items"),
            ("maxItems", "maximum number of items"),
            ("example", "such as"),
        ];
        let found =
            KEYWORDS.iter().filter_map(|(key, words)| Some((words, self.find(schema, key)?)));
        found.map(|(words, value)| format!("{words} {value}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &str, expected: &[&str]) {
        let schema: Node = serde_json::from_str(schema).unwrap();
        let line = |it: &Property| {
            let mark = if it.is_required { "!" } else { "" };
            let notes = [&it.values[..], &it.notes[..]].concat().join(", ");
            let line = format!(
                "{}{}{mark}: {} {} {notes}",
                "  ".repeat(it.depth),
                it.name,
                it.kind,
                it.description
            );
            line.trim_end().to_owned()
        };
        let lines: Vec<_> = properties(&schema).iter().map(line).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn properties_are_listed_in_their_order_with_those_of_objects_below() {
        check(
            r#"{"type":"object","required":["z"],"properties":{
                "z":{"type":"string","description":"The id","format":"uuid"},
                "a":{"type":["object","null"],"required":["n"],"properties":{"n":{"type":"integer","minimum":1}}},
                "list":{"type":"array","items":{"type":"object","properties":{"sku":{"enum":["x","y"]}}}}}}"#,
            &[
                "z!: string The id format uuid",
                "a: object or null",
                "  n!: integer  at least 1",
                "list: array of object",
                "  sku: string  x, y",
            ],
        );
    }

    #[test]
    fn references_are_followed_and_recursion_ends() {
        check(
            r##"{"properties":{"node":{"$ref":"#/$defs/node","description":"The root"}},
                "$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}}}}}"##,
            &["node: object The root", "  next: object"],
        );
        check(r##"{"$ref":"#"}"##, &[]);
    }

    #[test]
    fn parts_are_merged_and_options_are_listed() {
        check(
            r#"{"allOf":[{"required":["a"]},{"properties":{"a":{"const":"x"}}}],
                "properties":{"b":{"oneOf":[{"type":"string"},{"title":"Card","properties":{"n":true}}]}}}"#,
            &[
                "b: string or object",
                "  Option 2 Card: object",
                "    n: any",
                "a!: string  always x",
            ],
        );
    }
}
