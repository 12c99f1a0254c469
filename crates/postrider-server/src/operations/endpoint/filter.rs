//! Validation of an endpoint's filter.

use postrider_core::filter::Filter;

use crate::api::problems::Problems;

const FIELD: &str = "filter";

/// The filter, if it is valid; none if it is empty.
pub(super) fn checked(text: Option<String>, problems: &mut Problems<'_>) -> Option<String> {
    let text = text.filter(|it| !it.trim().is_empty())?;
    match Filter::new(&text) {
        Ok(_) => Some(text),
        Err(error) => {
            problems.add(&[FIELD], error.to_string());
            None
        },
    }
}
