//! The path of the public URL, for reverse proxies that do not remove it.

use std::convert::Infallible;

use axum::{Router, extract::Request};
use http::Uri;
use tower::{ServiceExt, service_fn};

/// The router, also below a path such as `/hooks`; an empty prefix changes nothing.
pub fn strip(router: Router, prefix: &str) -> Router {
    let prefix = prefix.trim_end_matches('/').to_owned();
    if prefix.is_empty() {
        return router;
    }
    let service = service_fn(move |mut request: Request| {
        if let Some(uri) = without(request.uri(), &prefix) {
            *request.uri_mut() = uri;
        }
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|it| match it {}))
        }
    });
    Router::new().fallback_service(service)
}

/// The URI without the prefix, if it begins with it.
fn without(uri: &Uri, prefix: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(prefix)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let path = if rest.is_empty() { "/" } else { rest };
    let path = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_segments_are_removed() {
        let cases = [
            ("/hooks", Some("/")),
            ("/hooks/", Some("/")),
            ("/hooks/apps?x=1", Some("/apps?x=1")),
            ("/hooksapps", None),
            ("/apps", None),
        ];
        for (path, expected) in cases {
            let found = without(&path.parse().unwrap(), "/hooks").map(|it| it.to_string());
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }
}
