//! The search for operations. `docs.js` does the same in the page.

use super::document::Operation;

/// The operations that contain all the words, in their order.
pub(super) fn find<'a>(operations: &'a [Operation], query: &str) -> Vec<&'a Operation> {
    let words: Vec<_> = query.split_whitespace().map(str::to_lowercase).collect();
    operations.iter().filter(|it| matches(&searched(it), &words)).collect()
}

fn matches(text: &str, words: &[String]) -> bool {
    words.iter().all(|word| text.contains(word))
}

/// What is searched.
pub(super) fn searched(it: &Operation) -> String {
    let text = format!("{} {} {} {} {}", it.method, it.path, it.summary, it.id, it.topic.title);
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::topic;

    #[test]
    fn all_words_must_be_found() {
        let operations = [
            ("GET", "/api/v1/app", "List applications"),
            ("POST", "/api/v1/app", "Create an application"),
        ]
        .map(|(method, path, summary)| Operation {
            id: "v1.application".to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            summary: summary.to_owned(),
            topic: topic::of("Application"),
        });
        for (query, count) in [("", 2), ("post /app", 1), ("Applications LIST", 1), ("endpoint", 0)]
        {
            assert_eq!(find(&operations, query).len(), count, "{query}");
        }
    }
}
