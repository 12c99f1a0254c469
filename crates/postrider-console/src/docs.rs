//! The documentation of the API, rendered from its `OpenAPI` document. It needs no session.

mod curl;
mod document;
mod index;
mod kind;
mod layout;
pub(crate) mod markdown;
mod operation;
mod schema;
mod search;
mod topic;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    response::Response,
    routing::get,
};
use http::{HeaderMap, StatusCode};
use maud::{Markup, PreEscaped, html};

use self::{document::Document, topic::Topic};
use crate::{
    assets::Assets, query::Query, settings::ConsoleSettings, site::Site, standalone::Standalone,
    ui::empty,
};

/// Where the files and pages are.
const ROOT: &str = "/docs";

/// The documentation.
struct Docs {
    common: Standalone,
    /// It is read when a page is first requested, which never happens on most servers.
    document: LazyLock<Document, Box<dyn FnOnce() -> Document + Send>>,
    /// Contents of pages by their slugs; that of the first page has none.
    rendered: Mutex<HashMap<String, Arc<str>>>,
}

/// The pages that document the API, under `/docs`. `document` returns its `OpenAPI` document.
pub fn router(settings: &ConsoleSettings, document: fn() -> String) -> Router {
    let common = Standalone {
        site: Site::new(settings.public_url.clone()),
        assets: Assets::docs(ROOT),
        entry: ("docs.css", "docs.js"),
        name: "Postrider API",
    };
    let files = common.assets.router();
    let docs = Docs {
        common,
        document: LazyLock::new(Box::new(move || Document::new(&document()))),
        rendered: Mutex::default(),
    };
    Router::new()
        .route(ROOT, get(first))
        .route("/docs/operations", get(operations))
        .route("/docs/{topic}", get(topic))
        .with_state(Arc::new(docs))
        .merge(files)
}

impl Docs {
    /// The content of a page, which is rendered once.
    fn content(&self, slug: &str, render: impl FnOnce() -> Markup) -> Markup {
        let cached = self.lock().get(slug).map(Arc::clone);
        let content = cached.unwrap_or_else(|| {
            let content: Arc<str> = render().into_string().into();
            self.lock().insert(slug.to_owned(), Arc::clone(&content));
            content
        });
        PreEscaped(content.as_ref().to_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<str>>> {
        // A panic while rendering leaves the map as it was.
        self.rendered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page(&self, headers: &HeaderMap, page: &DocsPage<'_>) -> Response {
        let title = page.topic.map_or("", |it| it.title.as_str());
        let body =
            layout::body(&self.common, &self.document, page.topic, page.query, &page.content);
        let document = self.common.document(headers, title, &body);
        // There is nothing in it that is not public.
        Standalone::public(page.status, headers, document, "no-cache")
    }
}

/// A page.
struct DocsPage<'a> {
    status: StatusCode,
    topic: Option<&'a Topic>,
    query: &'a str,
    content: Markup,
}

async fn first(
    State(docs): State<Arc<Docs>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::parse(query.as_deref());
    let query = query.text("q").unwrap_or_default();
    let content = if query.is_empty() {
        docs.content("", || index::page(&docs.common, &docs.document))
    } else {
        index::results(&docs.common, &docs.document, query)
    };
    docs.page(&headers, &DocsPage { status: StatusCode::OK, topic: None, query, content })
}

/// All operations, for the search in the page.
async fn operations(State(docs): State<Arc<Docs>>, headers: HeaderMap) -> Response {
    let content =
        docs.content("operations", || index::list(&docs.common, docs.document.operations()));
    Standalone::public(StatusCode::OK, &headers, content, "max-age=300")
}

async fn topic(
    State(docs): State<Arc<Docs>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let document = &docs.document;
    let found = document.topics().into_iter().find(|it| it.slug == slug);
    let (status, content) = match found {
        Some(topic) => (StatusCode::OK, docs.content(&slug, || topic_page(&docs, topic))),
        None => (StatusCode::NOT_FOUND, not_found()),
    };
    docs.page(&headers, &DocsPage { status, topic: found, query: "", content })
}

fn topic_page(docs: &Docs, topic: &Topic) -> Markup {
    html! {
        header.page-head {
            h1 { (topic.title) }
            p.lead { (topic.description) }
        }
        @for it in docs.document.operations_of(topic) {
            (operation::section(&docs.common, &docs.document, it))
        }
    }
}

fn not_found() -> Markup {
    html! {
        header.page-head { h1 { "Not found" } }
        (empty("There is no such topic", &html! { p { "Choose one from the navigation, or search for an operation." } }))
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    /// The response to a request below the path of the public URL.
    async fn get(path: &str) -> (StatusCode, HeaderMap, String) {
        let settings = ConsoleSettings {
            api: Router::new(),
            public_url: "https://example.com/hooks".parse().unwrap(),
            clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
            has_sso: false,
            has_docs: true,
            has_relay: false,
            version: "1",
            welcome: None,
        };
        let router = router(&settings, || include_str!("../../../openapi.json").to_owned());
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_operation_is_on_the_page_of_its_topic() {
        let document = Document::new(include_str!("../../../openapi.json"));
        for topic in document.topics() {
            let (status, _, html) = get(&layout::path(topic)).await;
            assert_eq!(status, StatusCode::OK);
            for it in document.operations_of(topic) {
                assert!(html.contains(&format!("id=\"{}\"", it.id)), "{}", it.id);
            }
            assert!(html.len() < 400_000, "{} has {} bytes", topic.slug, html.len());
        }
        assert_eq!(get("/docs/unknown").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn pages_load_only_files_of_this_server_below_its_path() {
        let (_, headers, html) = get("/docs").await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for (attribute, rest) in ["href=\"/", "src=\"/"]
            .iter()
            .flat_map(|it| html.split(it).skip(1).map(move |rest| (it, rest)))
        {
            assert!(rest.starts_with("hooks/"), "{attribute}{rest:.40}");
        }
        let style = html.split("href=\"/hooks").nth(1).unwrap().split('"').next().unwrap();
        let (status, headers, _) = get(style).await;
        assert_eq!(
            (status, headers["content-type"].as_bytes()),
            (StatusCode::OK, &b"text/css; charset=utf-8"[..])
        );
    }

    #[tokio::test]
    async fn the_search_works_without_scripts() {
        let (_, _, html) = get("/docs?q=post+recover").await;
        assert!(html.contains("#v1.endpoint.recover") && !html.contains("#v1.application.list"));
        let (_, _, html) = get("/docs?q=%3Cscript%3E").await;
        assert!(html.contains("No operation matches") && !html.contains("<script>"));
    }

    #[test]
    fn every_operation_of_the_api_is_in_a_known_topic() {
        let document = Document::new(include_str!("../../../openapi.json"));
        assert!(document.operations().len() > 150);
        for it in document.operations() {
            assert_ne!(it.topic.group, "Other", "{}: add its tag to topic.rs", it.path);
        }
    }
}
