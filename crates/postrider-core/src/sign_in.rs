//! Decisions about people who sign in with a browser: which requests with a cookie are genuine, and
//! where a sign-in may lead.

/// Longest path that a sign-in leads back to.
const MAX_PATH: usize = 1_024;

/// What a request tells about the page that sent it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestOrigin<'a> {
    /// Whether the method cannot change anything.
    pub is_safe: bool,
    /// `Sec-Fetch-Site`.
    pub site: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Host`, or the authority of the request.
    pub host: Option<&'a str>,
    /// The origin of the server's public URL.
    pub public: &'a str,
}

/// Whether a page of the server itself sent the request. A cookie does not tell: browsers add it to
/// the requests of other pages, too.
pub fn is_same_origin(request: &RequestOrigin<'_>) -> bool {
    let RequestOrigin { is_safe, site, origin, host, public } = *request;
    let is_own_site = match site {
        Some("same-origin") => true,
        // The person entered the address.
        Some("none") => is_safe,
        Some(_) => false,
        // Browsers leave it out if the server is neither encrypted nor on the same machine.
        None => is_safe || origin.is_some(),
    };
    let is_own = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        origin == public || (authority.is_some() && authority == host)
    };
    is_own_site && origin.is_none_or(is_own)
}

/// The path that a sign-in leads back to; none if it would lead to another server.
pub fn return_path(text: &str) -> Option<&str> {
    let is_local = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
    let is_plain = text.bytes().all(|it| it.is_ascii_graphic());
    (is_local && is_plain && text.len() <= MAX_PATH && !text.contains('\\')).then_some(text)
}

/// The value of a cookie. Several cookies with one name cannot be told apart, so they count as
/// none: another server on the same host may have set one of them.
pub fn cookie<'a>(headers: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let pairs = headers.into_iter().flat_map(|it| it.split(';'));
    let pairs = pairs.filter_map(|it| it.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_server_may_use_a_session() {
        const PUBLIC: &str = "https://hooks.example";
        const OTHER: &str = "https://evil.example";
        for (is_safe, site, origin, expected) in [
            (true, Some("same-origin"), None, true),
            (false, Some("same-origin"), Some(PUBLIC), true),
            (false, Some("same-origin"), None, true),
            (false, Some("same-origin"), Some(OTHER), false),
            (true, Some("none"), None, true),
            (false, Some("none"), None, false),
            (true, Some("same-site"), None, false),
            (true, Some("cross-site"), None, false),
            (false, Some("cross-site"), Some(OTHER), false),
            (true, None, None, true),
            (false, None, None, false),
            (false, None, Some(PUBLIC), true),
            (false, None, Some("http://10.0.0.1:8071"), true),
            (false, None, Some("null"), false),
            (true, None, Some(OTHER), false),
            (false, None, Some("https://hooks.example.evil"), false),
        ] {
            let host = Some("10.0.0.1:8071");
            let request = RequestOrigin { is_safe, site, origin, host, public: PUBLIC };
            assert_eq!(is_same_origin(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn a_sign_in_leads_back_to_the_server_only() {
        for path in ["/", "/console?x=1#y", "/a//b"] {
            assert_eq!(return_path(path), Some(path));
        }
        let long = format!("/{}", "a".repeat(MAX_PATH));
        for path in [
            "",
            "console",
            "//evil.example",
            "/\\evil",
            "https://evil.example",
            "/a b",
            "/a\r\nb",
            &long,
        ] {
            assert_eq!(return_path(path), None, "{path}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_unless_there_are_two() {
        assert_eq!(cookie(["a=1; session=x=y", "b=2"], "session"), Some("x=y"));
        assert_eq!(cookie(["session=1; session=2"], "session"), None);
        assert_eq!(cookie(["my-session=1"], "session"), None);
    }
}
