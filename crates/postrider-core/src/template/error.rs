//! Why a template has no text.

use minijinja::ErrorKind;

use crate::outcome::Failure;

/// Why a template is not valid, or could not be rendered for a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TemplateError {
    reason: String,
    /// It fails for every message.
    is_permanent: bool,
}

impl TemplateError {
    /// It fails for every message.
    pub(super) const fn of_template(reason: String) -> Self {
        Self { reason, is_permanent: true }
    }

    pub(super) fn of_message(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_permanent: false }
    }

    /// The failure of a delivery that cannot be made because of this.
    pub const fn failure(&self) -> Failure {
        if self.is_permanent { Failure::Misconfigured } else { Failure::Rejected }
    }
}

/// Why a template has no text for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    pub failure: Failure,
    pub reason: String,
}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        let is_permanent = matches!(
            error.kind(),
            ErrorKind::UnknownFilter
                | ErrorKind::UnknownFunction
                | ErrorKind::UnknownTest
                | ErrorKind::TemplateNotFound
                | ErrorKind::SyntaxError
        );
        let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        let reason = format!("template error{line}: {}{detail}", error.kind());
        Self { reason, is_permanent }
    }
}
