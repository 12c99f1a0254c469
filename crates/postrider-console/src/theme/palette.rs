//! The colors of the style sheet that follow from those that a platform has chosen.

use super::color::{BLACK, Color, READABLE, VISIBLE, WHITE};

/// A color that a platform can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Primary,
    Button,
    Accent,
    Navigation,
    Background,
    Secondary,
    Hover,
    Text,
    Danger,
}

impl Part {
    /// In the order of `ColorPalette::colors`.
    pub(crate) const ALL: [Self; 9] = [
        Self::Primary,
        Self::Button,
        Self::Accent,
        Self::Navigation,
        Self::Background,
        Self::Secondary,
        Self::Hover,
        Self::Text,
        Self::Danger,
    ];

    /// Its name in the URL of the style sheet.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Button => "button",
            Self::Accent => "accent",
            Self::Navigation => "navigation",
            Self::Background => "background",
            Self::Secondary => "secondary",
            Self::Hover => "hover",
            Self::Text => "text",
            Self::Danger => "danger",
        }
    }
}

/// The colors that a platform has chosen for the light or the dark theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Palette([Option<Color>; 9]);

impl Palette {
    pub(crate) const fn get(&self, part: Part) -> Option<Color> {
        self.0[part as usize]
    }

    /// Sets a color, unless there is none.
    #[must_use]
    pub(crate) fn with(mut self, part: Part, color: Option<Color>) -> Self {
        self.0[part as usize] = color.or(self.0[part as usize]);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// Light or dark, with the colors of `base.css`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    /// The color of the background, which others are moved away from.
    far: Color,
    background: &'static str,
    secondary: &'static str,
    raised: &'static str,
    hover: &'static str,
    text: &'static str,
    text_soft: &'static str,
    line: &'static str,
    line_strong: &'static str,
    accent: &'static str,
    danger: &'static str,
    /// The color on its background that is hardest to read.
    faint: &'static str,
}

pub(super) const LIGHT: Mode = Mode {
    far: BLACK,
    background: "#ffffff",
    secondary: "#f6f7f9",
    raised: "#ffffff",
    hover: "#f0f2f6",
    text: "#171b22",
    text_soft: "#565d69",
    line: "#e2e5ea",
    line_strong: "#878e99",
    accent: "#3457c9",
    danger: "#b3261e",
    faint: "#875400",
};

pub(super) const DARK: Mode = Mode {
    far: WHITE,
    background: "#14171c",
    secondary: "#0f1216",
    raised: "#1b1f26",
    hover: "#20252d",
    text: "#e6e9ee",
    text_soft: "#a3abb8",
    line: "#2b313a",
    line_strong: "#747c89",
    accent: "#93adff",
    danger: "#ff9a90",
    faint: "#a3abb8",
};

/// A custom property of the style sheet, and its color.
pub(super) type Property = (&'static str, Color);

/// All properties of a mode.
pub(super) fn properties(mode: Mode, palette: &Palette) -> Vec<Property> {
    let surface = Surface::new(mode, palette);
    let mut all = surface.properties();
    all.extend(surface.shades(mode, palette));
    all.extend(accents(mode, palette, &surface));
    all
}

/// What texts are on.
struct Surface {
    background: Color,
    secondary: Color,
    raised: Color,
    hover: Color,
    text: Color,
}

impl Surface {
    fn new(mode: Mode, palette: &Palette) -> Self {
        let near = mode.far.text();
        // The colors of states stay as they are, so backgrounds must suit them.
        let readable = |chosen: Color| chosen.until(near, READABLE, &[known(mode.faint)]);
        let chosen = palette.get(Part::Background).map(readable);
        let or = |part, default| palette.get(part).map_or_else(|| known(default), readable);
        let background = chosen.unwrap_or_else(|| known(mode.background));
        let secondary = or(Part::Secondary, mode.secondary);
        let hover = or(Part::Hover, mode.hover);
        let raised = chosen.unwrap_or_else(|| known(mode.raised));
        let text = palette.get(Part::Text).unwrap_or_else(|| known(mode.text));
        let text = text.until(mode.far, READABLE, &[background, secondary, raised, hover]);
        Self { background, secondary, raised, hover, text }
    }

    fn properties(&self) -> Vec<Property> {
        vec![
            ("bg", self.background),
            ("bg-sunken", self.secondary),
            ("bg-raised", self.raised),
            ("bg-hover", self.hover),
            ("text", self.text),
        ]
    }

    /// Colors between that of texts and that of the background.
    fn shades(&self, mode: Mode, palette: &Palette) -> [Property; 3] {
        let Self { background, secondary, raised, hover, text } = *self;
        let own = [Part::Background, Part::Secondary, Part::Hover, Part::Text];
        let [soft, line, strong] = if own.into_iter().any(|it| palette.get(it).is_some()) {
            let all = [background, secondary, raised, hover];
            [
                text.mix(background, 30).until(text, READABLE, &all),
                background.mix(text, 12),
                background.mix(text, 45).until(text, VISIBLE, &all),
            ]
        } else {
            [mode.text_soft, mode.line, mode.line_strong].map(known)
        };
        [("text-soft", soft), ("line", line), ("line-strong", strong)]
    }
}

fn accents(mode: Mode, palette: &Palette, on: &Surface) -> Vec<Property> {
    let surfaces = [on.background, on.secondary, on.raised, on.hover];
    let primary = palette.get(Part::Primary).unwrap_or_else(|| known(mode.accent));
    let chosen = palette.get(Part::Accent).unwrap_or(primary);
    let accent = chosen.until(mode.far, READABLE, &surfaces);
    let soft = on.background.mix(chosen, 11);
    let strong = accent.mix(mode.far, 18).until(mode.far, READABLE, &[soft]);
    let fill = palette.get(Part::Button).unwrap_or(primary);
    let on_fill = fill.text();
    // Away from the color of its text, so that this stays readable.
    let away = if on_fill == WHITE { BLACK } else { WHITE };
    let navigation = palette.get(Part::Navigation).unwrap_or(chosen);
    let danger = palette.get(Part::Danger).unwrap_or_else(|| known(mode.danger));
    vec![
        ("accent", accent),
        ("accent-strong", strong),
        ("accent-soft", soft),
        ("on-accent", accent.text()),
        ("fill", fill),
        ("fill-strong", fill.mix(away, 16)),
        ("on-fill", on_fill),
        ("navigation", navigation.until(mode.far, VISIBLE, &[on.background])),
        ("bad", danger.until(mode.far, READABLE, &surfaces)),
    ]
}

/// A color of this file.
fn known(text: &str) -> Color {
    Color::parse(text).expect("the colors of this file are hexadecimal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(all: &[Property], name: &str) -> Color {
        all.iter().find(|it| it.0 == name).unwrap().1
    }

    #[test]
    fn the_modes_have_the_colors_of_the_style_sheet() {
        let css = include_str!("../../assets/css/base.css");
        let pairs = [
            ("bg", LIGHT.background, DARK.background),
            ("bg-sunken", LIGHT.secondary, DARK.secondary),
            ("bg-raised", LIGHT.raised, DARK.raised),
            ("bg-hover", LIGHT.hover, DARK.hover),
            ("text", LIGHT.text, DARK.text),
            ("text-soft", LIGHT.text_soft, DARK.text_soft),
            ("line", LIGHT.line, DARK.line),
            ("line-strong", LIGHT.line_strong, DARK.line_strong),
            ("accent", LIGHT.accent, DARK.accent),
            ("bad", LIGHT.danger, DARK.danger),
        ];
        for (name, light, dark) in pairs {
            let line = format!("--{name}: light-dark({light}, {dark});");
            assert!(css.contains(&line), "{line}");
        }
    }

    #[test]
    fn every_choice_is_readable() {
        let choices = ["#ffffff", "#000000", "#ffff00", "#28bb93", "#808080", "#3457c9", "#ff0080"];
        let all = Part::ALL;
        for mode in [LIGHT, DARK] {
            for first in choices {
                for second in choices {
                    let color = |place: usize| {
                        Color::parse(if place.is_multiple_of(2) { first } else { second })
                    };
                    let fill = |palette: Palette, (place, part): (usize, Part)| {
                        palette.with(part, color(place))
                    };
                    let palette = all.into_iter().enumerate().fold(Palette::default(), fill);
                    check(&properties(mode, &palette), &format!("{first} {second} {mode:?}"));
                }
            }
        }
    }

    #[track_caller]
    fn check(all: &[Property], what: &str) {
        for (text, on) in [
            ("text", "bg"),
            ("text", "bg-sunken"),
            ("text-soft", "bg"),
            ("text-soft", "bg-hover"),
            ("accent", "bg"),
            ("accent", "bg-raised"),
            ("accent-strong", "accent-soft"),
            ("on-accent", "accent"),
            ("on-fill", "fill"),
            ("on-fill", "fill-strong"),
            ("bad", "bg"),
        ] {
            let contrast = find(all, text).contrast(find(all, on));
            assert!(contrast >= READABLE, "{text} on {on}: {contrast} ({what})");
        }
    }

    #[test]
    fn buttons_have_exactly_the_chosen_color() {
        let green = Color::parse("28bb93");
        let all = properties(LIGHT, &Palette::default().with(Part::Primary, green));
        assert_eq!((Some(find(&all, "fill")), find(&all, "on-fill")), (green, BLACK));
        assert_ne!(Some(find(&all, "accent")), green);
        let all = properties(DARK, &Palette::default().with(Part::Primary, green));
        assert_eq!(Some(find(&all, "accent")), green);
    }
}
