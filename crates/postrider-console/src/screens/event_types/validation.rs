//! What happens to payloads that do not match the schema of their event type, in forms.

use postrider::api::{Patch, SchemaValidation};

use crate::form::Form;

/// The label of fields that choose it.
pub(crate) const LABEL: &str = "Payloads that do not match the schema";

/// The modes: their names in the API and in words.
pub(crate) const MODES: [(&str, &str); 3] = [
    ("off", "Are accepted and not reported"),
    ("warn", "Are accepted and reported"),
    ("reject", "Are refused"),
];

/// That of the organization, in words.
const INHERITED: &str = "As in the settings of the organization";

/// The modes of an event type, which may have none of its own.
pub(super) fn options() -> Vec<(&'static str, &'static str)> {
    [("", INHERITED)].into_iter().chain(MODES).collect()
}

/// A mode as the value of a field.
pub(super) fn value(it: Option<SchemaValidation>) -> &'static str {
    let name = |mode| SchemaValidation::NAMES.iter().find(|it| it.0 == mode).map(|it| it.1);
    it.and_then(name).unwrap_or_default()
}

/// A mode in words.
pub(super) fn words(it: Option<SchemaValidation>) -> &'static str {
    let value = value(it);
    MODES.iter().find(|it| it.0 == value).map_or(INHERITED, |it| it.1)
}

/// The mode of a form; a form without the field does not change it.
pub(super) fn of_form(form: &Form) -> Patch<SchemaValidation> {
    let Some(text) = form.raw("validation") else { return Patch::Keep };
    let found = SchemaValidation::NAMES.iter().find(|it| it.1 == text);
    found.map_or(Patch::Clear, |it| Patch::Set(it.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_kept_replaced_or_removed() {
        for (text, expected) in [
            ("", Patch::Keep),
            ("validation=", Patch::Clear),
            ("validation=warn", Patch::Set(SchemaValidation::Warn)),
            ("validation=reject", Patch::Set(SchemaValidation::Reject)),
        ] {
            assert_eq!(of_form(&Form::parse(text.as_bytes())), expected, "{text}");
        }
    }

    #[test]
    fn every_mode_has_a_value_and_words() {
        for (mode, name) in SchemaValidation::NAMES {
            assert_eq!(value(Some(mode)), name);
            assert_ne!(words(Some(mode)), INHERITED);
        }
        assert_eq!((value(None), words(None)), ("", INHERITED));
    }
}
