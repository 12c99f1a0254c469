//! Lists of a request's problems, bounded in number and length.

use postrider::api::ValidationItem;

/// The problems of a request. A response lists the first ones, which is more than people fix at a
/// time, and counts the others: a body can have as many as it has bytes.
#[derive(Debug, Default)]
pub(crate) struct ProblemList {
    items: Vec<ValidationItem>,
    /// Problems that are only counted.
    more: usize,
}

/// Problems that one response lists.
const MAX_LISTED: usize = 20;

impl ProblemList {
    /// Adds a problem. Its message is made only if the response lists it.
    pub(crate) fn add(&mut self, item: impl FnOnce() -> ValidationItem) {
        if self.items.len() < MAX_LISTED {
            self.items.push(item());
        } else {
            self.more += 1;
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a problem before all others.
    pub(crate) fn put_first(&mut self, item: ValidationItem) {
        self.items.insert(0, item);
    }

    pub(crate) fn into_items(mut self) -> Vec<ValidationItem> {
        if self.more > 0 {
            let message = format!("{} more problems are not listed", self.more);
            let part = self.items[0].loc.first().cloned().unwrap_or_default();
            self.items.push(item(&[&part], message, "value_error"));
        }
        self.items
    }
}

/// Longest name in the location of a problem, in bytes. The client chooses the names of unknown
/// fields, which can be as long as the body.
const MAX_NAME: usize = 256;

/// Longest message of a problem, in bytes. Some messages quote the request.
const MAX_MESSAGE: usize = 1_024;

/// A problem at this location of a request.
pub(crate) fn item(place: &[&str], message: impl Into<String>, kind: &str) -> ValidationItem {
    ValidationItem {
        loc: place.iter().map(|&part| cut(part.to_owned(), MAX_NAME)).collect(),
        msg: cut(message.into(), MAX_MESSAGE),
        kind: kind.to_owned(),
    }
}

/// The text, shortened to this many bytes.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|it| text.is_char_boundary(*it));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}
