//! Names in a database: of tables, columns and files.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

/// Most bytes of a name. PostgreSQL allows 63, MySQL 64 characters.
const MAX_NAME: usize = 63;

/// The name of a table, a schema or a column. It is quoted in statements, so it may have any
/// characters but control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(format!("a name must have 1 to {MAX_NAME} bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err("a name must not contain control characters".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name within `quote`s, which are doubled in the name itself.
    pub(super) fn quoted(&self, quote: char) -> String {
        let doubled = self.0.replace(quote, &String::from_iter([quote, quote]));
        format!("{quote}{doubled}{quote}")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The name of a table, after the name of its schema if there is one: `events`,
/// `analytics.events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    pub schema: Option<Name>,
    pub name: Name,
}

impl TableName {
    fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            [name] => Ok(Self { schema: None, name: Name::parse(name)? }),
            [schema, name] => {
                Ok(Self { schema: Some(Name::parse(schema)?), name: Name::parse(name)? })
            },
            _ => Err("must be `table` or `schema.table`".to_owned()),
        }
    }

    /// The name for statements.
    pub(super) fn quoted(&self, quote: char) -> String {
        let name = self.name.quoted(quote);
        match &self.schema {
            Some(schema) => format!("{}.{name}", schema.quoted(quote)),
            None => name,
        }
    }
}

impl Default for TableName {
    fn default() -> Self {
        Self { schema: None, name: Name("events".to_owned()) }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        write!(f, "{}", self.name)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The name of a SQLite database. It becomes the name of a file, so it must not lead anywhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(is_allowed) {
            return Err("must have 1 to 63 letters, digits, `-` or `_`; it is the name of a file \
                        without its extension");
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let cases = [
            ("events", "\"events\""),
            ("a\"; DROP TABLE b; --", "\"a\"\"; DROP TABLE b; --\""),
            ("Übersicht", "\"Übersicht\""),
        ];
        for (name, expected) in cases {
            assert_eq!(Name::parse(name).unwrap().quoted('"'), expected);
        }
        assert_eq!(Name::parse("a`b").unwrap().quoted('`'), "`a``b`");
        for wrong in ["", "a\0b", "a\nb", &"x".repeat(64)] {
            assert!(Name::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_table_may_have_a_schema() {
        assert_eq!(TableName::parse("events").unwrap().quoted('"'), "\"events\"");
        assert_eq!(TableName::parse("a.events").unwrap().quoted('"'), "\"a\".\"events\"");
        assert!(TableName::parse("a.b.c").is_err());
        assert!(TableName::parse("a.").is_err());
    }

    #[test]
    fn a_file_name_leads_nowhere_else() {
        assert!(FileName::parse("shop-2_b").is_ok());
        for wrong in ["", ".", "..", "a/b", "a\\b", "a.db", "a b", "ä", "a\0"] {
            assert!(FileName::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
