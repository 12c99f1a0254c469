//! A reverse proxy that serves the console below a path.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Uri, header::HOST},
    response::{IntoResponse, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, task::JoinSet};

/// What the proxy passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// The path without the prefix, and the server's own host name, as nginx does by default with
    /// a path in `proxy_pass`.
    Stripped,
    /// Path and host name as the browser sent them.
    Unchanged,
}

/// A proxy; it stops when this is dropped.
pub(crate) struct PrefixProxy {
    /// The URL of the console, with the prefix.
    pub(crate) url: String,
    prefix: &'static str,
    listener: Option<TcpListener>,
    task: JoinSet<()>,
}

#[derive(Clone)]
struct Target {
    server: String,
    prefix: &'static str,
    passing: Passing,
    client: Client<HttpConnector, Body>,
}

impl PrefixProxy {
    /// A proxy on a free port; it starts to serve later, because the server is told its URL.
    pub(crate) async fn bind(prefix: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{prefix}", listener.local_addr().unwrap());
        Self { url, prefix, listener: Some(listener), task: JoinSet::new() }
    }

    pub(crate) fn serve(&mut self, server: &str, passing: Passing) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let target = Target { server: server.to_owned(), prefix: self.prefix, passing, client };
        let router = Router::new().fallback(forward).with_state(target);
        let listener = self.listener.take().expect("it serves once");
        self.task.spawn(async move { axum::serve(listener, router).await.unwrap() });
    }
}

async fn forward(State(target): State<Target>, mut request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let Some(inner) = path.strip_prefix(target.prefix) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let passed = match target.passing {
        Passing::Stripped => inner,
        Passing::Unchanged => path,
    };
    let separator = if passed.starts_with('/') { "" } else { "/" };
    let uri: Uri = format!("{}{separator}{passed}", target.server).parse().unwrap();
    if target.passing == Passing::Stripped {
        let host = uri.authority().unwrap().as_str();
        request.headers_mut().insert(HOST, HeaderValue::from_str(host).unwrap());
    }
    *request.uri_mut() = uri;
    match target.client.request(request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
