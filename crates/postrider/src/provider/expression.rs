//! Where an event's type or id stands: one value, or several that are joined.

use std::{fmt, str::FromStr};

use super::{
    selector::{InvalidSelector, Selector},
    text,
    values::Values,
};

/// One value, such as `header:x-github-event`, or several joined, such as
/// `json:type + json:action`; it counts only if all are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// What is joined.
    pub terms: Vec<Selector>,
}

impl FromStr for Expression {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let terms = text.split(" + ").map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let plus = if index == 0 { "" } else { " + " };
            write!(f, "{plus}{term}")?;
        }
        Ok(())
    }
}

text::as_text!(Expression);

/// The first expression that is there, with this between its terms. A term that stands in many
/// places is all that stands there, with commas.
pub(super) fn evaluate(
    expressions: &[Expression],
    values: &Values<'_>,
    separator: &str,
) -> Option<String> {
    let term = |term: &Selector| {
        let found = values.all(term, &[]).join(",");
        (!found.is_empty()).then_some(found)
    };
    let joined = |it: &Expression| -> Option<Vec<String>> { it.terms.iter().map(term).collect() };
    expressions.iter().find_map(joined).map(|it| it.join(separator))
}

/// The first expression that is there completely: its terms, and the values of each.
pub(super) fn complete(
    expressions: &[Expression],
    values: &Values<'_>,
) -> Option<Vec<Vec<String>>> {
    let whole = |it: &Expression| it.terms.iter().map(|it| values.complete(it)).collect();
    expressions.iter().find_map(whole)
}
