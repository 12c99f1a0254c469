//! The settings that determine how the customer portal looks.

use postrider::api::portal_theme::{ColorPalette, FONT_SIZES, PortalTheme};
use serde_json::{Value, from_value};
use url::Url;

/// Most characters of the name and of the names of fonts.
const MAX_NAME: usize = 100;

/// Most characters of the URL of the logo. Portals repeat it in a cookie, which has 4 KiB.
const MAX_URL: usize = 1_000;

/// Changes a setting of the theme; false if there is none with this name.
pub(super) fn set(
    theme: &mut Option<Box<PortalTheme>>,
    name: &str,
    value: &Value,
) -> Result<bool, String> {
    let mut new = theme.as_deref().cloned().unwrap_or_default();
    match name {
        "displayName" => new.display_name = text(value, is_name, "must be 1 to 100 characters")?,
        "customLogoUrl" => {
            let rule = "must be a URL that begins with https:// and has at most 1000 characters";
            new.custom_logo_url = text(value, is_image, rule)?;
        },
        "customColor" => new.custom_color = text(value, is_color, COLOR)?,
        "customFontFamily" => {
            let rule =
                "must be names of fonts of letters, digits, spaces and dashes, separated by commas";
            new.custom_font_family = text(value, is_font, rule)?;
        },
        "customBaseFontSize" => new.custom_base_font_size = size(value)?,
        "colorPaletteLight" => new.color_palette_light = palette(value)?,
        "colorPaletteDark" => new.color_palette_dark = palette(value)?,
        _ => return Ok(false),
    }
    *theme = (new != PortalTheme::default()).then(|| Box::new(new));
    Ok(true)
}

const COLOR: &str = "must be a color such as #3457c9";

fn text(value: &Value, is_valid: fn(&str) -> bool, rule: &str) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if is_valid(text) => Ok(Some(text.clone())),
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Err(rule.to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    let has_content = text.chars().any(|it| !it.is_whitespace());
    has_content && text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control)
}

fn is_image(text: &str) -> bool {
    let is_secure = Url::parse(text).is_ok_and(|it| it.scheme() == "https");
    is_secure && text.len() <= MAX_URL && text.bytes().all(|it| it.is_ascii_graphic())
}

/// `#rgb` or `#rrggbb`.
fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|it| it.is_ascii_hexdigit())
}

fn is_font(text: &str) -> bool {
    let is_mark = |it: char| it.is_ascii_alphanumeric() || " -,\"'".contains(it);
    is_name(text) && text.chars().all(is_mark)
}

fn size(value: &Value) -> Result<Option<u8>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let size = value.as_u64().and_then(|it| u8::try_from(it).ok());
    let size = size.filter(|it| FONT_SIZES.contains(it));
    let range = (FONT_SIZES.start(), FONT_SIZES.end());
    size.map(Some).ok_or_else(|| format!("must be {} to {} pixels, or null", range.0, range.1))
}

fn palette(value: &Value) -> Result<Option<ColorPalette>, String> {
    if let Value::Object(given) = value {
        let known = ColorPalette::default().colors().map(|it| it.0);
        if let Some(other) = given.keys().find(|it| !known.contains(&it.as_str())) {
            return Err(format!("has no color {other}; there are {}", known.join(", ")));
        }
    }
    let palette: Option<ColorPalette> =
        from_value(value.clone()).map_err(|_| "must be an object with colors".to_owned())?;
    let wrong = palette.iter().flat_map(ColorPalette::colors);
    let wrong = wrong.filter_map(|(name, color)| color.filter(|it| !is_color(it)).map(|_| name));
    match wrong.min() {
        Some(name) => Err(format!("{name} {COLOR}")),
        None => Ok(palette),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn themes_have_valid_colors_fonts_and_images() {
        let hex = Err(COLOR.to_owned());
        let cases = [
            ("customColor", json!("#3457c9"), Ok(true)),
            ("customColor", json!("#abc"), Ok(true)),
            ("customColor", json!(null), Ok(true)),
            ("customColor", json!("3457c9"), hex.clone()),
            ("customColor", json!("red;}"), hex),
            ("colorPaletteDark", json!({ "primary": "#fff", "textDanger": null }), Ok(true)),
            (
                "colorPaletteLight",
                json!({ "primary": "white" }),
                Err("primary must be a color such as #3457c9".to_owned()),
            ),
            ("displayName", json!("Events of Acme"), Ok(true)),
            ("displayName", json!(" "), Err("must be 1 to 100 characters".to_owned())),
            ("customBaseFontSize", json!(16), Ok(true)),
            ("customBaseFontSize", json!(90), Err("must be 12 to 20 pixels, or null".to_owned())),
            ("enforceHttps", json!(true), Ok(false)),
        ];
        for (name, value, expected) in cases {
            assert_eq!(set(&mut None, name, &value), expected, "{name}: {value}");
        }
        for (url, is_valid) in [
            ("https://a.example/l.svg", true),
            ("http://a.example", false),
            ("javascript:x", false),
        ] {
            assert_eq!(is_image(url), is_valid, "{url}");
        }
        for (font, is_valid) in
            [("Inter, \"Open Sans\", sans-serif", true), ("x; } body {", false), ("url(x)", false)]
        {
            assert_eq!(is_font(font), is_valid, "{font}");
        }
    }

    #[test]
    fn a_theme_without_settings_is_none() {
        let mut theme = None;
        assert_eq!(set(&mut theme, "customColor", &json!("#fff")), Ok(true));
        assert!(theme.is_some());
        assert_eq!(set(&mut theme, "customColor", &json!(null)), Ok(true));
        assert_eq!(theme, None);
    }
}
