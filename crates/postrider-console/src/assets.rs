//! The styles and scripts. Their URLs contain a digest of all of them, so browsers keep them.

use std::{io::Write, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::context::Shared;

/// The parts of the style sheet, in the order of their layers.
const STYLES: [&str; 9] = [
    include_str!("../assets/css/base.css"),
    include_str!("../assets/css/layout.css"),
    include_str!("../assets/css/components.css"),
    include_str!("../assets/css/overview.css"),
    include_str!("../assets/css/apps.css"),
    include_str!("../assets/css/endpoints.css"),
    include_str!("../assets/css/messages.css"),
    include_str!("../assets/css/sources.css"),
    include_str!("../assets/css/portal.css"),
];

/// The scripts: ES modules, which name each other by relative paths.
const SCRIPTS: [(&str, &str); 9] = [
    ("app.js", include_str!("../assets/js/app.js")),
    ("feed.js", include_str!("../assets/js/feed.js")),
    ("live.js", include_str!("../assets/js/live.js")),
    ("time.js", include_str!("../assets/js/time.js")),
    ("keys.js", include_str!("../assets/js/keys.js")),
    ("login.js", include_str!("../assets/js/login.js")),
    ("find.js", include_str!("../assets/js/find.js")),
    ("html.js", include_str!("../assets/js/html.js")),
    ("portal.js", include_str!("../assets/js/portal.js")),
];

/// A year.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The styles and scripts, compressed.
#[derive(Debug)]
pub(crate) struct Assets {
    version: String,
    files: Vec<Asset>,
}

#[derive(Debug)]
struct Asset {
    name: &'static str,
    plain: Bytes,
    compressed: Bytes,
}

impl Assets {
    pub(crate) fn new() -> Self {
        let styles = STYLES.concat();
        let mut texts = vec![("console.css", styles)];
        texts.extend(SCRIPTS.map(|(name, text)| (name, text.to_owned())));
        let mut digest = Sha256::new();
        texts.iter().for_each(|(_, text)| digest.update(text));
        let version = digest.finalize()[..6].iter().map(|it| format!("{it:02x}")).collect();
        let files = texts.into_iter().map(|(name, text)| Asset::new(name, text)).collect();
        Self { version, files }
    }

    /// The digest of all files.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The path of a file, without the prefix of the site.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("/assets/{}/{name}", self.version)
    }

    fn find(&self, name: &str) -> Option<&Asset> {
        self.files.iter().find(|it| it.name == name)
    }
}

impl Asset {
    fn new(name: &'static str, text: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).expect("memory takes all that is written");
        let compressed = encoder.finish().expect("memory takes all that is written").into();
        Self { name, plain: text.into(), compressed }
    }

    fn respond(&self, headers: &HeaderMap) -> Response {
        let is_style = self.name.ends_with(".css");
        let media_type =
            if is_style { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|it| it.to_str().ok());
        let is_compressed = accepted.is_some_and(|it| it.contains("gzip"));
        let body = if is_compressed { &self.compressed } else { &self.plain };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
            (header::CACHE_CONTROL, HeaderValue::from_static(FOREVER)),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        let mut response = (headers, Bytes::clone(body)).into_response();
        if is_compressed {
            let gzip = HeaderValue::from_static("gzip");
            response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
        }
        response
    }
}

/// The routes of the files. A file is found under any version: a page may be older than the server.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/assets/{version}/{name}", get(serve)).with_state(shared)
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let found = shared.assets.find(&name);
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |it| it.respond(&headers))
}
