//! Tokens for the readers of a live endpoint.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::live::{LiveTokenIn, LiveTokenOut};

use super::subject::{Subject, Tab};
use crate::{
    api::ApiFailure,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult},
    ui::{self, Field, code},
};

/// How long tokens are valid, in seconds, and how it is shown.
const VALIDITIES: [(&str, &str); 3] =
    [("3600", "1 hour"), ("86400", "1 day"), ("604800", "7 days")];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    Ok(show(&context, &subject, &Form::default(), None, None))
}

/// Creates a token, and shows it.
pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    let names = |field: &str| Some(form.words(field)).filter(|it| !it.is_empty());
    let body = LiveTokenIn {
        expires_in: form.text("expiresIn").and_then(|it| it.parse().ok()),
        channels: names("channels"),
        event_types: names("eventTypes"),
    };
    match context.api.post::<LiveTokenOut>(subject.api(&["live-token"]), &body).await {
        Ok(token) => Ok(Outcome::page(show(&context, &subject, &form, Some(&token), None))),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(show(&context, &subject, &form, None, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn show(
    context: &Context,
    subject: &Subject,
    form: &Form,
    token: Option<&LiveTokenOut>,
    failure: Option<&ApiFailure>,
) -> Page {
    let fields = html! {
        (ui::form::problems(failure, &["expiresIn", "channels", "eventTypes"]))
        (Field::new("expiresIn", "Valid for").sent(form, failure, "expiresIn").select(&VALIDITIES))
        (Field::new("channels", "Channels").placeholder("customer-17").sent(form, failure, "channels")
            .hint(html! { "Only messages with at least one of these. Empty for all." }).line())
        (Field::new("eventTypes", "Event types").placeholder("order.created").sent(form, failure, "eventTypes")
            .hint(html! { "Only messages of these types. Empty for all." }).line())
        (ui::submit(context, "Create token", None))
    };
    let path = subject.path(context, &["readers"]);
    subject.page(context, Tab::Readers).part(html! {
        div.try-out {
            (ui::form(context, &path, &fields))
            div.stack {
                @match token {
                    Some(token) => (created(context, token)),
                    None => (ui::empty("Readers need a token", &html! {
                        p { "A token is for this endpoint only, and the API does not accept it, so it can be given to a web page." }
                        p { "Your own server usually creates the tokens with the API. Create one here to try the stream." }
                    })),
                }
            }
        }
    })
}

fn created(context: &Context, token: &LiveTokenOut) -> Markup {
    html! {
        section.card aria-label="Token" {
            h2 { "Read the stream" }
            p.soft { "The token expires " (ui::time(context, token.expires_at)) ". It is not shown again." }
            (code::block("In a page", &format!("const stream = new EventSource(\"{}\");\nstream.onmessage = ({{ data }}) => console.log(JSON.parse(data));", token.url)))
            (code::block("curl", &format!("curl -N '{}'", token.url)))
            (code::block("Token", &token.token))
        }
    }
}
