//! Extracts signatures from a header: alone, after a prefix, in a list, or as named parts.

use serde::{Deserialize, Serialize};

/// Maximum number of candidates: more than any provider sends. With public keys, each of them costs
/// a verification.
pub(super) const MOST_CANDIDATES: usize = 128;

/// How to extract signatures from a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parse {
    /// Separates groups, each of which has its own timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_sep: Option<String>,
    /// Separates items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_sep: Option<String>,
    /// Separates the name of an item from its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_sep: Option<String>,
    /// The name of the items that are signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The prefix of a signature. Items without it are ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Names for the first items, if items have no names; the items after them are signatures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub positional: Vec<String>,
}

/// Signatures and named values from a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group<'a> {
    /// Named values that are not signatures.
    pub fields: Vec<(&'a str, &'a str)>,
    /// Possible signatures.
    pub candidates: Vec<&'a str>,
}

impl Parse {
    /// Whether the whole header is the signature.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The groups in the text that have a candidate.
    pub fn read<'a>(&'a self, text: &'a str) -> Vec<Group<'a>> {
        let groups = split(text, self.group_sep.as_deref()).map(|it| self.group(it));
        groups.filter(|it| !it.candidates.is_empty()).take(MOST_CANDIDATES).collect()
    }

    fn group<'a>(&'a self, text: &'a str) -> Group<'a> {
        let mut group = Group::default();
        let items = split(text, self.item_sep.as_deref()).map(str::trim);
        for (index, item) in items.enumerate().take(MOST_CANDIDATES) {
            match (self.positional.get(index), self.kv_sep.as_deref()) {
                (Some(name), _) => group.fields.push((name, item)),
                (None, None) => self.offer(item, &mut group),
                (None, Some(separator)) => {
                    let Some((name, value)) = item.split_once(separator) else { continue };
                    let (name, value) = (name.trim(), value.trim());
                    if self.key.as_deref() == Some(name) {
                        self.offer(value, &mut group);
                    } else {
                        group.fields.push((name, value));
                    }
                },
            }
        }
        group
    }

    fn offer<'a>(&self, text: &'a str, group: &mut Group<'a>) {
        let candidate = strip_prefix(text, self.prefix.as_deref().unwrap_or_default());
        group.candidates.extend(candidate.filter(|it| !it.is_empty()));
    }

    /// Writes a header as the provider would: the reverse of [`Parse::read`].
    pub(super) fn write(&self, fields: &[(&str, &str)], signature: &str) -> String {
        self.write_all(fields, &[signature])
    }

    /// Writes a header with an item for each signature.
    pub(super) fn write_all<T: AsRef<str>>(
        &self,
        fields: &[(&str, &str)],
        signatures: &[T],
    ) -> String {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let prefixed = signatures.iter().map(|it| format!("{prefix}{}", it.as_ref()));
        let mut items = Vec::new();
        if let (Some(separator), Some(key)) = (&self.kv_sep, &self.key) {
            items.extend(fields.iter().map(|(name, value)| format!("{name}{separator}{value}")));
            items.extend(prefixed.map(|it| format!("{key}{separator}{it}")));
        } else {
            items.extend(fields.iter().map(|(_, value)| (*value).to_owned()));
            items.extend(prefixed);
        }
        items.join(self.item_sep.as_deref().unwrap_or_default())
    }
}

fn split<'a>(text: &'a str, separator: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let (parts, whole) = match separator {
        Some(separator) => (Some(text.split(separator)), None),
        None => (None, Some(text)),
    };
    parts.into_iter().flatten().chain(whole)
}

/// Removes the prefix, which may be in upper or lower case.
pub(super) fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..))?
}
