//! The style sheet of a portal's theme. The content security policy forbids styles in pages, so the
//! colors are in the URL of the sheet, and browsers keep the sheet as long as they are the same.

use std::fmt::Write;

use super::{
    color::Color,
    font,
    palette::{DARK, LIGHT, Palette, Part, properties},
};
use crate::query::Query;

/// What a platform has chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) light: Palette,
    pub(crate) dark: Palette,
    /// Names of fonts.
    pub(crate) font: Option<String>,
    /// The size of texts in pixels.
    pub(crate) size: Option<u8>,
}

impl Choices {
    /// Reads the parameters of the sheet's URL. Values that are not valid are ignored.
    pub(crate) fn of(query: &Query) -> Self {
        let palette = |mode: &str| {
            let color = |part: Part| query.text(&key(mode, part)).and_then(Color::parse);
            Part::ALL.into_iter().fold(Palette::default(), |all, part| all.with(part, color(part)))
        };
        Self {
            light: palette("light"),
            dark: palette("dark"),
            font: query.text("font").map(ToOwned::to_owned),
            size: query.text("size").and_then(|it| it.parse().ok()),
        }
    }

    /// The parameters of the sheet's URL; none if nothing was chosen.
    pub(crate) fn query(&self) -> Option<Query> {
        let palettes = [("light", &self.light), ("dark", &self.dark)];
        let colors = palettes.into_iter().flat_map(|(mode, palette)| {
            Part::ALL.into_iter().map(move |part| (key(mode, part), palette.get(part)))
        });
        let query = colors.fold(Query::default(), |query, (key, color)| query.and(&key, color));
        let query = query.and("font", self.font.as_deref()).and("size", self.size);
        (!query.pairs().is_empty()).then_some(query)
    }

    /// The sheet.
    pub(crate) fn css(&self) -> String {
        let mut css = String::from(":root {\n");
        if !(self.light.is_empty() && self.dark.is_empty()) {
            let light = properties(LIGHT, &self.light);
            let dark = properties(DARK, &self.dark);
            for ((name, light), (_, dark)) in light.into_iter().zip(dark) {
                line(&mut css, &format!("--{name}: light-dark({light}, {dark})"));
            }
        }
        if let Some(families) = self.font.as_deref().and_then(font::families) {
            line(&mut css, &format!("--font: {families}"));
        }
        if let Some(size) =
            self.size.filter(|it| postrider::api::portal_theme::FONT_SIZES.contains(it))
        {
            // Text has 14 of the 16 pixels of a root em.
            line(&mut css, &format!("font-size: calc({size}px * 16 / 14)"));
        }
        css.push_str("}\n");
        css
    }
}

fn key(mode: &str, part: Part) -> String {
    format!("{mode}-{}", part.name())
}

fn line(css: &mut String, text: &str) {
    writeln!(css, "  {text};").expect("strings take all that is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_sheet_contains_the_choices() {
        let choices = Choices {
            light: Palette::default().with(Part::Primary, Color::parse("28bb93")),
            dark: Palette::default().with(Part::Background, Color::parse("101010")),
            font: Some("Open Sans".to_owned()),
            size: Some(16),
        };
        let query = choices.query().unwrap();
        assert_eq!(Choices::of(&Query::parse(Some(&query.to_string()))), choices);
        assert_eq!(Choices::default().query(), None);
    }

    #[test]
    fn a_sheet_contains_only_valid_values() {
        let css = |text: &str| Choices::of(&Query::parse(Some(text))).css();
        assert_eq!(css("light-primary=red;}&font=a;b&size=900"), ":root {\n}\n");
        insta::assert_snapshot!(css("light-primary=28bb93&font=Open+Sans&size=16"));
    }
}
