//! Checks a payload on its way in, counts the result, and reports what does not match.

use postrider::{EventTypeName, MessageId, OrganizationId, SourceId, api::SchemaValidation};
use postrider_core::{json_schema::PayloadProblem, schema_report::Mismatch, time::Timestamp};
use postrider_engine::Engine;

use super::{Schemas, problems};
use crate::{api::error::ApiError, metrics::SchemaResult};

/// A payload on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IncomingPayload<'a> {
    pub(crate) organization: &'a OrganizationId,
    pub(crate) event_type: &'a EventTypeName,
    /// The application, as the request names it.
    pub(crate) application: &'a str,
    /// The source that received it; `None` if it is published.
    pub(crate) source: Option<SourceId>,
    pub(crate) event_id: Option<&'a str>,
    /// The message, if it is stored already.
    pub(crate) message: Option<MessageId>,
    pub(crate) json: &'a str,
    pub(crate) at: Timestamp,
}

impl IncomingPayload<'_> {
    fn mismatch(&self, is_rejected: bool, problems: Vec<PayloadProblem>) -> Mismatch {
        Mismatch {
            at: self.at,
            application: self.application.to_owned(),
            source: self.source,
            event_id: self.event_id.map(str::to_owned),
            message: self.message,
            is_rejected,
            problems,
        }
    }
}

impl Schemas {
    /// Checks a payload. Returns where it does not match, if it is to be refused for that. A message
    /// that is stored already is never refused.
    pub(crate) async fn inspect(
        &self,
        engine: &Engine,
        payload: IncomingPayload<'_>,
        validation: SchemaValidation,
    ) -> Result<Vec<PayloadProblem>, ApiError> {
        let IncomingPayload { organization, event_type, json, at, message, .. } = payload;
        let schema = self.newest(engine, organization, event_type).await?;
        let Some(found) = self.check(&schema, json).await? else {
            if schema.error().is_some() {
                self.count(SchemaResult::Unusable);
            }
            return Ok(Vec::new());
        };
        let key = (organization.clone(), event_type.clone());
        let problems = problems(found);
        if problems.is_empty() {
            self.count(SchemaResult::Valid);
            self.reports.add_valid(key, at);
            return Ok(problems);
        }
        let is_rejected = validation == SchemaValidation::Reject && message.is_none();
        self.count(if is_rejected { SchemaResult::Rejected } else { SchemaResult::Warned });
        let refused = if is_rejected { problems.clone() } else { Vec::new() };
        self.reports.add(key, payload.mismatch(is_rejected, problems));
        Ok(refused)
    }
}
