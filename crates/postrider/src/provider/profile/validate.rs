//! Which signing models are valid: those that can sign every request.

use super::{
    super::{InvalidModel, Scheme, Selector, Signature},
    InvalidSigningModel, Rotation, SigningModel,
};

/// Maximum length of a model's text, in bytes.
const MAX_TEXT: usize = 8 << 10;

/// Maximum number of further headers and fields, each.
const MAX_ITEMS: usize = 16;

/// Maximum length of a header's name and of a field.
const MAX_NAME: usize = 128;

/// Headers that a client of HTTP sets itself.
const RESERVED: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "proxy-authorization",
];

impl SigningModel {
    /// Parses and validates a signing model.
    pub fn from_json(json: &str) -> Result<Self, InvalidSigningModel> {
        if json.len() > MAX_TEXT {
            return Err(InvalidSigningModel::TooLong(MAX_TEXT));
        }
        let model: Self = serde_json::from_str(json)?;
        model.validate()?;
        Ok(model)
    }

    /// Validates the model.
    pub fn validate(&self) -> Result<(), InvalidSigningModel> {
        self.verifier().validate().map_err(without_index)?;
        let signature = check_scheme(&self.sign)?;
        check_location("sign.signature", &signature.signature, false)?;
        if let Some(timestamp) = &signature.timestamp {
            check_location("sign.timestamp", &timestamp.source, true)?;
        }
        if let Some(id) = &signature.id {
            check_location("sign.id", id, true)?;
        }
        self.check_headers()?;
        self.check_content(signature)?;
        self.check_fields(signature)?;
        self.check_rotation(signature)
    }

    fn check_headers(&self) -> Result<(), InvalidSigningModel> {
        if self.headers.len() > MAX_ITEMS {
            let reason = format!("there are more than {MAX_ITEMS}");
            return Err(InvalidSigningModel::part("headers", reason));
        }
        self.headers.keys().try_for_each(|name| check_name(&format!("headers.{name}"), name))
    }

    /// Every value that is signed has to be there, whatever the message is.
    fn check_content(&self, signature: &Signature) -> Result<(), InvalidSigningModel> {
        let content = &signature.content;
        if !content.covers_body() {
            let reason = "the signature must cover the {body}";
            return Err(InvalidSigningModel::part("sign.content", reason));
        }
        match content.selectors().find(|source| !self.sets(signature, source)) {
            Some(source) => {
                let reason = format!(
                    "{{{source}}} may be missing; use {{header:content-type}}, or a header that \
                     `headers` sets"
                );
                Err(InvalidSigningModel::part("sign.content", reason))
            },
            None => Ok(()),
        }
    }

    /// Whether every request has the value.
    fn sets(&self, signature: &Signature, source: &Selector) -> bool {
        let Selector::Header(name) = source else { return false };
        let others = signature.timestamp.as_ref().map(|it| &it.source).into_iter();
        name == "content-type"
            || self.headers.contains_key(name)
            || others.chain(&signature.id).any(|it| it == source)
    }

    fn check_fields(&self, signature: &Signature) -> Result<(), InvalidSigningModel> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let Some(separator) = signature.parse.kv_sep.as_deref() else {
            let reason = "need `parse` with item_sep, kv_sep and key";
            return Err(InvalidSigningModel::part("fields", reason));
        };
        if self.fields.len() > MAX_ITEMS {
            let reason = format!("there are more than {MAX_ITEMS}");
            return Err(InvalidSigningModel::part("fields", reason));
        }
        let item_separator = signature.parse.item_sep.as_deref().unwrap_or(",");
        let is_plain = |text: &str| {
            text.len() <= MAX_NAME
                && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
                && !text.contains(item_separator)
        };
        let is_valid = |name: &str, value: &str| {
            is_plain(name) && is_plain(value) && !name.is_empty() && !name.contains(separator)
        };
        match self.fields.iter().find(|(name, value)| !is_valid(name, value)) {
            Some((name, _)) => {
                let reason = "must be plain text without the separators";
                Err(InvalidSigningModel::part(format!("fields.{name}"), reason))
            },
            None => Ok(()),
        }
    }

    fn check_rotation(&self, signature: &Signature) -> Result<(), InvalidSigningModel> {
        match &self.rotation {
            Rotation::Newest => Ok(()),
            Rotation::Header(name) => check_name("rotation", name),
            Rotation::Repeat | Rotation::Join if signature.parse.item_sep.is_some() => Ok(()),
            Rotation::Repeat | Rotation::Join => {
                Err(InvalidSigningModel::part("rotation", "needs `parse` with item_sep"))
            },
        }
    }
}

/// There is one scheme, whose index says nothing.
fn without_index(error: InvalidModel) -> InvalidSigningModel {
    if let InvalidModel::Scheme { reason, .. } = error {
        return InvalidSigningModel::part("sign", reason);
    }
    InvalidSigningModel::Scheme(error)
}

fn check_scheme(scheme: &Scheme) -> Result<&Signature, InvalidSigningModel> {
    match scheme {
        Scheme::Hmac(signature) | Scheme::Ed25519(signature) | Scheme::Ecdsa(signature) => {
            Ok(signature)
        },
        Scheme::Digest(_)
        | Scheme::Rsa(_)
        | Scheme::Jwt(_)
        | Scheme::SharedSecret(_)
        | Scheme::Basic
        | Scheme::None
        | Scheme::Code(_) => {
            let reason = format!("{} cannot sign here; use hmac, ed25519 or ecdsa", scheme.name());
            Err(InvalidSigningModel::part("sign.scheme", reason))
        },
    }
}

/// Signatures, times and ids are in headers, so that bodies stay as they were published.
fn check_location(
    place: &str,
    source: &Selector,
    may_be_field: bool,
) -> Result<(), InvalidSigningModel> {
    match source {
        Selector::Header(name) => check_name(place, name),
        Selector::Field(_) if may_be_field => Ok(()),
        Selector::Field(_)
        | Selector::Query(_)
        | Selector::Form(..)
        | Selector::Json(_)
        | Selector::Key(_) => {
            Err(InvalidSigningModel::part(place, format!("cannot be {source}; use a header")))
        },
    }
}

fn check_name(place: &str, name: &str) -> Result<(), InvalidSigningModel> {
    let is_token =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_token) {
        let reason = format!(
            "`{name}` is not the name of a header in lower case, of at most {MAX_NAME} letters, \
             digits, - and _"
        );
        return Err(InvalidSigningModel::part(place, reason));
    }
    if RESERVED.contains(&name) {
        let reason = format!("`{name}` is set by the server; choose another header");
        return Err(InvalidSigningModel::part(place, reason));
    }
    Ok(())
}
