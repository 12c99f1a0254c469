//! Which web pages may read a stream.

use crate::kind::live::AllowedOrigin;

/// Whether the page that sent a request may read the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginCheck {
    /// It is a program, or a page of the server itself.
    NoPage,
    /// Pages of every origin may.
    Any,
    /// Pages of this origin may.
    Named,
    Refused,
}

/// Checks the `Origin` of a request. `host` is its `Host`: the server itself may have several
/// names, and its own pages need no permission.
pub fn check_origin(
    allowed: &[AllowedOrigin],
    origin: Option<&str>,
    host: Option<&str>,
) -> OriginCheck {
    let Some(origin) = origin else { return OriginCheck::NoPage };
    let is_listed =
        |it: &AllowedOrigin| matches!(it, AllowedOrigin::Exact(exact) if exact == origin);
    if allowed.contains(&AllowedOrigin::Any) {
        return OriginCheck::Any;
    }
    if allowed.iter().any(is_listed) {
        return OriginCheck::Named;
    }
    let own = origin.split_once("://").map(|(_, authority)| authority);
    if own.is_some() && own == host { OriginCheck::NoPage } else { OriginCheck::Refused }
}

#[cfg(test)]
mod tests {
    use super::{OriginCheck::*, *};

    #[test]
    fn pages_of_other_origins_need_permission() {
        let exact = |it: &str| AllowedOrigin::Exact(it.to_owned());
        let one = [exact("https://a.example"), exact("http://localhost:5173")];
        for (allowed, origin, expected) in [
            (&[][..], None, NoPage),
            (&one, None, NoPage),
            (&[AllowedOrigin::Any], None, NoPage),
            (&[AllowedOrigin::Any], Some("https://b.example"), Any),
            (&[AllowedOrigin::Any], Some("null"), Any),
            (&one, Some("https://a.example"), Named),
            (&one, Some("http://localhost:5173"), Named),
            (&one, Some("http://a.example"), Refused),
            (&one, Some("https://a.example:444"), Refused),
            (&one, Some("https://a.example.evil"), Refused),
            (&one, Some("null"), Refused),
            (&[], Some("https://a.example"), Refused),
            (&[], Some("https://hooks.example:8071"), NoPage),
            (&[], Some("hooks.example:8071"), Refused),
        ] {
            let checked = check_origin(allowed, origin, Some("hooks.example:8071"));
            assert_eq!(checked, expected, "{allowed:?} {origin:?}");
        }
        assert_eq!(check_origin(&[], Some("null"), None), Refused);
    }
}
