//! Finds providers by name.

use postrider::provider::{self, Provider};

use crate::failure::Advice;

/// Similarity from which a name is suggested; lower values suggest unrelated names.
const MIN_SIMILARITY: f64 = 0.85;
const MAX_SUGGESTIONS: usize = 3;

/// The provider with this name, or an error that suggests others.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static Provider> {
    let found = provider::find(&name.to_ascii_lowercase());
    let found = found.ok_or_else(|| Advice {
        message: match &suggestions(name)[..] {
            [] => format!("unknown provider `{name}`"),
            names => format!("unknown provider `{name}`; did you mean {}?", names.join(", ")),
        },
        hint: "`postrider providers` lists all providers".to_owned(),
        source: None,
    });
    Ok(found?)
}

/// Similar names, the most similar first.
fn suggestions(word: &str) -> Vec<String> {
    let word = word.to_lowercase();
    let similarity = |id: &str| {
        let prefix = if id.starts_with(&word) || word.starts_with(id) { 1.0 } else { 0.0 };
        strsim::jaro_winkler(&word, id).max(prefix)
    };
    let mut names: Vec<_> = provider::all()
        .iter()
        .map(|provider| (similarity(&provider.id), provider.id.as_str()))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
        .collect();
    names.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    names.iter().take(MAX_SUGGESTIONS).map(|(_, id)| format!("`{id}`")).collect()
}
