//! How the page that embeds the portal wants it to look: parameters of the sign-in link, which a
//! cookie keeps for the session.

use http::{HeaderMap, HeaderName};
use url::Url;

use super::{color::Color, font};
use crate::{
    cookie::{self, Transport},
    query::Query,
    theme::Theme,
};

/// The parameters. Their names are those that the official React component adds to the link.
pub(crate) const PARAMETERS: [&str; 7] = [
    "darkMode",
    "primaryColor",
    "primaryColorLight",
    "primaryColorDark",
    "fontFamily",
    "icon",
    "transparent",
];

/// Most bytes of the URL of an icon.
const MAX_ICON: usize = 1_000;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// How the page that embeds the portal wants it to look. Everything in it is valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Embedding {
    pub(crate) theme: Option<Theme>,
    /// The color of buttons and links, for light and dark.
    pub(crate) light: Option<Color>,
    pub(crate) dark: Option<Color>,
    /// The names of fonts.
    pub(crate) font: Option<String>,
    /// The URL of an image.
    pub(crate) icon: Option<String>,
    /// Whether the background of the embedding page is visible.
    pub(crate) is_transparent: bool,
}

impl Embedding {
    /// Reads the parameters. Values that are not valid are ignored: the portal must work in a page
    /// whose developer made a mistake.
    pub(crate) fn of(query: &Query) -> Self {
        let color = |name| query.text(name).and_then(Color::parse);
        let both = color("primaryColor");
        Self {
            theme: query.text("darkMode").and_then(theme),
            light: color("primaryColorLight").or(both),
            dark: color("primaryColorDark").or(both),
            font: query
                .text("fontFamily")
                .filter(|it| font::families(it).is_some())
                .map(ToOwned::to_owned),
            icon: query.text("icon").filter(|it| is_image(it)).map(ToOwned::to_owned),
            is_transparent: query.text("transparent") == Some("true"),
        }
    }

    /// Reads the cookie.
    pub(crate) fn find(headers: &HeaderMap, transport: Transport) -> Self {
        let value = cookie::EMBEDDING.find(headers, transport);
        value.map(|it| Self::of(&Query::parse(Some(it)))).unwrap_or_default()
    }

    /// The value of the cookie; none if there is nothing to keep.
    pub(crate) fn cookie(&self) -> Option<String> {
        let dark = self.theme.map(|theme| match theme {
            Theme::Auto => "auto",
            Theme::Light => "false",
            Theme::Dark => "true",
        });
        let query = Query::default()
            .and("darkMode", dark)
            .and("primaryColorLight", self.light)
            .and("primaryColorDark", self.dark)
            .and("fontFamily", self.font.as_deref())
            .and("icon", self.icon.as_deref())
            .and("transparent", self.is_transparent.then_some(true));
        (*self != Self::default()).then(|| query.to_string())
    }
}

fn theme(text: &str) -> Option<Theme> {
    match text {
        "true" => Some(Theme::Dark),
        "false" => Some(Theme::Light),
        "auto" => Some(Theme::Auto),
        _ => None,
    }
}

/// Whether the content security policy lets pages show an image.
pub(crate) fn is_image(text: &str) -> bool {
    let is_short = text.len() <= MAX_ICON && text.bytes().all(|it| it.is_ascii_graphic());
    let is_inside = text.starts_with("data:image/");
    is_short && (is_inside || Url::parse(text).is_ok_and(|it| it.scheme() == "https"))
}

/// Whether the browser shows the page inside another one. Over plain HTTP, browsers do not tell;
/// then a script finds out.
pub(crate) fn is_framed(headers: &HeaderMap) -> bool {
    let destination = headers.get(SEC_FETCH_DEST).and_then(|it| it.to_str().ok());
    matches!(destination, Some("iframe" | "frame" | "embed" | "object"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Embedding) {
        let found = Embedding::of(&Query::parse(Some(text)));
        assert_eq!(found, *expected, "{text}");
        let mut headers = HeaderMap::new();
        if let Some(value) = found.cookie() {
            let value = format!("postrider-embedding={value}");
            headers.insert(header::COOKIE, HeaderValue::try_from(value).unwrap());
        }
        assert_eq!(Embedding::find(&headers, Transport::Plain), *expected, "{text} as a cookie");
    }

    #[test]
    fn parameters_survive_as_a_cookie() {
        let none = Embedding::default();
        check("", &none);
        check("darkMode=yes&primaryColor=red&fontFamily=x;y&icon=http://a.example/i.png", &none);
        check("icon=javascript:alert(1)", &none);
        check("darkMode=auto", &Embedding { theme: Some(Theme::Auto), ..none.clone() });
        let green = Color::parse("28bb93");
        check(
            "darkMode=true&primaryColor=%2328bb93&fontFamily=Open+Sans,+serif&icon=https://a.example/i.svg?a=1;b",
            &Embedding {
                theme: Some(Theme::Dark),
                light: green,
                dark: green,
                font: Some("Open Sans, serif".to_owned()),
                icon: Some("https://a.example/i.svg?a=1;b".to_owned()),
                is_transparent: false,
            },
        );
        let dark = Color::parse("abc");
        check(
            "primaryColor=28bb93&primaryColorDark=abc",
            &Embedding { light: green, dark, ..none },
        );
    }

    #[test]
    fn frames_are_recognized_by_their_destination() {
        for (destination, expected) in [("iframe", true), ("document", false), ("empty", false)] {
            let headers = [(SEC_FETCH_DEST, HeaderValue::from_static(destination))];
            assert_eq!(is_framed(&HeaderMap::from_iter(headers)), expected, "{destination}");
        }
        assert!(!is_framed(&HeaderMap::new()));
    }
}
