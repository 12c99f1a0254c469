//! Pages that need no session: the documentation, and the inbox of `postrider dev`.

use axum::response::Response;
use flate2::Compression;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    assets::{Assets, accepts_gzip, gzip},
    response,
    site::{Audience, Site},
    theme::Preferences,
};

/// What these pages have in common.
#[derive(Debug)]
pub(crate) struct Standalone {
    pub(crate) site: Site,
    pub(crate) assets: Assets,
    /// The names of the style sheet and of the script.
    pub(crate) entry: (&'static str, &'static str),
    /// What follows the titles of pages.
    pub(crate) name: &'static str,
}

impl Standalone {
    /// The document of a page.
    pub(crate) fn document(&self, headers: &HeaderMap, title: &str, body: &Markup) -> Markup {
        let preferences = Preferences::find(headers, self.site.transport());
        let asset = |name| self.link(&self.assets.path(name));
        let title = if title.is_empty() {
            self.name.to_owned()
        } else {
            format!("{title} · {}", self.name)
        };
        html! {
            (DOCTYPE)
            html lang="en" data-theme=(preferences.theme.name()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    link rel="stylesheet" href=(asset(self.entry.0));
                    link rel="icon" href=(ICON) type="image/svg+xml";
                    script type="module" src=(asset(self.entry.1)) {}
                }
                (body)
            }
        }
    }

    /// The response with a document.
    pub(crate) fn respond(status: StatusCode, document: Markup) -> Response {
        response::html(status, Audience::Console, document)
    }

    /// The response with a document, or a part of it, that everybody may read. It is compressed.
    pub(crate) fn public(
        status: StatusCode,
        headers: &HeaderMap,
        document: Markup,
        caching: &'static str,
    ) -> Response {
        let compressed =
            accepts_gzip(headers).then(|| gzip(document.0.as_bytes(), Compression::fast()));
        let mut response = Self::respond(status, document);
        let own = response.headers_mut();
        own.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        own.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(compressed) = compressed {
            own.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            own.remove(header::CONTENT_LENGTH);
            *response.body_mut() = compressed.into();
        }
        response
    }

    /// The link to a page; `path` is without the prefix of the site.
    pub(crate) fn link(&self, path: &str) -> String {
        self.site.path(path)
    }

    /// The name of the product, which leads to the first page.
    pub(crate) fn brand(&self) -> Markup {
        html! {
            a.brand href=(self.link("/")) {
                svg.brand-mark viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" {
                    path d="M3 6h13l5 6-5 6H3l4-6z" {}
                }
                span.brand-name { "Postrider" }
            }
        }
    }
}

/// The icon, in the page: `/favicon.svg` belongs to the console, which may be switched off.
const ICON: PreEscaped<&str> = PreEscaped(
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E\
     %3Cpath fill='%233457c9' d='M3 6h13l5 6-5 6H3l4-6z'/%3E%3C/svg%3E",
);
