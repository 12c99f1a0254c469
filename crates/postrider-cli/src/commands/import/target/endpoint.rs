//! Endpoints, with what has operations of its own: secret, headers and transformation.

use http::Method;
use jiff::Timestamp;
use postrider::{
    api::endpoint_secret::{DEFAULT_GRACE_SECONDS, MAX_GRACE_SECONDS},
    signature,
};
use serde_json::{Value, json};

use super::{Change, Target, fields, fields_and, path, refusal};
use crate::commands::import::{
    diff,
    model::{Endpoint, Fields, Secret, Transformation},
    report::Outcome,
};

/// The endpoints of an application, or those of operational webhooks.
#[derive(Clone, Debug)]
pub(crate) struct Collection<'a> {
    base: Vec<&'a str>,
    /// Operational webhooks have no channels and no transformations.
    is_operational: bool,
}

impl<'a> Collection<'a> {
    pub(crate) fn of(application: &'a str) -> Self {
        Self { base: vec!["app", application, "endpoint"], is_operational: false }
    }

    pub(crate) fn operational() -> Self {
        Self { base: vec!["operational-webhook", "endpoint"], is_operational: true }
    }

    fn place(&self, rest: &[&'a str]) -> Vec<&'a str> {
        [&self.base[..], rest].concat()
    }
}

impl Target {
    /// Creates the endpoint, or makes it like the source's.
    pub(crate) async fn put_endpoint(
        &self,
        within: &Collection<'_>,
        endpoint: &Endpoint,
    ) -> Change {
        let wanted = wanted(within, endpoint);
        let place = within.place(&[&endpoint.uid]);
        match self.api.optional(&path(&place)).await? {
            None => self.create_endpoint(within, endpoint, &wanted).await,
            Some(present) => {
                let first = self.update(&place, &wanted, &present).await?;
                if matches!(first, Outcome::Failed(_)) {
                    return Ok(first);
                }
                let more = [
                    self.put_secret(within, endpoint).await?,
                    self.put_headers(within, endpoint).await?,
                    self.put_transformation(within, endpoint).await?,
                ];
                Ok(more.into_iter().fold(first, both))
            },
        }
    }

    async fn create_endpoint(
        &self,
        within: &Collection<'_>,
        endpoint: &Endpoint,
        wanted: &Fields,
    ) -> Change {
        let oldest = endpoint.secrets.last();
        let mut new = wanted.clone();
        if let Some(Secret { key, .. }) = oldest {
            new.insert("secret".to_owned(), json!(key));
        }
        if !endpoint.headers.is_empty() && !within.is_operational {
            new.insert("headers".to_owned(), json!(endpoint.headers));
        }
        let created = self.create(&within.base, &new).await?;
        if created != Outcome::Created || self.dry_run {
            return Ok(created);
        }
        let mut more = vec![self.put_transformation(within, endpoint).await?];
        if within.is_operational {
            more.push(self.put_headers(within, endpoint).await?);
        }
        // Each newer secret replaces the one before, which stays valid as long as in the source.
        for pair in endpoint.secrets.windows(2).rev() {
            let [newer, older] = pair else { continue };
            more.push(self.rotate(within, endpoint, newer, older.expires_at).await?);
        }
        let failed = more.into_iter().find(|it| matches!(it, Outcome::Failed(_)));
        Ok(failed.unwrap_or(created))
    }

    async fn put_secret(&self, within: &Collection<'_>, endpoint: &Endpoint) -> Change {
        let Some(secret) = endpoint.secrets.first() else { return Ok(Outcome::Unchanged) };
        let place = within.place(&[&endpoint.uid, "secret"]);
        let Some(present) = self.api.optional(&path(&place)).await? else {
            return Ok(Outcome::Unchanged);
        };
        if present["key"].as_str().is_some_and(|it| is_same_key(&secret.key, it)) {
            return Ok(Outcome::Unchanged);
        }
        let changed = Outcome::Updated(vec!["secret".to_owned()]);
        if self.dry_run {
            return Ok(changed);
        }
        self.rotate(within, endpoint, secret, None).await
    }

    async fn rotate(
        &self,
        within: &Collection<'_>,
        endpoint: &Endpoint,
        secret: &Secret,
        old_until: Option<Timestamp>,
    ) -> Change {
        let place = within.place(&[&endpoint.uid, "secret", "rotate"]);
        let body = json!({ "key": secret.key, "gracePeriodSeconds": grace(old_until)? });
        let response = self.call(Method::POST, &place, &body).await?;
        Ok(refusal(response).unwrap_or_else(|| Outcome::Updated(vec!["secret".to_owned()])))
    }

    /// Headers whose values the source hides stay as they are.
    async fn put_headers(&self, within: &Collection<'_>, endpoint: &Endpoint) -> Change {
        let place = within.place(&[&endpoint.uid, "headers"]);
        let present = self.api.optional(&path(&place)).await?.unwrap_or_default();
        let changes = header_changes(endpoint, &present);
        if changes.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let (method, body) = if within.is_operational {
            (Method::PUT, json!({ "headers": endpoint.headers }))
        } else {
            (Method::PATCH, json!({ "headers": changes }))
        };
        self.change(method, &place, &body, vec!["headers".to_owned()]).await
    }

    async fn put_transformation(&self, within: &Collection<'_>, endpoint: &Endpoint) -> Change {
        let Some(transformation) = &endpoint.transformation else { return Ok(Outcome::Unchanged) };
        if within.is_operational {
            return Ok(Outcome::Unchanged);
        }
        let place = within.place(&[&endpoint.uid, "transformation"]);
        let present = self.api.optional(&path(&place)).await?.unwrap_or_default();
        let wanted = with_kept_variables(transformation, &present);
        let is_same = diff::changed(&wanted, &present).is_empty();
        let changed = if is_same { Vec::new() } else { vec!["transformation".to_owned()] };
        self.change(Method::PATCH, &place, &json!(wanted), changed).await
    }
}

/// The fields of a transformation, with the target's values of variables that the source hides.
fn with_kept_variables(transformation: &Transformation, present: &Value) -> Fields {
    let mut fields = transformation.fields.clone();
    for name in &transformation.hidden_variables {
        let (kept, variables) = (&present["variables"][name], fields.get_mut("variables"));
        if let (false, Some(Value::Object(variables))) = (kept.is_null(), variables) {
            // It is masked, too, which keeps the value.
            variables.insert(name.clone(), kept.clone());
        }
    }
    fields
}

/// The fields of the endpoint in our API.
fn wanted(within: &Collection<'_>, endpoint: &Endpoint) -> Fields {
    let Endpoint { uid, url, description, event_types, channels, .. } = endpoint;
    let wanted = fields(json!({
        "url": url,
        "uid": uid,
        "description": description,
        "disabled": endpoint.disabled,
        "eventTypes": event_types,
        "throttleRate": endpoint.rate_limit,
        "metadata": endpoint.metadata,
    }));
    if within.is_operational {
        return wanted;
    }
    let wanted = fields_and(&wanted, [("channels", json!(channels))]);
    wanted.into_iter().chain(endpoint.more.clone()).collect()
}

/// Both changes of one record as one.
fn both(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::Failed(error), _) | (_, Outcome::Failed(error)) => Outcome::Failed(error),
        (Outcome::Updated(mut fields), Outcome::Updated(more)) => {
            fields.extend(more);
            Outcome::Updated(fields)
        },
        (Outcome::Unchanged, other) | (other, _) => other,
    }
}

/// Whether the secret is the one whose public form the target shows.
fn is_same_key(secret: &str, shown: &str) -> bool {
    if secret == shown {
        return true;
    }
    let Ok(secret) = secret.parse::<signature::Secret>() else { return false };
    secret.reveal() == shown || secret.public_key().as_deref() == Some(shown)
}

/// How long an older secret stays valid, in seconds.
fn grace(until: Option<Timestamp>) -> anyhow::Result<u32> {
    let Some(until) = until else { return Ok(DEFAULT_GRACE_SECONDS) };
    let now = i64::try_from(crate::commands::now()?.as_secs())?;
    let seconds = until.as_second().saturating_sub(now).clamp(0, MAX_GRACE_SECONDS.into());
    Ok(u32::try_from(seconds)?)
}

/// The headers to set, and those to remove as `null`.
fn header_changes(endpoint: &Endpoint, present: &Value) -> Fields {
    let lower = |name: &str| name.to_ascii_lowercase();
    let shown: Vec<_> = present["headers"].as_object().into_iter().flatten().collect();
    let hides = |name: &str| {
        let hidden = present["sensitive"].as_array().into_iter().flatten();
        hidden.filter_map(Value::as_str).any(|it| lower(it) == lower(name))
    };
    let is_there = |name: &str, value: &str| {
        let found = shown.iter().any(|(it, shown)| lower(it) == lower(name) && *shown == value);
        // A value that the target hides cannot be compared.
        found || hides(name)
    };
    let is_wanted = |name: &str| {
        endpoint.headers.keys().chain(&endpoint.hidden_headers).any(|it| lower(it) == lower(name))
    };
    let set = endpoint.headers.iter().filter(|(name, value)| !is_there(name, value));
    let set = set.map(|(name, value)| (name.clone(), json!(value)));
    let removed = shown.iter().filter(|(name, _)| !is_wanted(name));
    let removed = removed.map(|(name, _)| ((*name).clone(), Value::Null));
    set.chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(headers: &[(&str, &str)], hidden: &[&str]) -> Endpoint {
        let owned = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
        Endpoint {
            headers: headers.iter().map(owned).collect(),
            hidden_headers: hidden.iter().map(|it| (*it).to_owned()).collect(),
            ..Endpoint::default()
        }
    }

    #[test]
    fn headers_change_except_for_hidden_ones() {
        let present =
            json!({ "headers": { "X-One": "1", "x-gone": "2" }, "sensitive": ["authorization"] });
        for (endpoint, expected) in [
            (endpoint(&[("x-one", "1"), ("x-gone", "2")], &[]), json!({})),
            (endpoint(&[("x-one", "1")], &[]), json!({ "x-gone": null })),
            (endpoint(&[("x-one", "3")], &["x-gone"]), json!({ "x-one": "3" })),
            (endpoint(&[("x-one", "1"), ("x-gone", "2"), ("authorization", "a")], &[]), json!({})),
        ] {
            assert_eq!(json!(header_changes(&endpoint, &present)), expected, "{endpoint:?}");
        }
    }

    #[test]
    fn variables_that_the_source_hides_keep_the_values_of_the_target() {
        let transformation = Transformation {
            fields: fields(json!({ "code": "c", "variables": { "a": "1" } })),
            hidden_variables: ["b".to_owned()].into(),
        };
        for (present, expected) in [
            (json!({}), json!({ "a": "1" })),
            (json!({ "variables": { "a": "***" } }), json!({ "a": "1" })),
            (json!({ "variables": { "b": "***" } }), json!({ "a": "1", "b": "***" })),
        ] {
            let wanted = with_kept_variables(&transformation, &present);
            assert_eq!(wanted["variables"], expected, "{present}");
        }
    }

    #[test]
    fn a_private_key_is_compared_with_its_public_key() {
        let private = signature::Secret::generate(signature::Kind::Ed25519, [7; 32]);
        let public = private.public_key().unwrap();
        assert!(is_same_key(&private.reveal(), &public));
        let other = signature::Secret::generate(signature::Kind::Ed25519, [8; 32]);
        assert!(!is_same_key(&other.reveal(), &public));
        let shared = signature::Secret::generate(signature::Kind::Symmetric, [7; 32]).reveal();
        assert!(is_same_key(&shared, &shared));
        assert!(is_same_key(shared.trim_start_matches("whsec_"), &shared));
        assert!(!is_same_key(&shared, &public));
    }
}
