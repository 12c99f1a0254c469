//! The signing profile of an endpoint in forms.

use postrider::{api::EndpointSigning, provider::profile};
use serde_json::{Value, json};

use crate::form::Form;

/// The names of the fields.
pub(super) const PROFILE: &str = "signing.profile";
pub(super) const SECRET: &str = "signing.secret";
pub(super) const STANDARD: &str = "signing.standard";

/// The profile with a model of its own, which forms keep and cannot create.
const CUSTOM: &str = "custom";

/// The name of a profile for people.
pub(super) fn name(id: &str) -> String {
    profile::find(id).map_or_else(|| "A custom model".to_owned(), |it| it.name.clone())
}

/// The profiles to choose from, by their ids.
pub(super) fn options(form: &Form) -> Vec<(&'static str, String)> {
    let standard = ("", "Standard Webhooks".to_owned());
    let known = profile::all().iter().map(|it| (it.id.as_str(), it.name.clone()));
    let custom = (form.text(PROFILE) == Some(CUSTOM)).then(|| (CUSTOM, name(CUSTOM)));
    std::iter::once(standard).chain(known).chain(custom).collect()
}

/// The field of the body after the form was sent, if it changes.
pub(super) fn changed(old: Option<&EndpointSigning>, form: &Form) -> Option<Value> {
    let Some(profile) = form.text(PROFILE) else {
        return old.is_some().then_some(Value::Null);
    };
    let (standard, secret) = (form.has(STANDARD), form.text(SECRET));
    let is_same = old.is_some_and(|it| it.profile == profile && it.standard == standard);
    if is_same && secret.is_none() {
        return None;
    }
    let mut signing = json!({ "profile": profile, "standard": standard });
    if let Some(secret) = secret {
        signing["secrets"] = json!([secret]);
    }
    if let Some(model) = old.and_then(|it| it.model.as_ref()).filter(|_| profile == CUSTOM) {
        signing["model"] = json!(model);
    }
    Some(signing)
}

/// The fields of a form that shows the profile.
pub(super) fn filled(signing: Option<&EndpointSigning>) -> Vec<(String, String)> {
    let Some(signing) = signing else { return Vec::new() };
    let standard = signing.standard.then(|| (STANDARD.to_owned(), "on".to_owned()));
    let profile = (PROFILE.to_owned(), signing.profile.clone());
    std::iter::once(profile).chain(standard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "calls with literals are shorter")]
    fn check(old: Option<&EndpointSigning>, fields: &[(&str, &str)], expected: Option<Value>) {
        let form = Form::filled(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
        assert_eq!(changed(old, &form), expected, "{fields:?}");
    }

    #[test]
    fn a_form_changes_only_what_was_chosen() {
        let convoy = EndpointSigning { profile: "convoy".to_owned(), ..EndpointSigning::default() };
        check(None, &[], None);
        check(Some(&convoy), &[], Some(Value::Null));
        check(Some(&convoy), &[(PROFILE, "convoy")], None);
        let both = json!({ "profile": "convoy", "standard": true });
        check(Some(&convoy), &[(PROFILE, "convoy"), (STANDARD, "on")], Some(both));
        let new = json!({ "profile": "hookdeck", "standard": false, "secrets": ["s"] });
        check(None, &[(PROFILE, "hookdeck"), (SECRET, "s")], Some(new));
    }

    #[test]
    fn a_custom_model_is_kept() {
        let model = postrider::api::ingest::ModelText(r#"{"sign":{}}"#.to_owned());
        let custom = EndpointSigning {
            profile: CUSTOM.to_owned(),
            model: Some(model),
            ..EndpointSigning::default()
        };
        let form =
            Form::filled(filled(Some(&custom)).iter().map(|it| (it.0.as_str(), it.1.clone())));
        assert!(options(&form).iter().any(|(id, _)| *id == CUSTOM));
        let expected = json!({ "profile": "custom", "standard": false, "secrets": ["s"], "model": { "sign": {} } });
        check(Some(&custom), &[(PROFILE, CUSTOM), (SECRET, "s")], Some(expected));
    }
}
