//! Validation of models, beyond their form.

use serde_json::Value;

use super::{
    super::{content::Part, selector::Selector},
    Hash, InvalidModel, KeyFormat, Model, Scheme, Signature, limits,
};

impl Model {
    /// Parses and validates a model.
    pub fn from_json(json: &str) -> Result<Self, InvalidModel> {
        if json.len() > limits::MAX_TEXT {
            return Err(InvalidModel::TooLong(limits::MAX_TEXT));
        }
        let model: Self = serde_json::from_str(json)?;
        model.validate()?;
        Ok(model)
    }

    /// Validates the model.
    pub fn validate(&self) -> Result<(), InvalidModel> {
        if self.verify.is_empty() {
            return Err(InvalidModel::NoScheme);
        }
        limits::check(self)?;
        for (index, scheme) in self.verify.iter().enumerate() {
            let scheme_error =
                |reason| InvalidModel::Scheme { index, scheme: scheme.name(), reason };
            check_scheme(scheme).map_err(scheme_error)?;
        }
        for (name, expressions) in [
            ("event_type", &self.event_type),
            ("unique_event_id", &self.unique_event_id),
            ("event_id", &self.event_id),
        ] {
            let terms = expressions.iter().flat_map(|it| &it.terms);
            if let Some(field) = terms.into_iter().find(|it| matches!(it, Selector::Field(_))) {
                return Err(InvalidModel::Expression { name, location: field.to_string() });
            }
        }
        self.validate_replies()
    }

    fn validate_replies(&self) -> Result<(), InvalidModel> {
        for (index, handshake) in self.handshakes.iter().enumerate() {
            if let Some(reason) = handshake.fault() {
                return Err(InvalidModel::Handshake { index, reason });
            }
        }
        let mut statuses = self.acknowledgements.iter().map(|it| it.reply.status);
        if let Some(status) = statuses.find(|it| !(200..300).contains(it)) {
            return Err(InvalidModel::Status { name: "acknowledgements", status, instead: "2xx" });
        }
        let status = self.refusal.status;
        if !(400..500).contains(&status) {
            return Err(InvalidModel::Status { name: "refusal", status, instead: "4xx" });
        }
        Ok(())
    }
}

fn check_scheme(scheme: &Scheme) -> Result<(), String> {
    match scheme {
        Scheme::Hmac(it) | Scheme::Digest(it) => {
            if matches!(it.key, KeyFormat::Pem | KeyFormat::SpkiBase64 | KeyFormat::Whpk) {
                return Err(
                    "key is the format of a public key; use utf8, base64, hex or whsec".into()
                );
            }
            if matches!(scheme, Scheme::Digest(_)) && !it.content.uses(&Part::Secret) {
                return Err("content has no {secret}, so anyone could sign".to_owned());
            }
            check_signature(it)
        },
        Scheme::Ed25519(it) | Scheme::Ecdsa(it) | Scheme::Rsa(it) => {
            if it.content.uses(&Part::Secret) {
                return Err("content has {secret}, but the secret is a public key".to_owned());
            }
            if matches!(it.hash, Hash::Md5 | Hash::Sha384) {
                return Err("hash must be sha1, sha256 or sha512".to_owned());
            }
            check_signature(it)
        },
        Scheme::SharedSecret(it) => match it.source {
            Selector::Field(_) | Selector::Key(_) => Err(format!("source cannot be {}", it.source)),
            Selector::Header(_) | Selector::Query(_) | Selector::Form(..) | Selector::Json(_) => {
                Ok(())
            },
        },
        Scheme::Jwt(it) => match it.claims.iter().find(|(_, wanted)| !is_exact(wanted)) {
            Some((name, _)) => Err(format!(
                "claims.{name} holds a number that cannot be compared exactly; use whole numbers \
                 of at most 64 bits"
            )),
            None => Ok(()),
        },
        Scheme::Basic | Scheme::None | Scheme::Code(_) => Ok(()),
    }
}

/// Whether the value still has all digits as they were written.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(it) => it.is_u64() || it.is_i64(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn check_signature(it: &Signature) -> Result<(), String> {
    if matches!(it.signature, Selector::Field(_) | Selector::Key(_)) {
        return Err(format!("signature cannot be {}", it.signature));
    }
    if it.content.uses(&Part::Timestamp) && it.timestamp.is_none() {
        return Err("content has {timestamp}, but there is no timestamp".to_owned());
    }
    if it.content.uses(&Part::Id) && it.id.is_none() {
        return Err("content has {id}, but there is no id".to_owned());
    }
    let parse = &it.parse;
    if parse.kv_sep.is_some() != parse.key.is_some() {
        return Err("parse needs both kv_sep and key, or neither".to_owned());
    }
    let separators = [&parse.group_sep, &parse.item_sep, &parse.kv_sep, &parse.key];
    if separators.into_iter().flatten().any(String::is_empty) {
        return Err("parse has an empty separator or key".to_owned());
    }
    let locations = [it.timestamp.as_ref().map(|it| &it.source), it.id.as_ref()];
    for location in locations.into_iter().flatten() {
        let Selector::Field(name) = location else { continue };
        if parse.kv_sep.is_none() && !parse.positional.contains(name) {
            return Err(format!("{location} is not a name of parse"));
        }
    }
    Ok(())
}
