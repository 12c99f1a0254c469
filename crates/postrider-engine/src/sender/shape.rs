//! Runs the transformation of an endpoint before a delivery.

use std::sync::Arc;

use bytes::Bytes;
use postrider::{ApplicationId, api::EndpointKind};
use postrider_core::{
    delivery::{MAX_TRANSFORMED_BODY, Transformed, TransformedRequest},
    kind::{Destination, MASK},
    message::{Format, Message},
    outcome::Failure,
    own_urls::UrlRules,
    request::is_sensitive,
    target::Target,
    transformation::{
        Form, Script, Shaped, ShapedRequest,
        argument::{self, READ_ONLY},
        result,
    },
};
use postrider_sandbox::{Run, RunError, Sandbox};
use url::Url;

use super::{call::Call, report::Report};

pub(super) const UNAVAILABLE: &str = "this server does not run transformations; set `transformations.enabled`, or disable the \
     endpoint's transformation";

/// Runs transformations; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shaper {
    sandbox: Sandbox,
    rules: Arc<UrlRules>,
}

/// Why a transformation made nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// What is wrong, with line and column of the code if it threw an error.
    pub message: String,
    /// The code is not at fault: nothing was free to run it.
    pub is_temporary: bool,
    /// What the code had written to the console.
    pub console: String,
}

/// What a transformation made of a message, and what it wrote to the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub shaped: Shaped,
    pub console: String,
}

/// A delivery as its transformation made it.
#[derive(Debug)]
struct ShapedCall {
    pub call: Call,
    /// The URL, if it is not that of the endpoint.
    pub url: Option<String>,
    /// What is stored with the attempt.
    pub record: Transformed,
}

impl Shaper {
    pub fn new(sandbox: Sandbox, rules: UrlRules) -> Self {
        Self { sandbox, rules: Arc::new(rules) }
    }

    /// What the processes that run code have done.
    pub fn counts(&self) -> postrider_sandbox::SandboxCounts {
        self.sandbox.counts()
    }

    /// Whether the code compiles and defines `handler`.
    pub async fn check(&self, code: &str) -> Result<(), ShapeError> {
        let script = postrider_sandbox::Script::new(code);
        self.sandbox.check(script).await.map_err(failed)
    }

    /// Runs a script on messages to an endpoint of the kind with the URL, and sends nothing. A script
    /// that takes no batches gets the first message.
    pub async fn make(
        &self,
        owner: ApplicationId,
        script: &Script,
        kind: EndpointKind,
        (messages, url): (&[&Message], &str),
    ) -> Result<Made, ShapeError> {
        let argument = argument_of(script, messages, url)?;
        let run = Run {
            owner: owner.as_u128(),
            script: postrider_sandbox::Script::new(Arc::clone(&script.code)),
            argument: Bytes::from(argument),
            read_only: READ_ONLY,
        };
        let returned = self.sandbox.run(run).await.map_err(failed)?;
        let console = returned.console;
        let read = result::read(script.form, kind, &returned.value);
        let checked = read.map_err(|error| error.to_string()).and_then(|it| self.checked(it));
        match checked {
            Ok(shaped) => Ok(Made { shaped, console }),
            Err(message) => Err(ShapeError { message, is_temporary: false, console }),
        }
    }

    /// What was made, if its URL may be called.
    fn checked(&self, shaped: Shaped) -> Result<Shaped, String> {
        if let Shaped::Request(ShapedRequest { url: Some(url), .. }) = &shaped {
            self.rules.check(url).map_err(|error| format!("`url`: {error}"))?;
        }
        Ok(shaped)
    }

    /// Delivers what the endpoint's transformation makes of the message, and reports what that was.
    pub async fn deliver<F>(&self, call: Call, send: impl FnOnce(Call) -> F) -> Report
    where
        F: Future<Output = Report>,
    {
        match self.shape(call).await {
            Ok(ShapedCall { call, url, record }) => {
                let report = send(call).await;
                let url = url.or(report.url);
                Report { url, response: report.response.transformed(&record), ..report }
            },
            Err(report) => *report,
        }
    }

    /// The delivery as the endpoint's transformation makes it, or the report of the attempt if
    /// nothing is to be sent.
    async fn shape(&self, call: Call) -> Result<ShapedCall, Box<Report>> {
        let Call { target, message, batch, body, .. } = &call;
        let Some(script) = &target.script else {
            let record = Transformed::default();
            return Ok(ShapedCall { call, url: None, record });
        };
        let (kind, url) = (target.destination.kind(), target.destination.address());
        let messages: Vec<&Message>;
        let whole;
        if batch.is_empty() {
            messages = vec![message];
        } else if script.form == Form::Batch {
            messages = batch.iter().map(|it| &**it).collect();
        } else {
            // What takes one webhook gets the batch as its payload.
            let (body, format) = (Some(body.clone()), Format::Json);
            whole = Message { body, format, ..(**message).clone() };
            messages = vec![&whole];
        }
        let made = self.make(target.application, script, kind, (&messages, &url)).await;
        let Made { shaped, console } = made.map_err(|error| Box::new(error.report()))?;
        match shaped {
            Shaped::Cancelled => Err(Box::new(cancelled(console))),
            Shaped::Request(request) => apply(call, &request, url, console),
        }
    }
}

fn argument_of(script: &Script, messages: &[&Message], url: &str) -> Result<Vec<u8>, ShapeError> {
    let Script { form, variables, .. } = script;
    argument::argument(*form, messages, url, variables).map_err(|error| ShapeError {
        message: error.to_string(),
        is_temporary: false,
        console: String::new(),
    })
}

impl ShapeError {
    fn report(self) -> Report {
        let record = Transformed { console: self.console, ..Transformed::default() };
        let report = Report::failed(Failure::Transformation, self.message);
        Report { response: report.response.transformed(&record), ..report }
    }
}

fn cancelled(console: String) -> Report {
    let record = Transformed { request: None, is_cancelled: true, console };
    let report = Report::delivered("cancelled by the transformation; nothing was sent");
    Report { response: report.response.transformed(&record), ..report }
}

fn failed(error: RunError) -> ShapeError {
    let place = match (error.line, error.column) {
        (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
        (Some(line), None) => format!(" (line {line})"),
        (None, _) => String::new(),
    };
    ShapeError {
        message: format!("{}{place}", error.message),
        is_temporary: !error.kind.is_fault_of_script(),
        console: error.console,
    }
}

/// The delivery with what the transformation changed.
fn apply(
    call: Call,
    request: &ShapedRequest,
    old_url: String,
    console: String,
) -> Result<ShapedCall, Box<Report>> {
    let url = request.url.clone().unwrap_or(old_url);
    let record = Transformed { request: Some(record(request, &url)), is_cancelled: false, console };
    let body = request.body.clone();
    let Some(prepared) = call.target.http() else {
        return Ok(ShapedCall { call: Call { body, ..call }, url: None, record });
    };
    let internal = |error: &dyn std::error::Error| {
        Box::new(Report::failed(Failure::Transformation, format!("`url`: {error}")))
    };
    let parsed = Url::parse(&url).map_err(|error| internal(&error))?;
    let transformed = prepared.transformed(request, &parsed).map_err(|error| internal(&error))?;
    let Target { application, endpoint, is_shadow, .. } = *call.target;
    let destination = Destination::Http(Box::new(transformed));
    let target = Target { application, endpoint, destination, script: None, is_shadow };
    let target = Arc::new(target);
    let url = (parsed != prepared.url).then(|| parsed.into());
    Ok(ShapedCall { call: Call { target, body, ..call }, url, record })
}

fn record(request: &ShapedRequest, url: &str) -> TransformedRequest {
    let shown = |name: &http::HeaderName, value: &http::HeaderValue| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if is_sensitive(name.as_str()) { MASK.to_owned() } else { value }
    };
    let start = request.body.get(..MAX_TRANSFORMED_BODY).unwrap_or(&request.body);
    TransformedRequest {
        method: request.method.to_string(),
        url: url.to_owned(),
        headers: request
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), shown(name, value)))
            .collect(),
        body: String::from_utf8_lossy(start).into_owned(),
        is_truncated: start.len() < request.body.len(),
        is_json: request.is_json,
    }
}
