//! Signatures over content: HMAC, digests and public keys.

use std::borrow::Cow;

use super::{
    super::{
        Settings,
        content::{ContentValues, Part},
        model::Signature,
        selector::Selector,
        signature::{Group, MOST_CANDIDATES, Parse},
        values::{Fields, Values},
    },
    Algorithm, SchemeMatch, VerifyError,
    key::Key,
    time,
};

/// Maximum number of timestamps: providers send at most two, while a secret is rotated.
const MOST_GROUPS: usize = 4;

pub(super) fn verify(
    signature: &Signature,
    algorithm: Algorithm,
    settings: &Settings,
    values: &Values<'_>,
    now_seconds: u64,
) -> Result<SchemeMatch, VerifyError> {
    if settings.secrets.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let texts = values.all(&signature.signature, &[]);
    if texts.is_empty() {
        return Err(VerifyError::Missing(signature.signature.to_string()));
    }
    let groups = gather(&signature.parse, &texts);
    if let Some(source) = signature.content.selectors().find(|it| values.is_ambiguous(it)) {
        return Err(VerifyError::Malformed(format!("{source} occurs more than once")));
    }
    let check = Check { signature, algorithm, settings, values, now_seconds };
    let mut outcome =
        Err(VerifyError::Malformed(format!("{} has no signature", signature.signature)));
    for group in &groups {
        let found = check.group(&group.fields, &group.candidates);
        // A match is final; otherwise the last group's error is reported.
        outcome = outcome.or(found);
    }
    outcome
}

/// The signatures of all headers, merged where they share a timestamp: the content has to be hashed
/// for each group, and the sender controls their number.
fn gather<'a>(parse: &'a Parse, texts: &'a [Cow<'_, str>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for found in texts.iter().flat_map(|it| parse.read(it)) {
        match groups.iter().position(|it| it.fields == found.fields) {
            Some(at) => groups[at].candidates.extend(found.candidates),
            None if groups.len() < MOST_GROUPS => groups.push(found),
            None => {},
        }
    }
    for group in &mut groups {
        group.candidates.truncate(MOST_CANDIDATES);
    }
    groups
}

struct Check<'a, 'r> {
    signature: &'a Signature,
    algorithm: Algorithm,
    settings: &'a Settings,
    values: &'a Values<'r>,
    now_seconds: u64,
}

impl Check<'_, '_> {
    fn group(&self, fields: &Fields<'_>, candidates: &[&str]) -> Result<SchemeMatch, VerifyError> {
        let timestamp = self.timestamp(fields)?;
        let id = self.needed(self.signature.id.as_ref(), &Part::Id, fields)?;
        let decode = |it: &&str| self.signature.encoding.decode(it);
        let candidates: Vec<_> = candidates.iter().filter_map(decode).collect();
        if candidates.is_empty() {
            let reason = format!("{} is not encoded correctly", self.signature.signature);
            return Err(VerifyError::Malformed(reason));
        }
        let (mut matched, mut unusable) = (None, None);
        for (index, secret) in self.settings.secrets.iter().enumerate() {
            let key = match Key::read(secret, self.algorithm, self.signature.key) {
                Ok(key) => key,
                Err(reason) => {
                    unusable.get_or_insert(VerifyError::Secret { index, reason });
                    continue;
                },
            };
            let filling = ContentValues {
                values: self.values,
                timestamp: &timestamp,
                id: &id,
                secret: key.bytes(),
            };
            let content = self.signature.content.pieces(filling);
            let content = content.map_err(|it| VerifyError::Missing(it.to_string()))?;
            let length = content.iter().map(|it| it.len()).sum();
            let cost = key.cost(length, candidates.len());
            self.values.work.take(cost).ok_or(VerifyError::TooMuchWork)?;
            if key.matches(self.signature.hash, &content, &candidates) && matched.is_none() {
                matched = Some((index, self.signature.content.metadata(filling)));
            }
        }
        match matched {
            Some((index, metadata)) => {
                let event_id = (!id.is_empty()).then_some(id);
                Ok(SchemeMatch {
                    secret: Some(index),
                    event_id,
                    metadata,
                    ..SchemeMatch::default()
                })
            },
            None => Err(unusable.unwrap_or(VerifyError::Signature)),
        }
    }

    /// The timestamp as it is written, if it is within its limits.
    fn timestamp(&self, fields: &Fields<'_>) -> Result<String, VerifyError> {
        let Some(timestamp) = &self.signature.timestamp else { return Ok(String::new()) };
        let text = self.values.first(&timestamp.source, fields);
        let text = text.ok_or_else(|| VerifyError::Missing(timestamp.source.to_string()))?;
        time::check(timestamp, &text, self.settings.tolerance, self.now_seconds)?;
        Ok(text.into_owned())
    }

    fn needed(
        &self,
        source: Option<&Selector>,
        part: &Part,
        fields: &Fields<'_>,
    ) -> Result<String, VerifyError> {
        match source {
            Some(source) if self.signature.content.uses(part) => {
                let found = self.values.first(source, fields);
                found.map(Into::into).ok_or_else(|| VerifyError::Missing(source.to_string()))
            },
            Some(_) | None => Ok(String::new()),
        }
    }
}
