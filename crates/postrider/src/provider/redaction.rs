//! Hides secrets in requests that are kept for inspection: secrets where a provider's model says
//! that it sends them in clear text, and the known secrets of a source.

use std::{
    collections::BTreeSet,
    ops::{Not, Range},
    sync::LazyLock,
};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD},
};
use zeroize::Zeroizing;

use super::{
    Model, Scheme,
    handshake::{Location, Test},
    jwt,
    selector::{Selector, Step},
    table,
};

/// The replacement for a secret.
pub const HIDDEN: &str = "[hidden]";

/// Shorter texts are not treated as secrets, because they could be part of anything.
const MIN_SECRET: usize = 8;

/// Headers that carry the sender's credentials.
const HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Parts of the names of headers and parameters that carry secrets.
const TELLING: [&str; 6] = ["token", "secret", "password", "api-key", "api_key", "apikey"];

static KNOWN: LazyLock<Redaction> = LazyLock::new(|| {
    table::all().iter().fold(Redaction::default(), |it, provider| it.and(&provider.model))
});

/// The locations of secrets in clear text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// In lower case.
    headers: BTreeSet<String>,
    /// Prefixes of further header names.
    prefixes: BTreeSet<String>,
    queries: BTreeSet<String>,
    /// JSON keys and form fields.
    keys: BTreeSet<String>,
    /// The whole body is a secret.
    body: bool,
}

impl Redaction {
    /// The locations of all known providers.
    pub fn known() -> &'static Self {
        &KNOWN
    }

    /// The locations of this model.
    pub fn of(model: &Model) -> Self {
        Self::default().and(model)
    }

    /// Adds the locations of another model.
    #[must_use]
    pub fn and(mut self, model: &Model) -> Self {
        for scheme in &model.verify {
            match scheme {
                Scheme::SharedSecret(it) => self.add_selector(&it.source),
                Scheme::Jwt(it) => match &it.token {
                    jwt::TokenLocation::Header(name) => self.add_header(name),
                    // This token is the event itself.
                    jwt::TokenLocation::Body => {},
                },
                Scheme::Basic => self.add_header("authorization"),
                Scheme::Hmac(_)
                | Scheme::Digest(_)
                | Scheme::Ed25519(_)
                | Scheme::Ecdsa(_)
                | Scheme::Rsa(_)
                | Scheme::None
                | Scheme::Code(_) => {},
            }
        }
        for handshake in &model.handshakes {
            self.body |= handshake.capture == Some(Location::Body);
            let is_secret =
                |it: &Test| matches!(it, Test::Parameter(_) | Test::OptionalParameter(_));
            let conditions = handshake.when.iter().chain(&handshake.require);
            let conditions = conditions.filter(|it| is_secret(&it.is)).map(|it| &it.at);
            for location in conditions.chain(&handshake.capture) {
                self.add_location(location);
            }
        }
        self
    }

    fn add_header(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        match name.strip_suffix('*') {
            Some(start) => self.prefixes.insert(start.to_owned()),
            None => self.headers.insert(name),
        };
    }

    fn add_selector(&mut self, selector: &Selector) {
        match selector {
            Selector::Header(name) => self.add_header(name),
            Selector::Query(name) => drop(self.queries.insert(name.clone())),
            Selector::Form(name, _) => drop(self.keys.insert(name.clone())),
            Selector::Json(path) => {
                let key = |step: &Step| match step {
                    Step::Key(key) => Some(key.clone()),
                    Step::Index(_) | Step::First | Step::All => None,
                };
                self.keys.extend(path.0.iter().rev().find_map(key));
            },
            // A key is not a value, and a field is part of a signature.
            Selector::Key(_) | Selector::Field(_) => {},
        }
    }

    fn add_location(&mut self, location: &Location) {
        match location {
            Location::Header(name) => self.add_header(name),
            Location::Query(name) => drop(self.queries.insert(name.clone())),
            Location::Form(name) => drop(self.keys.insert(name.clone())),
            Location::Json(path) => {
                let is_key = |it: &&String| it.parse::<usize>().is_err();
                self.keys.extend(path.iter().rev().find(is_key).cloned());
            },
            Location::Parameter(_)
            | Location::Body
            | Location::Url
            | Location::UrlWithoutQuery
            | Location::Digest => {},
        }
    }

    /// Whether a provider sends a secret in this header, given in lower case.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains(name) || self.prefixes.iter().any(|it| name.starts_with(it))
    }

    /// Whether a provider sends a secret in the query.
    pub fn has_query(&self) -> bool {
        !self.queries.is_empty()
    }

    /// Redacts the value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str, value: String) -> String {
        let hides = HEADERS.contains(&name) || is_telling(name) || self.has_header(name);
        if hides { HIDDEN.to_owned() } else { value }
    }

    /// Redacts the query.
    pub fn query(&self, query: &str) -> String {
        let found = pairs(query.as_bytes(), |name| {
            is_telling(&name.to_ascii_lowercase()) || self.queries.contains(name)
        });
        let shown = without(query.as_bytes(), &found);
        shown.map_or_else(|| query.to_owned(), |it| String::from_utf8_lossy(&it).into_owned())
    }

    /// Redacts the body, which may be truncated. `None` if there is nothing to hide.
    pub fn body(&self, body: &[u8]) -> Option<Vec<u8>> {
        if self.body {
            return Some(HIDDEN.into());
        }
        if self.keys.is_empty() {
            return None;
        }
        let is_json = body.trim_ascii_start().first().is_some_and(|it| b"{[".contains(it));
        let has = |name: &str| self.keys.contains(name);
        without(body, &if is_json { members(body, has) } else { pairs(body, has) })
    }
}

fn is_telling(name: &str) -> bool {
    TELLING.iter().any(|it| name.contains(it))
}

/// Known secrets, in every form in which a request may contain them.
#[derive(Clone)]
pub struct SecretTexts {
    spellings: Vec<Zeroizing<Vec<u8>>>,
    /// First bytes of the secrets.
    begins: [bool; 256],
}

impl std::fmt::Debug for SecretTexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretTexts")
    }
}

impl SecretTexts {
    /// Collects the texts that are long enough to be secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets = secrets.into_iter().filter(|it| it.len() >= MIN_SECRET);
        let spellings: Vec<_> = secrets.flat_map(spellings).map(Zeroizing::new).collect();
        let mut begins = [false; 256];
        for first in spellings.iter().filter_map(|it| it.first()) {
            begins[usize::from(*first)] = true;
        }
        Self { spellings, begins }
    }

    /// Whether the text contains a secret.
    pub fn are_in(&self, text: &[u8]) -> bool {
        (0..text.len()).any(|at| self.at(text, at).is_some())
    }

    /// The text without the secrets. `None` if it contains none.
    pub fn hide_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let length = self.at(text, at);
            found.extend(length.map(|length| at..at + length));
            at += length.unwrap_or(1);
        }
        without(text, &found)
    }

    /// The length of the longest secret that begins at this position.
    fn at(&self, text: &[u8], at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let may_begin = rest.first().is_some_and(|it| self.begins[usize::from(*it)]);
        let fits = |it: &&Zeroizing<Vec<u8>>| rest.starts_with(it);
        let fitting = || self.spellings.iter().filter(fits).map(|it| it.len()).max();
        may_begin.then(fitting).flatten()
    }
}

/// The forms of a secret: plain, in JSON, in a URL or form, and in base64.
fn spellings(secret: &str) -> BTreeSet<Vec<u8>> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let base64 = BASE64_STANDARD_NO_PAD.encode(secret);
    let padded = BASE64_STANDARD.encode(secret);
    let json = json.trim_matches('"').to_owned();
    [secret.to_owned(), json, form, base64, padded].map(String::into_bytes).into()
}

/// Replaces these ranges of the text.
fn without(text: &[u8], ranges: &[Range<usize>]) -> Option<Vec<u8>> {
    ranges.is_empty().not().then(|| {
        let mut shown = Vec::with_capacity(text.len());
        let mut end = 0;
        for range in ranges {
            shown.extend_from_slice(&text[end..range.start]);
            shown.extend_from_slice(HIDDEN.as_bytes());
            end = range.end;
        }
        shown.extend_from_slice(&text[end..]);
        shown
    })
}

/// The ranges of the values with these names in a form or query.
fn pairs(text: &[u8], has: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = 0;
    for pair in text.split(|it| *it == b'&') {
        let name = form_urlencoded::parse(pair).next().map(|(name, _)| name.into_owned());
        let value = pair.iter().position(|it| *it == b'=').map(|it| begin + it + 1);
        if let (Some(name), Some(value)) = (name, value)
            && has(&name)
        {
            found.push(value..begin + pair.len());
        }
        begin += pair.len() + 1;
    }
    found
}

/// The ranges of the values with these keys in JSON at any depth, even if it is truncated: strings
/// without their quotes, other values as they are.
fn members(text: &[u8], has: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(quote) = position(text, at, |it| it == b'"') {
        let key = quote + 1..string_end(text, quote + 1);
        at = key.end + 1;
        let Some(colon) = position(text, at, |it| !it.is_ascii_whitespace()) else { break };
        let is_key = text.get(colon) == Some(&b':');
        if !is_key || !str::from_utf8(&text[key]).is_ok_and(&has) {
            continue;
        }
        let Some(begin) = position(text, colon + 1, |it| !it.is_ascii_whitespace()) else { break };
        let value = match text.get(begin) {
            Some(b'"') => begin + 1..string_end(text, begin + 1),
            // Nested values have keys of their own.
            Some(b'{' | b'[') => begin..begin,
            _ => {
                let ends = |it: u8| b",}]".contains(&it) || it.is_ascii_whitespace();
                begin..position(text, begin, ends).unwrap_or(text.len())
            },
        };
        at = value.end.max(colon) + 1;
        if !value.is_empty() {
            found.push(value);
        }
    }
    found
}

/// The first position from `at` on with a matching byte.
fn position(text: &[u8], at: usize, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    text.get(at..)?.iter().position(|it| is_it(*it)).map(|it| at + it)
}

/// The end of the string that begins here: its closing quote, or the end of a truncated text.
fn string_end(text: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(json: &str) -> Redaction {
        Redaction::of(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn every_location_of_a_provider_secret_is_known() {
        let known = Redaction::known();
        for header in [
            "authorization",
            "x-gitlab-token",
            "x-hook-secret",
            "verif-hash",
            "cf-webhook-auth",
            "x-adobesign-clientid",
            "x-telegram-bot-api-secret-token",
            "plaid-verification",
        ] {
            assert!(known.has_header(header), "{header}");
        }
        for query in ["hub.verify_token", "access_token"] {
            assert!(known.queries.contains(query), "{query}");
        }
        for key in ["clientState", "verification_token"] {
            assert!(known.keys.contains(key), "{key}");
        }
        for signature in ["stripe-signature", "x-hub-signature-256", "webhook-signature"] {
            assert!(!known.has_header(signature), "{signature} is needed to see what is wrong");
        }
    }

    #[test]
    fn every_shared_secret_of_the_table_is_hidden() {
        for provider in table::all() {
            let redaction = Redaction::of(&provider.model);
            for scheme in &provider.model.verify {
                let Scheme::SharedSecret(it) = scheme else { continue };
                let is_hidden = match &it.source {
                    Selector::Header(name) => redaction.header(name, String::new()) == HIDDEN,
                    Selector::Query(name) => redaction.query(&format!("{name}=x")).contains(HIDDEN),
                    Selector::Json(_) => !redaction.keys.is_empty(),
                    Selector::Form(..) | Selector::Key(_) | Selector::Field(_) => false,
                };
                assert!(is_hidden, "{} {}", provider.id, it.source);
            }
        }
    }

    #[test]
    fn custom_models_say_where_their_secret_is() {
        let form = model(r#"{"verify": {"scheme": "shared_secret", "source": "form:pass"}}"#);
        for (body, expected) in [
            ("a=1&pass=sesame&b=2", Some("a=1&pass=[hidden]&b=2")),
            ("p%61ss=sesame", Some("p%61ss=[hidden]")),
            ("passe=1", None),
        ] {
            let shown = form.body(body.as_bytes()).map(|it| String::from_utf8(it).unwrap());
            assert_eq!(shown.as_deref(), expected, "{body}");
        }
        let query = model(r#"{"verify": {"scheme": "shared_secret", "source": "query:k"}}"#);
        assert_eq!(query.query("a=1&k=sesame"), "a=1&k=[hidden]");
        assert_eq!(query.query("a=1&My-Token=x"), "a=1&My-Token=[hidden]");
        let header = model(r#"{"verify": {"scheme": "shared_secret", "source": "header:X-Own"}}"#);
        assert!(header.has_header("x-own") && !header.has_header("x-owner"));
        let many = model(r#"{"verify": {"scheme": "shared_secret", "source": "header:x-k-*"}}"#);
        assert!(many.has_header("x-k-1") && !many.has_header("x-k"));
        let captured = r#"{"handshakes": [{"when": [{"at": "header:x"}], "capture": "body"}]}"#;
        assert_eq!(model(captured).body(b"sesame").unwrap(), HIDDEN.as_bytes());
    }

    #[test]
    fn json_values_are_hidden_at_any_depth_and_in_truncated_bodies() {
        let json = r#"{"verify": {"scheme": "shared_secret", "source": "json:value.*.key"}}"#;
        let redaction = model(json);
        for (body, expected) in [
            (r#"{"value":[{"key":"a\"b","x":1}]}"#, r#"{"value":[{"key":"[hidden]","x":1}]}"#),
            (r#" {"key" : 12345, "b":2}"#, r#" {"key" : [hidden], "b":2}"#),
            (r#"{"key":{"key":"c"}}"#, r#"{"key":{"key":"[hidden]"}}"#),
            (r#"{"key":"sesa"#, r#"{"key":"[hidden]"#),
            (r#"{"key":"ends in \"#, r#"{"key":"[hidden]"#),
            (r#"{"key":tru"#, r#"{"key":[hidden]"#),
            (r#"[{"a":"key","key":null}]"#, r#"[{"a":"key","key":[hidden]}]"#),
        ] {
            let shown = redaction.body(body.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(shown).unwrap(), expected);
        }
        for body in [r#"{"a":"key"}"#, r#"{"key""#, r#"{"key":"#, "{", r#"{"key":""}"#] {
            assert_eq!(redaction.body(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn known_secrets_are_hidden_everywhere() {
        let secret = "open \"sesame\"/";
        let secrets = SecretTexts::new([secret, "short"]);
        let shown = |text: &str| {
            let hidden = secrets.hide_in(text.as_bytes());
            assert_eq!(secrets.are_in(text.as_bytes()), hidden.is_some());
            hidden.map(|it| String::from_utf8(it).unwrap())
        };
        assert_eq!(shown(&format!("a {secret} b")).unwrap(), "a [hidden] b");
        let json = serde_json::json!({ "a": secret }).to_string();
        assert_eq!(shown(&json).unwrap(), r#"{"a":"[hidden]"}"#);
        assert_eq!(shown("a=open+%22sesame%22%2F").unwrap(), "a=[hidden]");
        let base64 = BASE64_STANDARD.encode(secret);
        assert_eq!(shown(&format!("x{base64}{base64}")).unwrap(), "x[hidden][hidden]");
        assert_eq!(shown("a short text"), None);
        assert_eq!(shown(""), None);
    }
}
