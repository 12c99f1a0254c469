//! Suggestions for misspelled names.

/// Maximum number of suggestions.
const MAX_SUGGESTIONS: usize = 3;

/// Minimum similarity of a suggestion.
const MIN_SIMILARITY: f64 = 0.8;

/// Minimum length of a name for which one with a single typo is always suggested.
const MIN_TYPO_LENGTH: usize = 3;

/// Longest name that is compared, in bytes. The cost grows with the square of the length.
const MAX_LENGTH: usize = 64;

/// Maximum number of names that are compared, which bounds the cost.
pub(crate) const MAX_COMPARED: usize = 1_000;

/// Similar names, the most similar first.
pub(crate) fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > MAX_LENGTH {
        return Vec::new();
    }
    let name = normalize(name);
    let similarity = |it: &str| similarity(&name, &normalize(it));
    let mut similar: Vec<_> = known
        .into_iter()
        .filter(|it| it.len() <= MAX_LENGTH)
        .take(MAX_COMPARED)
        .map(|it| (similarity(it), it))
        .filter(|(score, _)| *score >= MIN_SIMILARITY)
        .collect();
    similar.sort_by(|(a, name_a), (b, name_b)| b.total_cmp(a).then(name_a.cmp(name_b)));
    similar.dedup();
    similar.truncate(MAX_SUGGESTIONS);
    similar.into_iter().map(|(_, it)| it).collect()
}

/// The similarity, from 0 to 1. A single typo is always similar enough.
fn similarity(a: &str, b: &str) -> f64 {
    let similarity = strsim::jaro_winkler(a, b);
    let is_one_off = a.len() >= MIN_TYPO_LENGTH && strsim::osa_distance(a, b) <= 1;
    if is_one_off { similarity.max(MIN_SIMILARITY) } else { similarity }
}

/// Letters and digits only, in lower case, so that `event_types` equals `eventTypes`.
fn normalize(name: &str) -> String {
    let letters = name.chars().filter(|it| it.is_alphanumeric());
    letters.map(|it| it.to_ascii_lowercase()).collect()
}

/// A message that starts with `start` and ends with suggestions, or else with `otherwise`.
pub(crate) fn with_suggestions<'a>(
    start: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    match similar(name, known).as_slice() {
        [] => format!("{start}{otherwise}"),
        similar => format!("{start}; did you mean {}?", similar.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_name_comes_first_and_others_are_left_out() {
        let known = ["eventTypes", "eventType", "filterTypes", "url"];
        assert_eq!(similar("event_types", known)[0], "eventTypes");
        assert_eq!(similar("FILTERTYPES", known)[0], "filterTypes");
        assert!(similar("zzz", known).is_empty());
        assert_eq!(
            with_suggestions("is unknown", "ulr", known, ""),
            "is unknown; did you mean url?"
        );
        assert_eq!(with_suggestions("is unknown", "zzz", known, " here"), "is unknown here");
    }
}
