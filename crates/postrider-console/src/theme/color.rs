//! Colors, and whether a text in one is readable on another.

use std::fmt;

/// The contrast that texts need, according to the Web Content Accessibility Guidelines (AA).
pub(crate) const READABLE: f64 = 4.5;

/// The contrast that the borders of fields need.
pub(crate) const VISIBLE: f64 = 3.0;

/// A color without transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color([u8; 3]);

pub(crate) const WHITE: Color = Color([255; 3]);
pub(crate) const BLACK: Color = Color([0; 3]);

impl Color {
    /// `rgb` or `rrggbb` in hexadecimal digits, with or without `#`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        match digits.len() {
            6 => Some(Self([number[1], number[2], number[3]])),
            // Each digit counts twice.
            3 => Some(Self([number[2] & 15, number[3] >> 4, number[3] & 15].map(|it| it * 17))),
            _ => None,
        }
    }

    /// The color between two: `percent` of the other, and the rest of this one.
    pub(crate) fn mix(self, other: Self, percent: u16) -> Self {
        let part = |place: usize| {
            let (own, other) = (u16::from(self.0[place]), u16::from(other.0[place]));
            u8::try_from((own * (100 - percent) + other * percent) / 100).unwrap_or(u8::MAX)
        };
        Self([part(0), part(1), part(2)])
    }

    /// The contrast of two colors, from 1 to 21.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (own, other) = (self.luminance(), other.luminance());
        (own.max(other) + 0.05) / (own.min(other) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// This color, or as little more of `toward` as it needs to have the contrast with all others.
    pub(crate) fn until(self, toward: Self, contrast: f64, others: &[Self]) -> Self {
        let is_enough = |it: &Self| others.iter().all(|other| it.contrast(*other) >= contrast);
        (0..=100).map(|percent| self.mix(toward, percent)).find(is_enough).unwrap_or(toward)
    }

    /// White or black: the one that is readable on this color.
    pub(crate) fn text(self) -> Self {
        if self.contrast(WHITE) >= READABLE { WHITE } else { BLACK }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_hexadecimal() {
        let cases = [
            ("#3457c9", Some("#3457c9")),
            ("28BB93", Some("#28bb93")),
            ("#abc", Some("#aabbcc")),
            ("#abcd", None),
            ("+12345", None),
            ("red", None),
            ("", None),
            ("#3457c9;}", None),
            ("ééé", None),
        ];
        for (text, expected) in cases {
            let found = Color::parse(text).map(|it| it.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn texts_on_any_color_are_readable() {
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 0.01);
        for red in (0..=255).step_by(17) {
            for green in (0..=255).step_by(17) {
                for blue in (0..=255).step_by(17) {
                    let color = Color([red, green, blue]);
                    assert!(color.contrast(color.text()) >= READABLE, "{color}");
                    let darker = color.until(BLACK, READABLE, &[WHITE]);
                    assert!(darker.contrast(WHITE) >= READABLE, "{color}");
                }
            }
        }
    }

    #[test]
    fn only_pale_colors_are_darkened() {
        let color = |text| Color::parse(text).unwrap();
        assert_eq!(color("#3457c9").until(BLACK, READABLE, &[WHITE]), color("#3457c9"));
        let darker = color("#28bb93").until(BLACK, READABLE, &[WHITE]);
        assert!(darker != BLACK && darker.contrast(WHITE) < READABLE + 0.2, "{darker}");
    }
}
