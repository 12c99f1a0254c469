//! Why a form is shown again.

use super::field::Field;
use crate::{api::ApiFailure, form::Form};

/// A field, and what is wrong with it.
pub(crate) type Problem = (&'static str, String);

/// Why a form is shown again; nothing at first.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// A problem that is found before the API is called, such as a number that is none.
    problem: Option<Problem>,
    pub(crate) failure: Option<ApiFailure>,
}

impl Refusal {
    /// A field with what was sent, and with its problem. `path` is its place in the body of the
    /// request.
    pub(crate) fn field<'a>(
        &self,
        sent: &Form,
        name: &'a str,
        label: &'a str,
        path: &str,
    ) -> Field<'a> {
        let field = Field::new(name, label).sent(sent, self.failure.as_ref(), path);
        match &self.problem {
            Some((of, problem)) if *of == name => field.problem(Some(problem.clone())),
            Some(_) | None => field,
        }
    }
}

impl Refusal {
    /// What is wrong with something that several fields make up.
    pub(crate) fn problem(&self, name: &str, path: &str) -> Option<String> {
        let own = self.problem.as_ref().filter(|it| it.0 == name).map(|it| it.1.clone());
        own.or_else(|| self.failure.as_ref()?.of_field(path))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Some(problem), failure: None }
    }
}

impl From<ApiFailure> for Refusal {
    fn from(failure: ApiFailure) -> Self {
        Self { problem: None, failure: Some(failure) }
    }
}
