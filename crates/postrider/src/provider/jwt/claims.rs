//! The claims that a token must have.

use std::borrow::Cow;

use serde_json::{Number, Value, value::RawValue};

use super::{
    super::{Request, Settings, VerifyError, crypto, json, work::WorkBudget},
    Jwt,
};

/// The claims of a token and what they are checked against.
pub(super) struct Check<'a> {
    pub(super) jwt: &'a Jwt,
    pub(super) settings: &'a Settings,
    pub(super) request: &'a Request<'a>,
    pub(super) claims: &'a RawValue,
    pub(super) work: &'a WorkBudget,
}

impl Check<'_> {
    pub(super) fn times(&self, now_seconds: u64) -> Result<(), VerifyError> {
        let leeway = self.jwt.leeway_s;
        if self.time("exp")?.is_some_and(|it| it.saturating_add(leeway) <= now_seconds) {
            return Err(VerifyError::TooOld);
        }
        if self.time("nbf")?.is_some_and(|it| it > now_seconds.saturating_add(leeway)) {
            return Err(VerifyError::TooNew);
        }
        let setting = self.settings.tolerance.map(|it| it.as_secs());
        let Some(max_age) = setting.or(self.jwt.max_age_s) else { return Ok(()) };
        let issued_at = self.time("iat")?.ok_or_else(|| missing("iat"))?;
        if now_seconds.saturating_sub(issued_at) > max_age {
            return Err(VerifyError::TooOld);
        }
        if issued_at.saturating_sub(now_seconds) > leeway {
            return Err(VerifyError::TooNew);
        }
        Ok(())
    }

    /// Seconds since 1970; some providers write fractions.
    fn time(&self, name: &str) -> Result<Option<u64>, VerifyError> {
        let Some(value) = json::member(self.claims, name) else { return Ok(None) };
        let number = serde_json::from_str::<Number>(value.get()).ok();
        let text = number.map(|it| it.to_string());
        let seconds = text.as_deref().and_then(|it| it.split('.').next()?.parse().ok());
        seconds.map(Some).ok_or_else(|| wrong(name))
    }

    pub(super) fn claims(&self) -> Result<(), VerifyError> {
        let issuer = self.settings.parameter("issuer");
        let is_issuer = |it: &str| match issuer {
            Some(issuer) => it == issuer,
            None => self.jwt.issuers.is_empty() || self.jwt.issuers.iter().any(|known| known == it),
        };
        if issuer.is_some() || !self.jwt.issuers.is_empty() {
            let found = json::member(self.claims, "iss").ok_or_else(|| missing("iss"))?;
            json::text(found).filter(|it| is_issuer(it)).ok_or_else(|| wrong("iss"))?;
        }
        self.audience()?;
        for (name, wanted) in &self.jwt.claims {
            let wanted = self.wanted(wanted)?;
            let found = follow(self.claims, name, self.work).ok_or_else(|| missing(name))?;
            // Expected values contain only whole numbers, which no other number equals.
            if !serde_json::from_str::<Value>(found.get()).is_ok_and(|it| it == wanted) {
                return Err(wrong(name));
            }
        }
        Ok(())
    }

    fn audience(&self) -> Result<(), VerifyError> {
        let url = self.jwt.audience_is_url.then_some(self.request.url);
        let Some(wanted) = self.settings.parameter("audience").or(url) else { return Ok(()) };
        let found = json::member(self.claims, "aud").ok_or_else(|| missing("aud"))?;
        let is_it = |it: &RawValue| json::text(it).is_some_and(|it| it == wanted);
        let is_meant = is_it(found) || json::items(found).into_iter().any(is_it);
        is_meant.then_some(()).ok_or_else(|| wrong("aud"))
    }

    /// The expected value of a claim. If it refers to a parameter that is not set, the token is
    /// rejected.
    fn wanted(&self, wanted: &Value) -> Result<Value, VerifyError> {
        let Some(name) = wanted.as_str().and_then(|it| it.strip_prefix("parameter:")) else {
            return Ok(wanted.clone());
        };
        let parameter = self.settings.parameter(name).map(|it| Value::String(it.to_owned()));
        parameter
            .ok_or_else(|| VerifyError::Malformed(format!("parameter {name} is not configured")))
    }

    pub(super) fn body(&self) -> Result<(), VerifyError> {
        let Some(body_hash) = &self.jwt.body_hash else { return Ok(()) };
        let name = &body_hash.claim;
        let found = follow(self.claims, name, self.work).ok_or_else(|| missing(name))?;
        let found = json::text(&found).and_then(|it| body_hash.encoding.decode(&it));
        let found = found.ok_or_else(|| wrong(name))?;
        self.work.take(self.request.body.len()).ok_or(VerifyError::TooMuchWork)?;
        let hash = crypto::digest(body_hash.hash, self.request.body);
        crypto::equal(&hash, &found).then_some(()).ok_or(VerifyError::Signature)
    }
}

/// The first of these claims that is present, as text.
pub(super) fn first(claims: &RawValue, paths: &[String], work: &WorkBudget) -> Option<String> {
    paths.iter().find_map(|path| {
        let found = follow(claims, path, work)?;
        let is_text = matches!(json::kind(&found), json::Kind::Text | json::Kind::Number);
        json::scalar(&found).filter(|_| is_text).map(Into::into)
    })
}

/// Follows the path into the claims, and into JSON that they contain as text.
fn follow<'c>(claims: &'c RawValue, path: &str, work: &WorkBudget) -> Option<Cow<'c, RawValue>> {
    let mut value = Cow::Borrowed(claims);
    for key in path.split('.') {
        work.take(value.get().len())?;
        if let Some(text) = json::text(&value) {
            value = Cow::Owned(json::document(text.as_bytes()).ok()?.to_owned());
        }
        value = match value {
            Cow::Borrowed(it) => Cow::Borrowed(json::member(it, key)?),
            Cow::Owned(it) => Cow::Owned(json::member(&it, key)?.to_owned()),
        };
    }
    Some(value)
}

fn missing(claim: &str) -> VerifyError {
    VerifyError::Missing(format!("claim {claim} of the token"))
}

fn wrong(claim: &str) -> VerifyError {
    VerifyError::Malformed(format!("claim {claim} of the token does not have the expected value"))
}
