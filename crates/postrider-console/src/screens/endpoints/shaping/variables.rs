//! The variables of a transformation, as rows of a form.

use std::collections::BTreeMap;

use maud::{Markup, html};
use postrider::api::connector::ConnectorVariable;

use crate::{
    docs::markdown,
    form::Form,
    ui::{Field, refusal::Problem},
};

/// The API shows this instead of a stored value, and keeps the value when it gets this.
pub(super) const MASK: &str = "***";

/// Rows to add variables.
const EMPTY_ROWS: usize = 2;

/// More rows than there can be variables.
const MAX_ROWS: usize = 200;

/// The names and values of a form, without rows that are empty.
pub(super) fn rows(form: &Form) -> Vec<(String, String)> {
    let row = |index: usize| {
        let name = form.raw(&name_field(index))?.trim().to_owned();
        let value = form.raw(&value_field(index)).unwrap_or_default().to_owned();
        Some((name, value))
    };
    let filled = |it: &(String, String)| !it.0.is_empty() || !it.1.is_empty();
    (0..MAX_ROWS).map_while(row).filter(filled).collect()
}

/// The fields of a form with these variables.
pub(super) fn fields(variables: &[(String, String)]) -> Vec<(String, String)> {
    let row = |(index, (name, value)): (usize, &(String, String))| {
        [(name_field(index), name.clone()), (value_field(index), value.clone())]
    };
    variables.iter().enumerate().flat_map(row).collect()
}

/// The variables that a form defines. One without a value is none.
pub(super) fn of_form(form: &Form) -> Result<BTreeMap<String, String>, Problem> {
    let mut variables = BTreeMap::new();
    for (name, value) in rows(form) {
        if name.is_empty() {
            return Err(("variables", "A value has no name.".to_owned()));
        }
        if value.is_empty() {
            continue;
        }
        if variables.insert(name.clone(), value).is_some() {
            return Err(("variables", format!("The name {name} is used twice.")));
        }
    }
    Ok(variables)
}

/// The names that code reads from `env`, in their order: of `env.NAME`, `env["NAME"]` and
/// `function(env, "NAME")`.
pub(super) fn used(code: &str) -> Vec<String> {
    let mut names = Vec::<String>::new();
    for name in code.split("env").skip(1).filter_map(name_at) {
        if !names.iter().any(|it| it == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The name at the beginning of what follows `env`.
fn name_at(rest: &str) -> Option<&str> {
    let rest = match rest.strip_prefix('.') {
        Some(rest) => rest,
        None => rest.strip_prefix(['[', ','])?.trim_start().strip_prefix(['"', '\''])?,
    };
    let is_part = |mark: char| mark.is_ascii_alphanumeric() || mark == '_' || mark == '$';
    let end = rest.find(|mark| !is_part(mark)).unwrap_or(rest.len());
    rest.get(..end).filter(|it| !it.is_empty())
}

/// The rows, and some more to add variables. `known` describes those of a connector.
pub(super) fn markup(form: &Form, problem: Option<&str>, known: &[ConnectorVariable]) -> Markup {
    let rows = rows(form);
    let count = rows.len() + EMPTY_ROWS;
    html! {
        fieldset.variables aria-describedby="variables-hint" {
            legend { "Variables" }
            p.hint #variables-hint {
                "The code reads them from " code { "webhook.env" } ". Values are stored encrypted and not shown again. Clear a value to remove its variable."
            }
            @if let Some(problem) = problem { p.problem { (problem) } }
            @for index in 0..count {
                @let (name, value) = rows.get(index).map_or(("", ""), |it| (it.0.as_str(), it.1.as_str()));
                (row(index, name, value, known.iter().find(|it| it.name == name)))
            }
        }
    }
}

fn row(index: usize, name: &str, value: &str, known: Option<&ConnectorVariable>) -> Markup {
    let (name_field, value_field) = (name_field(index), value_field(index));
    let number = index + 1;
    let (name_label, value_label) = (format!("Name {number}"), format!("Value {number}"));
    let value = Field::new(&value_field, &value_label).kind("password").value(value);
    html! {
        div.two {
            (Field::new(&name_field, &name_label).code(1).value(name).line())
            @match known {
                Some(known) => (value.hint(html! { @if known.required { "Required. " } (markdown::inline(&known.description)) }).line()),
                None => (value.line()),
            }
        }
    }
}

fn name_field(index: usize) -> String {
    format!("variable-name-{index}")
}

fn value_field(index: usize) -> String {
    format!("variable-value-{index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(rows: &[(&str, &str)]) -> Form {
        let rows: Vec<_> =
            rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let fields = fields(&rows);
        Form::filled(fields.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }

    #[track_caller]
    fn check(rows: &[(&str, &str)], expected: Result<&[(&str, &str)], &str>) {
        let found = of_form(&form(rows)).map_err(|problem| problem.1);
        let expected = expected
            .map(|it| it.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
            .map_err(ToOwned::to_owned);
        assert_eq!(found, expected, "{rows:?}");
    }

    #[test]
    fn rows_become_variables() {
        check(&[], Ok(&[]));
        check(&[("", ""), (" KEY ", " a b"), ("OLD", MASK)], Ok(&[("KEY", " a b"), ("OLD", MASK)]));
        check(&[("GONE", "")], Ok(&[]));
        check(&[("", "x")], Err("A value has no name."));
        check(&[("A", "1"), ("A", "2")], Err("The name A is used twice."));
    }

    #[test]
    fn names_are_found_in_code() {
        for (code, expected) in [
            ("", ""),
            ("webhook.env.KEY + webhook.env.KEY", "KEY"),
            ("const env = webhook.env; return env.A_1+env.b", "A_1 b"),
            ("webhook.env[name] ; env. environment, \"A\"", ""),
            ("env['A'], required(env, \"B\")", "A B"),
        ] {
            assert_eq!(used(code).join(" "), expected, "{code}");
        }
    }
}
