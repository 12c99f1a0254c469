//! The console over the API of a running server, to work on pages without building the server:
//!
//! ```text
//! cargo run -p postrider-console --example over_http -- http://127.0.0.1:8071 127.0.0.1:8080
//! ```

#![expect(clippy::disallowed_methods, reason = "there is no engine here whose clock could be used")]
#![expect(clippy::print_stdout, reason = "it prints its URL")]

use std::{env, sync::Arc};

use axum::{Router, body::Body, extract::Request, response::Response};
use http::{StatusCode, Uri};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::Timestamp;
use postrider_console::{ConsoleSettings, Welcome, console, docs, strip_prefix};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let server = arguments.next().ok_or("the URL of the server is missing")?;
    let listener =
        tokio::net::TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:0")).await?;
    let prefix = arguments.next().unwrap_or_default();
    let address = listener.local_addr()?;
    let api = proxy(server.trim_end_matches('/').to_owned());
    let settings = ConsoleSettings {
        api: api.clone(),
        public_url: format!("http://{address}{prefix}").parse()?,
        clock: Arc::new(Timestamp::now),
        has_sso: false,
        has_docs: true,
        has_relay: true,
        version: env!("CARGO_PKG_VERSION"),
        welcome: Some(Welcome {
            application: "demo".to_owned(),
            event_type: "demo.greeting".to_owned(),
            inbox_path: "/inbox".to_owned(),
        }),
    };
    let docs = docs(&settings, || include_str!("../../../openapi.json").to_owned());
    let pages = console(settings).merge(docs);
    let router = strip_prefix(pages.fallback_service(api), &prefix);
    println!("http://{address}{prefix}");
    axum::serve(listener, router).await?;
    Ok(())
}

/// Sends every request to the server.
fn proxy(server: String) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    Router::new().fallback(async move |mut request: Request| {
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        let uri: Uri = format!("{server}{path}").parse().expect("the URL of the server is one");
        *request.uri_mut() = uri;
        request.headers_mut().remove(http::header::HOST);
        let sent = client.request(request).await;
        sent.map_or_else(
            |error| {
                let mut response = Response::new(Body::from(error.to_string()));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            },
            |response| response.map(Body::new),
        )
    })
}
