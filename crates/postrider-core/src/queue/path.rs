//! JSON paths: `$.body.items[0]['a b']`. They find a part of a document, as it was written.

use std::{borrow::Cow, collections::BTreeMap, iter::Peekable, str::Chars};

use serde_json::value::RawValue;

/// Most steps of a path.
const MAX_STEPS: usize = 32;

/// A path, without the document's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a JSON path: {0}; write it like $.body.items[0].id or $.headers['x-type']")]
pub(super) struct PathError(&'static str);

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        let mut rest = text.chars().peekable();
        if rest.next() != Some('$') {
            return Err(PathError("it must start with $"));
        }
        let mut steps = Vec::new();
        while let Some(letter) = rest.next() {
            steps.push(match letter {
                '.' => name(&mut rest)?,
                '[' => bracket(&mut rest)?,
                _ => return Err(PathError("after a step comes . or [")),
            });
        }
        if steps.len() > MAX_STEPS {
            return Err(PathError("it has more than 32 steps"));
        }
        Ok(Self { steps })
    }

    /// The first step, if it is a name, and the path behind it.
    pub(super) fn split_name(&self) -> Option<(&str, Self)> {
        match self.steps.split_first() {
            Some((Step::Name(name), rest)) => Some((name, Self { steps: rest.to_vec() })),
            Some((Step::Index(_), _)) | None => None,
        }
    }

    /// Whether it leads to the whole document.
    pub(super) const fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// The name, if it has just one step and that is a name.
    pub(super) fn only_name(&self) -> Option<&str> {
        match &self.steps[..] {
            [Step::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The part of the document that it leads to, if there is one.
    pub(super) fn find<'a>(&self, document: &'a RawValue) -> Option<&'a RawValue> {
        self.steps.iter().try_fold(document, |value, step| match step {
            Step::Name(name) => {
                let fields = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(value.get());
                fields.ok()?.get(name.as_str()).copied()
            },
            Step::Index(index) => {
                serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.get(*index).copied()
            },
        })
    }
}

fn name(rest: &mut Peekable<Chars<'_>>) -> Result<Step, PathError> {
    let mut name = String::new();
    while let Some(letter) = rest.next_if(|it| !matches!(it, '.' | '[')) {
        name.push(letter);
    }
    if name.is_empty() || name.contains([' ', '*', '?', '@', '\'', '"', ']']) {
        return Err(PathError("a name with special characters is written ['…']"));
    }
    Ok(Step::Name(name))
}

fn bracket(rest: &mut Peekable<Chars<'_>>) -> Result<Step, PathError> {
    let quote = rest.next_if(|it| matches!(it, '\'' | '"'));
    let end = quote.unwrap_or(']');
    let mut text = String::new();
    while let Some(letter) = rest.next_if(|it| *it != end) {
        text.push(letter);
    }
    let is_closed = rest.next() == Some(end) && (quote.is_none() || rest.next() == Some(']'));
    match quote {
        _ if !is_closed => Err(PathError("a bracket is not closed")),
        Some(_) => Ok(Step::Name(text)),
        None => match text.parse() {
            Ok(index) => Ok(Step::Index(index)),
            Err(_) => Err(PathError("in brackets is a number or a quoted name")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_part_as_it_was_written() {
        let document: &RawValue =
            serde_json::from_str(r#"{"a":{"b c":[10, 1.50e3]},"d":null}"#).unwrap();
        for (path, expected) in [
            ("$", Some(document.get())),
            ("$.a['b c'][1]", Some("1.50e3")),
            (r#"$["a"]["b c"]"#, Some("[10, 1.50e3]")),
            ("$.d", Some("null")),
            ("$.a.x", None),
            ("$.a[0]", None),
            ("$.a['b c'][2]", None),
            ("$.a['b c'].x", None),
        ] {
            let found = Path::parse(path).unwrap().find(document).map(RawValue::get);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn other_texts_are_no_paths() {
        for text in ["", "a", "$a", "$.", "$..a", "$.a b", "$[", "$['a", "$['a'", "$[a]", "$.*"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        assert!(Path::parse(&format!("${}", ".a".repeat(33))).is_err());
    }
}
