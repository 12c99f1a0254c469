//! Where a sign-in link leads. The parameter `next` of links for the hosted service names pages
//! without `/portal`, and some of these pages have other names here.

use postrider_core::sign_in::return_path;

/// The first page.
pub(crate) const FIRST: &str = "/portal/endpoints";

/// The pages of the hosted service, and those that correspond to them.
const PAGES: [(&str, &str); 9] = [
    ("endpoints", "endpoints"),
    ("messages", "messages"),
    ("logs", "messages"),
    ("event-types", "event-types"),
    ("event-catalog", "event-types"),
    ("activity", "metrics"),
    ("metrics", "metrics"),
    ("getting-started", "verify"),
    ("verify", "verify"),
];

/// The page of the portal that a link asks for, or the first one. Never a page of another server.
pub(crate) fn path(asked: Option<&str>) -> String {
    asked.and_then(return_path).and_then(page).unwrap_or_else(|| FIRST.to_owned())
}

fn page(asked: &str) -> Option<String> {
    let within = asked.strip_prefix("/portal").filter(|it| it.starts_with('/')).unwrap_or(asked);
    let within = within.strip_prefix('/')?;
    let end = within.find(['/', '?', '#']).unwrap_or(within.len());
    let (name, rest) = within.split_at(end);
    let own = PAGES.into_iter().find(|it| it.0 == name)?.1;
    let is_inside = !rest.split(['/', '?', '#']).any(|it| it == "..");
    is_inside.then(|| format!("/portal/{own}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_of_the_portal_only() {
        let cases = [
            ("/endpoints", "/portal/endpoints"),
            ("/endpoints/ep_1?tab=x", "/portal/endpoints/ep_1?tab=x"),
            ("/portal/messages", "/portal/messages"),
            ("/logs", "/portal/messages"),
            ("/event-catalog", "/portal/event-types"),
            ("/messages?status=2", "/portal/messages?status=2"),
            ("/portal/verify?language=go", "/portal/verify?language=go"),
            ("/settings", FIRST),
            ("/endpoints/../../apps", FIRST),
            ("//evil.example/endpoints", FIRST),
            ("https://evil.example/endpoints", FIRST),
            ("/\\evil.example", FIRST),
            ("endpoints", FIRST),
            ("/portalendpoints", FIRST),
            ("", FIRST),
        ];
        for (asked, expected) in cases {
            assert_eq!(path(Some(asked)), expected, "{asked}");
        }
        assert_eq!(path(None), FIRST);
    }
}
