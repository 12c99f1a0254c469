//! Fields of forms.

use maud::{Markup, html};

use crate::{api::ApiFailure, form::Form};

/// A field of a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field<'a> {
    name: &'a str,
    label: &'a str,
    hint: Option<Markup>,
    value: String,
    problem: Option<String>,
    placeholder: Option<&'a str>,
    is_required: bool,
    is_checked: bool,
    is_code: bool,
    kind: Option<&'a str>,
    list: Option<&'a str>,
    rows: usize,
}

impl<'a> Field<'a> {
    pub(crate) fn new(name: &'a str, label: &'a str) -> Self {
        Self { name, label, rows: 4, ..Self::default() }
    }

    /// An explanation below the label.
    #[must_use]
    pub(crate) fn hint(self, hint: Markup) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// What the field contains at first, or contained when it was sent.
    #[must_use]
    pub(crate) fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    /// What the form contained when it was sent, and what the API said about the field. `path` is
    /// its place in the body of the request.
    #[must_use]
    pub(crate) fn sent(self, form: &Form, failure: Option<&ApiFailure>, path: &str) -> Self {
        let value = form.raw(self.name).map(ToOwned::to_owned);
        let problem = failure.and_then(|it| it.of_field(path));
        let is_checked = self.is_checked || form.has(self.name);
        Self { value: value.unwrap_or(self.value), problem, is_checked, ..self }
    }

    #[must_use]
    pub(crate) fn problem(self, problem: Option<String>) -> Self {
        Self { problem, ..self }
    }

    #[must_use]
    pub(crate) fn placeholder(self, placeholder: &'a str) -> Self {
        Self { placeholder: Some(placeholder), ..self }
    }

    #[must_use]
    pub(crate) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    #[must_use]
    pub(crate) fn checked(self, is_checked: bool) -> Self {
        Self { is_checked, ..self }
    }

    /// The text is code.
    #[must_use]
    pub(crate) fn code(self, rows: usize) -> Self {
        Self { is_code: true, rows, ..self }
    }

    /// The type of the input, such as `url` or `password`.
    #[must_use]
    pub(crate) fn kind(self, kind: &'a str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// The id of a `datalist` with suggestions.
    #[must_use]
    pub(crate) fn list(self, list: &'a str) -> Self {
        Self { list: Some(list), ..self }
    }

    /// A line of text.
    pub(crate) fn line(&self) -> Markup {
        self.around(&html! {
            input.code[self.is_code] id=(self.id()) name=(self.name) type=(self.kind.unwrap_or("text"))
                value=(self.value) placeholder=[self.placeholder] list=[self.list]
                required[self.is_required] aria-invalid=[self.invalid()]
                aria-describedby=[self.described_by()] autocomplete="off" spellcheck="false";
        })
    }

    /// Several lines of text.
    pub(crate) fn area(&self) -> Markup {
        self.around(&html! {
            textarea.code[self.is_code] id=(self.id()) name=(self.name) rows=(self.rows)
                placeholder=[self.placeholder] required[self.is_required]
                aria-invalid=[self.invalid()] aria-describedby=[self.described_by()]
                spellcheck="false" {
                // The parser drops the first line break of a text area.
                "\n" (self.value)
            }
        })
    }

    /// One of several values: what is sent, and what is shown.
    pub(crate) fn select(&self, options: &[(&str, &str)]) -> Markup {
        self.around(&html! {
            select id=(self.id()) name=(self.name) required[self.is_required]
                aria-invalid=[self.invalid()] aria-describedby=[self.described_by()] {
                @for (value, label) in options {
                    option value=(value) selected[*value == self.value] { (label) }
                }
            }
        })
    }

    /// A checkbox; it sends `on`.
    pub(crate) fn checkbox(&self) -> Markup {
        html! {
            div.field.check {
                input type="checkbox" id=(self.id()) name=(self.name) checked[self.is_checked]
                    aria-describedby=[self.described_by()];
                label for=(self.id()) { (self.label) }
                (self.notes())
            }
        }
    }

    fn around(&self, control: &Markup) -> Markup {
        html! {
            div.field {
                label for=(self.id()) {
                    (self.label)
                    @if self.is_required { span.required aria-hidden="true" { " *" } }
                }
                (control)
                (self.notes())
            }
        }
    }

    fn notes(&self) -> Markup {
        html! {
            @if let Some(problem) = &self.problem {
                p.problem id={ (self.id()) "-problem" } { (problem) }
            }
            @if let Some(hint) = &self.hint {
                p.hint id={ (self.id()) "-hint" } { (hint) }
            }
        }
    }

    fn id(&self) -> String {
        format!("field-{}", self.name)
    }

    fn invalid(&self) -> Option<&'static str> {
        self.problem.is_some().then_some("true")
    }

    fn described_by(&self) -> Option<String> {
        let problem = self.problem.is_some().then(|| format!("{}-problem", self.id()));
        let hint = self.hint.is_some().then(|| format!("{}-hint", self.id()));
        let ids: Vec<_> = problem.into_iter().chain(hint).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}
