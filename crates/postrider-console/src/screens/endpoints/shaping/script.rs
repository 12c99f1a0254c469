//! Tries a transformation, or saves it.

use std::{collections::BTreeMap, sync::Arc};

use http::{Method, StatusCode};
use postrider::api::{connector::ConnectorOut, transformation::TransformationSimulateOut};
use serde_json::{Value, json};

use super::{
    super::subject::Subject,
    filter_form,
    sample::{self, Sample},
    script_form,
    trial::Tried,
    variables,
    view::{Sent, show},
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome},
    ui::refusal::Refusal,
    viewer::Action,
};

/// Does what the pressed button says.
pub(in super::super) async fn change(context: Arc<Context>, form: Form) -> ActionResult {
    context.require(Action::ManageTransformations)?;
    let subject = Subject::read(&context).await?;
    let script = Script { context: &context, subject: &subject, form: &form };
    if form.text("do") == Some("save") { script.save().await } else { script.attempt().await }
}

struct Script<'a> {
    context: &'a Context,
    subject: &'a Subject,
    form: &'a Form,
}

impl Script<'_> {
    async fn attempt(&self) -> ActionResult {
        let tried = self.run().await?;
        let page = show(self.context, self.subject, &Sent::Script(self.form, &tried)).await?;
        Ok(if tried.output.is_some() { Outcome::page(page) } else { Outcome::again(page) })
    }

    /// Saves code that runs, and other code only on request.
    async fn save(&self) -> ActionResult {
        if !self.code().is_empty() && !self.form.has("anyway") {
            let tried = self.run().await?;
            if tried.output.is_none() {
                return self.again(&tried).await;
            }
        }
        let variables = match variables::of_form(self.form) {
            Ok(variables) => variables,
            Err(problem) => return self.refuse(problem.into()).await,
        };
        let body = self.body(variables).await?;
        let path = self.subject.api(&["transformation"]);
        match self.context.api.send::<()>(Method::PATCH, path, &body).await {
            Ok(()) => self.done().await,
            Err(error) if can_be_corrected(&error) => self.refuse(error.into()).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn done(&self) -> ActionResult {
        let text = match (self.code().is_empty(), self.form.has("enabled")) {
            (true, _) => "The endpoint has no transformation now.",
            (false, true) => "The transformation has been saved. The next attempts use it.",
            (false, false) => {
                "The transformation has been saved. It is switched off: messages are sent unchanged."
            },
        };
        if filter_form::is_unsaved(self.subject, self.form) {
            let sent = Sent::ScriptSaved(self.form, text);
            return Ok(Outcome::page(show(self.context, self.subject, &sent).await?));
        }
        Ok(Outcome::done(self.subject.path(self.context, &["filter"]), text))
    }

    async fn refuse(&self, refusal: Refusal) -> ActionResult {
        self.again(&Tried { refusal, ..Tried::default() }).await
    }

    async fn again(&self, tried: &Tried) -> ActionResult {
        let sent = Sent::Script(self.form, tried);
        Ok(Outcome::again(show(self.context, self.subject, &sent).await?))
    }

    /// Runs the code on what the form chooses.
    async fn run(&self) -> Result<Tried, Failure> {
        let refused = |refusal| Tried { refusal, ..Tried::default() };
        let variables = match variables::of_form(self.form) {
            Ok(variables) => variables,
            Err(problem) => return Ok(refused(problem.into())),
        };
        let sample = match sample::chosen(self.context, self.subject, self.form).await? {
            Ok(sample) => sample,
            Err(problem) => return Ok(refused(problem.into())),
        };
        match self.simulate(&sample, variables).await {
            Ok(output) => {
                Ok(Tried { sample: Some(sample), output: Some(output), ..Tried::default() })
            },
            Err(error) if can_be_corrected(&error) => {
                Ok(Tried { sample: Some(sample), refusal: error.into(), output: None })
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn simulate(
        &self,
        sample: &Sample,
        variables: BTreeMap<String, String>,
    ) -> Result<TransformationSimulateOut, ApiFailure> {
        let body = json!({
            "code": self.code(),
            "eventType": sample.event_type,
            "channels": sample.channels,
            "payload": sample.payload,
            "variables": variables,
        });
        self.context.api.post(self.subject.api(&["transformation", "simulate"]), &body).await
    }

    /// The body that changes the transformation.
    async fn body(&self, variables: BTreeMap<String, String>) -> Result<Value, ApiFailure> {
        let enabled = self.form.has("enabled");
        if let Some(connector) = self.unchanged_connector().await? {
            return Ok(
                json!({ "connector": connector, "enabled": enabled, "variables": variables }),
            );
        }
        let code = Some(self.code()).filter(|it| !it.is_empty());
        Ok(json!({ "code": code, "enabled": enabled, "variables": variables }))
    }

    /// The connector whose code is still as it was taken, so that the endpoint refers to it.
    async fn unchanged_connector(&self) -> Result<Option<String>, ApiFailure> {
        let Some(id) = self.form.text("connector") else { return Ok(None) };
        let found: Option<ConnectorOut> = self.context.api.find(v1(&["connector", id])).await?;
        let is_same = found.is_some_and(|it| it.transformation.trim() == self.code());
        Ok(is_same.then(|| id.to_owned()))
    }

    fn code(&self) -> String {
        script_form::code(self.form)
    }
}

/// Whether the form is shown again; servers may also be configured to run no transformations.
fn can_be_corrected(error: &ApiFailure) -> bool {
    error.is_input() || error.status() == StatusCode::NOT_IMPLEMENTED
}
