//! The location of an event's type or id: one value, or several joined values.

use std::{fmt, str::FromStr};

use super::{
    selector::{InvalidSelector, Selector},
    text,
    values::Values,
};

/// One value, such as `header:x-github-event`, or several joined values, such as `json:type +
/// json:action`. It counts only if all of them are present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The joined values.
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

/// Evaluates the first expression whose terms are all present, with the separator between the
/// terms. If a term selects several values, they are joined with commas.
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

/// The values of each term of the first expression that is completely present.
pub(super) fn complete(
    expressions: &[Expression],
    values: &Values<'_>,
) -> Option<Vec<Vec<String>>> {
    let whole = |it: &Expression| it.terms.iter().map(|it| values.complete(it)).collect();
    expressions.iter().find_map(whole)
}
