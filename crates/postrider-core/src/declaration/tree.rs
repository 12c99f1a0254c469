//! The contents of a file with the line of each value.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Counted from 1.
    pub line: usize,
    pub tree: Tree,
}

/// A value whose parts have lines.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Scalar(Value),
    List(Vec<Located>),
    Map(Vec<(String, Located)>),
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// Counted from 1, if it is known.
    pub line: Option<usize>,
    pub message: String,
}

impl Located {
    /// The value without lines.
    pub fn value(&self) -> Value {
        match &self.tree {
            Tree::Scalar(value) => value.clone(),
            Tree::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Tree::Map(fields) => {
                let fields = fields.iter().map(|(name, it)| (name.clone(), it.value()));
                Value::Object(fields.collect::<Map<_, _>>())
            },
        }
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match &self.tree {
            Tree::Map(fields) => fields.iter().find(|(it, _)| it == name).map(|(_, value)| value),
            Tree::List(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
            Tree::Scalar(_) => None,
        }
    }

    /// The line of the value at this path, or of the last part of it that exists.
    pub fn line_of(&self, path: &[String]) -> usize {
        let Some((first, rest)) = path.split_first() else { return self.line };
        self.field(first).map_or(self.line, |it| it.line_of(rest))
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Scalar(Value::String(text)) => Some(text),
            Tree::Scalar(_) | Tree::List(_) | Tree::Map(_) => None,
        }
    }
}

/// Reads a YAML document. An empty one has no fields.
pub fn parse_yaml(text: &str) -> Result<Located, SyntaxProblem> {
    let found: Result<Option<serde_saphyr::Spanned<Yaml>>, _> = serde_saphyr::from_str(text);
    match found {
        Ok(Some(found)) => Ok(found.into()),
        Ok(None) => Ok(Located { line: 1, tree: Tree::Map(Vec::new()) }),
        Err(error) => {
            let line = error.location().and_then(|it| usize::try_from(it.line()).ok());
            let message = error.without_snippet().to_string();
            Err(SyntaxProblem { line, message: first_line(&message) })
        },
    }
}

/// Reads a TOML document.
pub fn parse_toml(text: &str) -> Result<Located, SyntaxProblem> {
    let found: Result<Toml, _> = toml::from_str(text);
    match found {
        Ok(Toml(tree)) => Ok(located(text, 0, tree)),
        Err(error) => {
            let line = error.span().map(|it| line_at(text, it.start));
            Err(SyntaxProblem { line, message: first_line(error.message()) })
        },
    }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|it| **it == b'\n').count() + 1
}

/// A value with offsets instead of lines.
enum Parsed<S> {
    Scalar(Value),
    List(Vec<S>),
    Map(Vec<(String, S)>),
}

struct Yaml(Parsed<serde_saphyr::Spanned<Self>>);
struct Toml(Parsed<toml::Spanned<Self>>);

impl From<serde_saphyr::Spanned<Yaml>> for Located {
    fn from(found: serde_saphyr::Spanned<Yaml>) -> Self {
        let line = usize::try_from(found.referenced.line()).unwrap_or_default();
        let tree = match found.value.0 {
            Parsed::Scalar(value) => Tree::Scalar(value),
            Parsed::List(items) => Tree::List(items.into_iter().map(Self::from).collect()),
            Parsed::Map(fields) => {
                Tree::Map(fields.into_iter().map(|(name, it)| (name, Self::from(it))).collect())
            },
        };
        Self { line, tree }
    }
}

fn located(text: &str, offset: usize, parsed: Parsed<toml::Spanned<Toml>>) -> Located {
    let of = |it: toml::Spanned<Toml>| {
        let start = it.span().start;
        located(text, start, it.into_inner().0)
    };
    let tree = match parsed {
        Parsed::Scalar(value) => Tree::Scalar(value),
        Parsed::List(items) => Tree::List(items.into_iter().map(of).collect()),
        Parsed::Map(fields) => {
            Tree::Map(fields.into_iter().map(|(name, it)| (name, of(it))).collect())
        },
    };
    Located { line: line_at(text, offset), tree }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(std::marker::PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Toml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(std::marker::PhantomData)).map(Self)
    }
}

struct Reader<S>(std::marker::PhantomData<S>);

impl<'de, S: Deserialize<'de>> Visitor<'de> for Reader<S> {
    type Value = Parsed<S>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Parsed<S>, E> {
        Ok(Parsed::Scalar(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Parsed<S>, E> {
        Ok(Parsed::Scalar(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Parsed<S>, E> {
        Ok(Parsed::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Parsed<S>, E> {
        Ok(Parsed::Scalar(value.into()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Parsed<S>, E> {
        Ok(Parsed::Scalar(value.into()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Parsed<S>, E> {
        Ok(Parsed::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Parsed<S>, E> {
        Ok(Parsed::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Parsed<S>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Parsed::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Parsed<S>, A::Error> {
        let mut map = Vec::new();
        while let Some(field) = fields.next_entry()? {
            map.push(field);
        }
        Ok(Parsed::Map(map))
    }
}
