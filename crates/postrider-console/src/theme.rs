//! Preferences of a person, and how the portal looks in the page that embeds it.

mod appearance;
pub(crate) mod color;
mod embedding;
mod font;
mod palette;
mod sheet;

use http::HeaderMap;

pub(crate) use self::{
    appearance::Appearance,
    embedding::{Embedding, PARAMETERS, is_framed},
    sheet::Choices,
};
use crate::cookie::{self, Transport};

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system is.
    #[default]
    Auto,
    Light,
    Dark,
}

/// The time zone of shown times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Zone {
    /// That of the browser.
    #[default]
    Local,
    Utc,
}

/// What a person has chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Preferences {
    pub(crate) theme: Theme,
    pub(crate) zone: Zone,
    /// Whether single letters are keys. People who control the browser by speech turn them off.
    pub(crate) has_no_keys: bool,
}

impl Preferences {
    pub(crate) fn find(headers: &HeaderMap, transport: Transport) -> Self {
        let theme = cookie::THEME.find(headers, transport).and_then(Theme::parse);
        let zone = cookie::ZONE.find(headers, transport).and_then(Zone::parse);
        let has_no_keys = cookie::KEYS.find(headers, transport) == Some("off");
        Self { theme: theme.unwrap_or_default(), zone: zone.unwrap_or_default(), has_no_keys }
    }
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == text)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Zone {
    pub(crate) const ALL: [Self; 2] = [Self::Local, Self::Utc];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == text)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Utc => "utc",
        }
    }
}
