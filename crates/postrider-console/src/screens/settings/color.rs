//! Colors, and whether texts in them can be read.

/// The least contrast between a text and its background.
pub(super) const LEAST_TENTHS: u64 = 45;

/// A color without transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color([u8; 3]);

impl Color {
    /// Reads `#3457c9` or `#abc`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('#')?;
        let digit =
            |place: usize| digits.get(place..=place).and_then(|it| u8::from_str_radix(it, 16).ok());
        let part = |place: usize| match digits.len() {
            3 => Some(digit(place)? * 17),
            6 => Some(digit(2 * place)? * 16 + digit(2 * place + 1)?),
            _ => None,
        };
        Some(Self([part(0)?, part(1)?, part(2)?]))
    }

    pub(super) fn hex(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// The better of black and white as the color of a text on this one.
    pub(super) fn text(self) -> Self {
        let (black, white) = (Self([16, 22, 42]), Self([255, 255, 255]));
        if contrast_tenths(self, white) >= contrast_tenths(self, black) { white } else { black }
    }

    /// The relative luminance of WCAG 2.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126f64.mul_add(red, 0.7152f64.mul_add(green, 0.0722 * blue))
    }
}

/// The contrast of two colors in tenths, from 10 to 210, rounded down.
pub(super) fn contrast_tenths(one: Color, other: Color) -> u64 {
    let (one, other) = (one.luminance(), other.luminance());
    let ratio = (one.max(other) + 0.05) / (one.min(other) + 0.05);
    // At most 210.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let tenths = (ratio * 10.0 + 1e-6).floor() as u64;
    tenths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrasts_are_those_of_the_guidelines() {
        let rows = [
            ("#000", "#fff", Some(210)),
            ("#777777", "#ffffff", Some(44)),
            ("#767676", "#ffffff", Some(45)),
            ("#3457c9", "#ffffff", Some(62)),
            ("#12", "#fff", None),
            ("blue", "#fff", None),
        ];
        for (one, other, expected) in rows {
            let pair = Color::parse(one).zip(Color::parse(other));
            assert_eq!(
                pair.map(|(one, other)| contrast_tenths(one, other)),
                expected,
                "{one} {other}"
            );
        }
        assert_eq!(Color::parse("#abc").unwrap().hex(), "#aabbcc");
        assert_eq!(Color::parse("#ffee00").unwrap().text().hex(), "#10162a");
    }
}
