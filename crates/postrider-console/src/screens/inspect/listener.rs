//! Streams the requests that arrive at the URL of a page. The page sends a form rather than opening
//! an `EventSource`, so that the secret is not in a URL.

use std::{convert::Infallible, sync::Arc};

use axum::{body::Body, response::IntoResponse};
use futures_util::StreamExt;
use http::{StatusCode, header};
use postrider::{
    listen::ServerMessage,
    provider::{self, Settings},
};
use serde_json::json;

use super::{
    events::{Event, EventReader},
    key::key,
    request::{Verifier, shown},
};
use crate::{
    api::{ApiPath, v1},
    context::Context,
    form::Form,
    live,
    page::{ActionResult, Outcome},
    ui,
};

pub(super) async fn listen(context: Arc<Context>, form: Form) -> ActionResult {
    match context.api.stream(path(&context, &form), None).await {
        Ok(body) => {
            let stream =
                Stream { verifier: verifier(&form), reader: EventReader::default(), context };
            Ok(Outcome::Response(Box::new(stream.response(body))))
        },
        Err(error) if error.is_input() || error.status() == StatusCode::NOT_FOUND => {
            let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            let response = (error.status(), headers, error.to_string()).into_response();
            Ok(Outcome::Response(Box::new(response)))
        },
        Err(error) => Err(error.into()),
    }
}

fn path(context: &Context, form: &Form) -> ApiPath {
    let session = form.text("session").unwrap_or("1");
    v1(&["listen", "requests"])
        .with("key", key(context, session))
        .and("status", form.text("status"))
        .and("content_type", form.text("content_type"))
        .and("body", form.raw("body").filter(|it| !it.is_empty()))
}

fn verifier(form: &Form) -> Verifier {
    Verifier {
        provider: form.text("provider").and_then(provider::find),
        settings: Settings::new(form.text("secret")),
        url: String::new(),
    }
}

/// The requests on their way to the browser.
struct Stream {
    context: Arc<Context>,
    verifier: Verifier,
    reader: EventReader,
}

impl Stream {
    fn response(mut self, body: Body) -> axum::response::Response {
        let stream = body.into_data_stream().map(move |bytes| {
            let text = match bytes {
                Ok(bytes) => self.render(&bytes),
                Err(_) => live::event("end", &json!({ "reason": "reconnect" })),
            };
            Ok::<_, Infallible>(text)
        });
        live::events(Body::from_stream(stream))
    }

    /// The same events with HTML; a comment if there are none.
    fn render(&mut self, bytes: &[u8]) -> String {
        let events = self.reader.add(bytes);
        if events.is_empty() {
            return ": \n\n".to_owned();
        }
        events.iter().map(|it| self.render_event(it)).collect()
    }

    fn render_event(&mut self, event: &Event) -> String {
        match serde_json::from_str::<ServerMessage>(&event.data) {
            Ok(ServerMessage::Start(started)) => {
                self.verifier.url = started.url.unwrap_or_default();
                let html = ui::id(&self.verifier.url).into_string();
                live::event("start", &json!({ "html": html }))
            },
            Ok(ServerMessage::Event(request)) => {
                let html = shown(&self.context, &self.verifier, &request).into_string();
                live::event("request", &json!({ "html": html }))
            },
            Err(_) => format!("event: {}\ndata: {}\n\n", event.name, event.data),
        }
    }
}
