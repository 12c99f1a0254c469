//! Testing an endpoint: an example is sent, and the response is shown.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{EndpointTestIn, EndpointTestOut, EventExampleIn, EventTypeOut, MessageOut};
use serde_json::value::RawValue;

use super::{
    event_types,
    subject::{Subject, Tab},
};
use crate::{
    api::ApiFailure,
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    ui::{self, Field, Icon, badge, code, icon, sentence},
};

/// The event type of tests, unless another is chosen.
const PING: &str = "svix.ping";

/// The buttons besides the first.
const CHECK: &str = "check";
const PUBLISH: &str = "publish";

/// What was done, and what came of it.
enum Tried<'a> {
    Nothing,
    Refused(&'a ApiFailure),
    Payload(String),
    Tested(&'a EndpointTestOut),
    Checked(&'a EndpointTestOut),
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    show(&context, &subject, &Form::default(), &Tried::Nothing).await
}

/// Does what the pressed button says.
pub(super) async fn act(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    match form.text("do") {
        Some(CHECK) => check(&context, &subject, &form).await,
        Some(PUBLISH) => publish(&context, &subject, &form).await,
        Some(_) | None => test(&context, &subject, &form).await,
    }
}

/// Delivers a test message, which is not stored.
async fn test(context: &Context, subject: &Subject, form: &Form) -> ActionResult {
    let payload = match payload(form) {
        Ok(payload) => payload,
        Err(problem) => return refuse(context, subject, form, &Tried::Payload(problem)).await,
    };
    let body =
        EndpointTestIn { event_type: form.text("eventType").map(ToOwned::to_owned), payload };
    match context.api.post::<EndpointTestOut>(subject.api(&["test"]), &body).await {
        Ok(result) => {
            let page = show(context, subject, form, &Tried::Tested(&result)).await?;
            Ok(Outcome::page(page))
        },
        Err(error) => failed(context, subject, form, error).await,
    }
}

/// Connects without delivering anything.
async fn check(context: &Context, subject: &Subject, form: &Form) -> ActionResult {
    let body = serde_json::json!({});
    match context.api.post::<EndpointTestOut>(subject.api(&["check"]), &body).await {
        Ok(result) => {
            let page = show(context, subject, form, &Tried::Checked(&result)).await?;
            Ok(Outcome::page(page))
        },
        Err(error) => failed(context, subject, form, error).await,
    }
}

/// Publishes an example as a message for this endpoint only.
async fn publish(context: &Context, subject: &Subject, form: &Form) -> ActionResult {
    let payload = match payload(form) {
        Ok(payload) => payload,
        Err(problem) => return refuse(context, subject, form, &Tried::Payload(problem)).await,
    };
    let event_type = form.text("eventType").unwrap_or(PING).to_owned();
    let body = EventExampleIn { event_type, payload, example_index: None };
    match context.api.post::<MessageOut>(subject.api(&["send-example"]), &body).await {
        Ok(message) => {
            let path = context.app_path(&subject.app, &["messages", &message.id.to_string()]);
            Ok(Outcome::done(path, "The example has been sent, to this endpoint only."))
        },
        Err(error) => failed(context, subject, form, error).await,
    }
}

async fn failed(
    context: &Context,
    subject: &Subject,
    form: &Form,
    error: ApiFailure,
) -> ActionResult {
    if error.is_input() {
        return refuse(context, subject, form, &Tried::Refused(&error)).await;
    }
    Err(error.into())
}

async fn refuse(
    context: &Context,
    subject: &Subject,
    form: &Form,
    tried: &Tried<'_>,
) -> ActionResult {
    Ok(Outcome::again(show(context, subject, form, tried).await?))
}

/// The payload that was entered, or what is wrong with it.
fn payload(form: &Form) -> Result<Option<Box<RawValue>>, String> {
    let Some(text) = form.text("payload") else { return Ok(None) };
    let parsed = serde_json::from_str::<&RawValue>(text);
    parsed.map(|it| Some(it.to_owned())).map_err(|error| format!("This is not JSON: {error}."))
}

async fn show(
    context: &Context,
    subject: &Subject,
    form: &Form,
    tried: &Tried<'_>,
) -> Result<Page, Failure> {
    let types = event_types::read(context).await?;
    let page = subject.page(context, Tab::Test);
    Ok(page.part(html! {
        div.try-out {
            (ui::form(context, &subject.path(context, &["test"]), &fields(subject, form, tried, &types)))
            div.stack role="region" aria-label="Result" {
                @match tried {
                    Tried::Tested(it) => (result(it, true)),
                    Tried::Checked(it) => (result(it, false)),
                    Tried::Nothing | Tried::Refused(_) | Tried::Payload(_) => (advice(subject)),
                }
            }
        }
    }))
}

fn fields(subject: &Subject, form: &Form, tried: &Tried<'_>, types: &[EventTypeOut]) -> Markup {
    let failure = match tried {
        Tried::Refused(error) => Some(*error),
        Tried::Nothing | Tried::Payload(_) | Tried::Tested(_) | Tried::Checked(_) => None,
    };
    let problem = match tried {
        Tried::Payload(problem) => Some(problem.clone()),
        Tried::Nothing | Tried::Refused(_) | Tried::Tested(_) | Tried::Checked(_) => {
            failure.and_then(|it| it.of_field("payload"))
        },
    };
    let names = types.iter().map(|it| it.name.as_str()).filter(|it| *it != PING);
    let options: Vec<_> = [PING].into_iter().chain(names).map(|it| (it, it)).collect();
    html! {
        (ui::form::problems(failure, &["eventType", "payload"]))
        (Field::new("eventType", "Event type").sent(form, failure, "eventType").select(&options))
        (Field::new("payload", "Payload").code(10).placeholder("{\n  \"id\": 1\n}").sent(form, failure, "payload").problem(problem)
            .hint(html! { "A JSON object. Empty for the example of the event type." }).area())
        div.buttons {
            button type="submit" { (icon(Icon::Send)) "Send test" }
            button.secondary type="submit" name="do" value=(CHECK) { "Check connection" }
            @if !subject.endpoint.disabled {
                button.secondary type="submit" name="do" value=(PUBLISH) { "Send as message" }
            }
        }
    }
}

/// What the buttons do.
fn advice(subject: &Subject) -> Markup {
    html! {
        (ui::empty("No test yet", &html! {
            dl.stack {
                div { dt { strong { "Send test" } } dd { "Delivers once, now, even if the endpoint is disabled, and shows the response. Nothing is stored or retried." } }
                div { dt { strong { "Check connection" } } dd { "Connects to " code { (subject.title()) } " without delivering a message." } }
                @if !subject.endpoint.disabled {
                    div { dt { strong { "Send as message" } } dd { "Publishes a message for this endpoint only. It is stored, retried, and listed with its attempts." } }
                }
            }
        }))
    }
}

fn result(result: &EndpointTestOut, is_delivery: bool) -> Markup {
    let (tone, shape) =
        if result.success { (Tone::Good, Icon::Check) } else { (Tone::Bad, Icon::Cross) };
    let word = match (result.success, is_delivery) {
        (true, true) => "Delivered",
        (true, false) => "Reachable",
        (false, true) => "Not delivered",
        (false, false) => "Not reachable",
    };
    html! {
        section.card aria-label="Result" {
            div.section-head {
                h2 { @if is_delivery { "Response" } @else { "Connection" } }
                (badge(tone, shape, word))
            }
            (ui::facts(&[
                ("Status", html! { @match result.response_status_code { Some(code) => (code), None => span.soft { "No HTTP response" } } }),
                ("Duration", html! { (ui::millis(result.duration_ms)) }),
                ("Address", html! { @match &result.address { Some(it) => code { (it) }, None => span.soft { "Not called" } } }),
            ]))
            @if !result.detail.is_empty() { p { (sentence(&result.detail)) } }
            @if let Some(remedy) = &result.remedy {
                (ui::notice(Tone::Warning, &html! { strong { "What to do: " } (remedy) "." }))
            }
            @if let Some(note) = &result.response_note { p.soft { (sentence(note)) } }
            @if let Some(headers) = &result.response_headers { (response_headers(headers)) }
            @match result.response.as_deref() {
                Some("") => p.soft { "The response has no body." },
                Some(body) => (code::json("Body", body, None)),
                None => {},
            }
        }
    }
}

fn response_headers(headers: &[(String, String)]) -> Markup {
    html! {
        details {
            summary { (ui::plural(headers.len() as u64, "header")) }
            dl.header-list {
                @for (name, value) in headers { div { dt { code { (name) } } dd { code { (value) } } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_json_or_absent() {
        let form = |text: &str| Form::filled([("payload", text.to_owned())]);
        assert!(payload(&form(" ")).unwrap().is_none());
        assert_eq!(payload(&form("{\"a\": 1.0}")).unwrap().unwrap().get(), "{\"a\": 1.0}");
        assert!(payload(&form("{a}")).unwrap_err().starts_with("This is not JSON: "));
    }
}
