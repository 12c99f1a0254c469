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

use crate::session::hex;

/// The parts of the style sheet, in the order of their layers.
const STYLES: [&str; 10] = [
    include_str!("../assets/css/base.css"),
    include_str!("../assets/css/layout.css"),
    include_str!("../assets/css/components.css"),
    include_str!("../assets/css/overview.css"),
    include_str!("../assets/css/apps.css"),
    include_str!("../assets/css/endpoints.css"),
    include_str!("../assets/css/messages.css"),
    include_str!("../assets/css/sources.css"),
    include_str!("../assets/css/portal.css"),
    include_str!("../assets/css/inbox.css"),
];

/// The scripts: ES modules, which name each other by relative paths.
const SCRIPTS: [(&str, &str); 12] = [
    ("app.js", include_str!("../assets/js/app.js")),
    ("feed.js", include_str!("../assets/js/feed.js")),
    ("copy.js", include_str!("../assets/js/copy.js")),
    ("live.js", include_str!("../assets/js/live.js")),
    ("time.js", include_str!("../assets/js/time.js")),
    ("keys.js", include_str!("../assets/js/keys.js")),
    ("login.js", include_str!("../assets/js/login.js")),
    ("file.js", include_str!("../assets/js/file.js")),
    ("find.js", include_str!("../assets/js/find.js")),
    ("inspect.js", include_str!("../assets/js/inspect.js")),
    ("html.js", include_str!("../assets/js/html.js")),
    ("portal.js", include_str!("../assets/js/portal.js")),
];

/// The style sheet of the documentation.
const DOCS_STYLES: [&str; 4] =
    [STYLES[0], STYLES[1], STYLES[2], include_str!("../assets/css/docs.css")];

/// The scripts of the documentation.
const DOCS_SCRIPTS: [(&str, &str); 3] = [
    ("docs.js", include_str!("../assets/js/docs.js")),
    ("copy.js", include_str!("../assets/js/copy.js")),
    ("html.js", include_str!("../assets/js/html.js")),
];

/// A year.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Styles and scripts, compressed.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    folder: String,
    version: String,
    files: Arc<[Asset]>,
}

#[derive(Debug)]
struct Asset {
    name: &'static str,
    plain: Bytes,
    compressed: Bytes,
}

impl Assets {
    /// Those of the console, whose router serves them.
    pub(crate) fn new() -> Self {
        Self::console("")
    }

    /// Those of the console, below a path.
    pub(crate) fn console(parent: &str) -> Self {
        let mut texts = vec![("console.css", STYLES.concat())];
        texts.extend(SCRIPTS.map(|(name, text)| (name, text.to_owned())));
        Self::below(parent, texts)
    }

    /// Those of the documentation, below a path.
    pub(crate) fn docs(parent: &str) -> Self {
        let mut texts = vec![("docs.css", DOCS_STYLES.concat())];
        texts.extend(DOCS_SCRIPTS.map(|(name, text)| (name, text.to_owned())));
        Self::below(parent, texts)
    }

    fn below(parent: &str, texts: Vec<(&'static str, String)>) -> Self {
        let mut digest = Sha256::new();
        for (_, text) in &texts {
            digest.update(text);
        }
        let version = hex(&digest.finalize()[..6]);
        let files = texts.into_iter().map(|(name, text)| Asset::new(name, text)).collect();
        Self { folder: format!("{parent}/assets"), version, files }
    }

    /// The digest of all files.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The path of a file, without the prefix of the site.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.folder, self.version)
    }

    /// The routes of the files. A file is found under any version: a page may be older than the
    /// server.
    pub(crate) fn router(&self) -> Router {
        let route = format!("{}/{{version}}/{{name}}", self.folder);
        Router::new().route(&route, get(serve)).with_state(self.clone())
    }

    fn find(&self, name: &str) -> Option<&Asset> {
        self.files.iter().find(|it| it.name == name)
    }
}

impl Asset {
    fn new(name: &'static str, text: String) -> Self {
        let compressed = gzip(text.as_bytes(), Compression::best());
        Self { name, plain: text.into(), compressed }
    }

    fn respond(&self, headers: &HeaderMap) -> Response {
        let media_type = match self.name.rsplit_once('.') {
            Some((_, "css")) => "text/css; charset=utf-8",
            Some(_) | None => "text/javascript; charset=utf-8",
        };
        let is_compressed = accepts_gzip(headers);
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

/// Whether a client can decompress responses.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|it| it.to_str().ok());
    accepted.is_some_and(|it| it.contains("gzip"))
}

/// Compresses bytes.
pub(crate) fn gzip(bytes: &[u8], level: Compression) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).expect("memory takes all that is written");
    encoder.finish().expect("memory takes all that is written").into()
}

async fn serve(
    State(assets): State<Assets>,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let found = assets.find(&name);
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |it| it.respond(&headers))
}
