//! Parses the address of a person, with or without a name.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error as _};
use url::Host;

/// An e-mail address, such as `ada@example.com` or `Ada <ada@example.com>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub name: Option<String>,
    /// What precedes the `@`.
    pub local: String,
    /// In ASCII: internationalized names are in Punycode.
    pub domain: String,
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    #[error("it contains a line break or another control character")]
    Control,
    #[error("it is not of the form name@domain")]
    Form,
    #[error("the part before the @ is not valid")]
    Local,
    #[error("the domain is not valid")]
    Domain,
}

/// Most bytes of the part before the `@` (RFC 5321, section 4.5.3.1.1).
const MAX_LOCAL: usize = 64;

/// Most bytes of a domain.
const MAX_DOMAIN: usize = 253;

impl FromStr for Mailbox {
    type Err = MailboxError;

    fn from_str(text: &str) -> Result<Self, MailboxError> {
        if text.chars().any(char::is_control) {
            return Err(MailboxError::Control);
        }
        let (name, address) = split_name(text.trim())?;
        let (local, domain) = address.rsplit_once('@').ok_or(MailboxError::Form)?;
        if !is_local(local) {
            return Err(MailboxError::Local);
        }
        let domain = domain_in_ascii(domain).ok_or(MailboxError::Domain)?;
        let name = (!name.is_empty()).then(|| name.to_owned());
        Ok(Self { name, local: local.to_owned(), domain })
    }
}

fn split_name(text: &str) -> Result<(&str, &str), MailboxError> {
    let Some(text) = text.strip_suffix('>') else { return Ok(("", text)) };
    let (name, address) = text.rsplit_once('<').ok_or(MailboxError::Form)?;
    let name = name.trim();
    let unquoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    Ok((unquoted.unwrap_or(name), address))
}

/// Atoms and dots. Quoted forms, which are hardly ever used, are not valid here.
fn is_local(text: &str) -> bool {
    let is_atom = |it: char| {
        it.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(it)
            || (!it.is_ascii() && it.is_alphanumeric())
    };
    text.len() <= MAX_LOCAL
        && text.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
}

fn domain_in_ascii(text: &str) -> Option<String> {
    let is_plain = |it: char| it.is_alphanumeric() || it == '-' || it == '.' || !it.is_ascii();
    if !text.chars().all(is_plain) {
        return None;
    }
    let Ok(Host::Domain(domain)) = Host::parse(text) else { return None };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    (domain.len() <= MAX_DOMAIN && domain.split('.').all(is_label)).then_some(domain)
}

impl<'de> Deserialize<'de> for Mailbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format!("is not an address: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_an_optional_name() {
        for (text, name, local, domain) in [
            ("ada@example.com", None, "ada", "example.com"),
            (" ada.l+x@Example.COM ", None, "ada.l+x", "example.com"),
            ("Ada <ada@example.com>", Some("Ada"), "ada", "example.com"),
            ("\"Lovelace, Ada\" <ada@example.com>", Some("Lovelace, Ada"), "ada", "example.com"),
            ("<ada@example.com>", None, "ada", "example.com"),
            ("jörg@bücher.example", None, "jörg", "xn--bcher-kva.example"),
            ("root@localhost", None, "root", "localhost"),
        ] {
            let mailbox: Mailbox = text.parse().unwrap();
            assert_eq!(mailbox.name.as_deref(), name, "{text}");
            assert_eq!((mailbox.local.as_str(), mailbox.domain.as_str()), (local, domain));
        }
    }

    #[test]
    fn what_is_not_one_address_is_rejected() {
        for (text, error) in [
            ("", MailboxError::Form),
            ("ada", MailboxError::Form),
            ("ada@example.com\r\nBcc: eve@example.com", MailboxError::Control),
            ("Ada\n <ada@example.com>", MailboxError::Control),
            ("@example.com", MailboxError::Local),
            ("a b@example.com", MailboxError::Local),
            (".ada@example.com", MailboxError::Local),
            ("ada..l@example.com", MailboxError::Local),
            ("ada@example.com, eve@example.com", MailboxError::Local),
            ("ada>@example.com", MailboxError::Local),
            (&format!("{}@example.com", "a".repeat(65)), MailboxError::Local),
            ("ada@", MailboxError::Domain),
            ("ada@-x.com", MailboxError::Domain),
            ("ada@example..com", MailboxError::Domain),
            ("ada@exam ple.com", MailboxError::Domain),
            ("ada@exa%6dple.com", MailboxError::Domain),
            ("ada@127.0.0.1", MailboxError::Domain),
            ("ada@example.com> SIZE=1", MailboxError::Domain),
            ("ada@example.com>", MailboxError::Form),
        ] {
            assert_eq!(text.parse::<Mailbox>(), Err(error), "{text}");
        }
    }
}
