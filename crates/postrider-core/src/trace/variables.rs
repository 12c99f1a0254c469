//! Values of OpenTelemetry's variables.

use std::time::Duration;

/// A variable with a value that cannot be used. The value is not shown: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{name}` {problem}")]
pub struct VariableProblem {
    pub name: String,
    pub problem: String,
}

impl VariableProblem {
    pub(super) fn new(name: &str, problem: impl Into<String>) -> Self {
        Self { name: name.to_owned(), problem: problem.into() }
    }
}

/// The environment, by name.
pub(super) struct Variables<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// The value, unless it is empty, which means the same as none.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|it| it.eq_ignore_ascii_case("true"))
    }

    /// The value of the variable for traces, or of the one for all signals, and its name.
    pub(super) fn of_traces(&self, option: &str) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_TRACES_{option}"), format!("OTEL_EXPORTER_OTLP_{option}")]
            .into_iter()
            .find_map(|name| self.text(&name).map(|value| (name, value)))
    }

    /// A number of at least 1.
    pub(super) fn count(&self, name: &str, default: usize) -> Result<usize, VariableProblem> {
        let Some(value) = self.text(name) else { return Ok(default) };
        match value.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(VariableProblem::new(name, "must be a number of at least 1")),
        }
    }

    pub(super) fn milliseconds(
        &self,
        name: &str,
        default: Duration,
    ) -> Result<Duration, VariableProblem> {
        self.text(name).map_or(Ok(default), |value| milliseconds(name, &value))
    }
}

/// At most a day, which no one needs and every timer can count.
const MAX_MILLISECONDS: u64 = 24 * 60 * 60 * 1_000;

pub(super) fn milliseconds(name: &str, value: &str) -> Result<Duration, VariableProblem> {
    match value.parse() {
        Ok(count @ 1..=MAX_MILLISECONDS) => Ok(Duration::from_millis(count)),
        _ => Err(VariableProblem::new(name, "must be a number of milliseconds, at least 1")),
    }
}
