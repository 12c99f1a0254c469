//! How a page of the portal looks: what the platform has chosen in its settings, and what the page
//! that embeds the portal has.

use http::HeaderMap;
use postrider::api::portal_theme::{ColorPalette, PortalTheme};

use super::{
    color::Color,
    embedding::{Embedding, is_framed, is_image},
    palette::{Palette, Part},
    sheet::Choices,
};
use crate::{
    cookie::Transport,
    theme::{Preferences, Theme},
};

/// How a page of the portal looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Appearance {
    /// The name above the pages.
    pub(crate) name: String,
    /// The URL of the image beside it.
    pub(crate) logo: Option<String>,
    pub(crate) theme: Theme,
    /// Whether the embedding page decides about light and dark.
    pub(crate) is_theme_given: bool,
    /// Whether the page is inside another one.
    pub(crate) is_framed: bool,
    pub(crate) is_transparent: bool,
    pub(crate) choices: Choices,
}

impl Default for Appearance {
    fn default() -> Self {
        Self::new(&Embedding::default(), false, Theme::Auto, &PortalTheme::default())
    }
}

impl Appearance {
    /// How a page looks for a request; `theme` is in the settings of the platform.
    pub(crate) fn of(headers: &HeaderMap, transport: Transport, theme: &PortalTheme) -> Self {
        let embedding = Embedding::find(headers, transport);
        let own = Preferences::find(headers, transport).theme;
        Self::new(&embedding, is_framed(headers), own, theme)
    }

    /// How a page looks; `own` is what the person has chosen.
    pub(crate) fn new(
        embedding: &Embedding,
        is_framed: bool,
        own: Theme,
        theme: &PortalTheme,
    ) -> Self {
        // Without the parameter, the embedding page is light.
        let given = embedding.theme.or(is_framed.then_some(Theme::Light));
        let logo = theme.custom_logo_url.as_ref().filter(|it| is_image(it));
        Self {
            name: theme.display_name.clone().unwrap_or_else(|| "Webhooks".to_owned()),
            logo: embedding.icon.as_ref().or(logo).cloned(),
            theme: given.unwrap_or(own),
            is_theme_given: given.is_some(),
            is_framed,
            is_transparent: is_framed && embedding.is_transparent,
            choices: choices(embedding, theme),
        }
    }

    /// The path of the style sheet, without the prefix of the site; none if nothing was chosen.
    /// `version` is that of the assets.
    pub(crate) fn sheet(&self, version: &str) -> Option<String> {
        let query = self.choices.query()?;
        Some(query.with("v", version).on("/portal/theme.css"))
    }
}

/// The embedding page has the last word.
fn choices(embedding: &Embedding, theme: &PortalTheme) -> Choices {
    let palette = |given: &Option<ColorPalette>, color: Option<Color>| {
        let custom = theme.custom_color.as_deref().and_then(Color::parse);
        let palette = Palette::default().with(Part::Primary, custom);
        let palette = given.iter().fold(palette, add);
        match color {
            // It replaces all colors that depend on the primary one.
            Some(_) => [Part::Primary, Part::Button, Part::Accent, Part::Navigation]
                .into_iter()
                .fold(palette, |palette, part| palette.with(part, color)),
            None => palette,
        }
    };
    Choices {
        light: palette(&theme.color_palette_light, embedding.light),
        dark: palette(&theme.color_palette_dark, embedding.dark),
        font: embedding.font.clone().or_else(|| theme.custom_font_family.clone()),
        size: theme.custom_base_font_size,
    }
}

fn add(palette: Palette, given: &ColorPalette) -> Palette {
    let parts = Part::ALL.into_iter().zip(given.colors());
    parts.fold(palette, |palette, (part, (_, color))| {
        palette.with(part, color.and_then(Color::parse))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform() -> PortalTheme {
        PortalTheme {
            display_name: Some("Acme".to_owned()),
            custom_color: Some("#111111".to_owned()),
            custom_font_family: Some("Inter".to_owned()),
            color_palette_dark: Some(ColorPalette {
                primary: Some("#222222".to_owned()),
                button_primary: Some("#333333".to_owned()),
                ..ColorPalette::default()
            }),
            ..PortalTheme::default()
        }
    }

    #[test]
    fn the_embedding_page_prevails_over_the_settings() {
        let settings = Appearance::new(&Embedding::default(), false, Theme::Dark, &platform());
        let color = Color::parse;
        assert_eq!((settings.name.as_str(), settings.theme), ("Acme", Theme::Dark));
        assert_eq!(settings.choices.light.get(Part::Primary), color("111"));
        assert_eq!(settings.choices.dark.get(Part::Primary), color("222"));
        assert_eq!(settings.choices.dark.get(Part::Button), color("333"));

        let given = Embedding {
            light: color("444"),
            dark: color("444"),
            font: Some("Lato".to_owned()),
            ..Embedding::default()
        };
        let embedded = Appearance::new(&given, true, Theme::Dark, &platform());
        assert_eq!(embedded.choices.dark.get(Part::Button), color("444"));
        assert_eq!(embedded.choices.font.as_deref(), Some("Lato"));
        assert_eq!((embedded.theme, embedded.is_theme_given), (Theme::Light, true));
    }

    #[test]
    fn without_choices_there_is_no_sheet() {
        let none =
            Appearance::new(&Embedding::default(), false, Theme::Auto, &PortalTheme::default());
        assert_eq!(none.sheet("1"), None);
        let some = Appearance::new(&Embedding::default(), false, Theme::Auto, &platform());
        assert!(some.sheet("1").unwrap().starts_with("/portal/theme.css?light-primary=%23111111&"));
    }
}
