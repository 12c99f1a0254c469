//! The theme in forms and in the API.

use serde_json::{Map, Value, json};

use crate::form::Form;

/// The palettes: the name in the API, the title, and the default colors.
pub(super) const PALETTES: [(&str, &str, [&str; 3]); 2] = [
    ("colorPaletteLight", "Light", ["#3457c9", "#ffffff", "#171b22"]),
    ("colorPaletteDark", "Dark", ["#93adff", "#14171c", "#e6e9ee"]),
];

/// The colors of a palette: the name in the API, and the label.
pub(super) const COLORS: [(&str, &str); 3] = [
    ("primary", "Buttons and links"),
    ("backgroundPrimary", "Background"),
    ("textPrimary", "Text"),
];

/// Fields with a text.
const TEXTS: [&str; 3] = ["displayName", "customLogoUrl", "customFontFamily"];

const SIZE: &str = "customBaseFontSize";

/// What the form contains at first.
pub(super) fn filled(settings: &Map<String, Value>) -> Form {
    let mut text = String::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let pair =
                form_urlencoded::Serializer::new(String::new()).append_pair(name, &value).finish();
            text.push_str(&pair);
            text.push('&');
        }
    };
    let string = |it: Option<&Value>| it.and_then(Value::as_str).map(ToOwned::to_owned);
    for name in TEXTS {
        add(name, string(settings.get(name)));
    }
    add(SIZE, settings.get(SIZE).and_then(Value::as_u64).map(|it| it.to_string()));
    // The color of both themes, which the palettes specialize.
    let common = string(settings.get("customColor"));
    for (palette, ..) in PALETTES {
        for (color, _) in COLORS {
            let own = string(settings.get(palette).and_then(|it| it.get(color)));
            let value = own.or_else(|| common.clone().filter(|_| color == "primary"));
            add(&format!("{palette}.{color}"), value);
        }
    }
    Form::parse(text.as_bytes())
}

/// The body that changes the theme. Colors that the form does not have stay as they are.
pub(super) fn changed(form: &Form, settings: &Map<String, Value>) -> Value {
    let mut body: Map<String, Value> =
        TEXTS.iter().map(|it| ((*it).to_owned(), json!(form.text(it)))).collect();
    let size = form.text(SIZE).map(|it| it.parse::<u64>().map_or_else(|_| json!(it), Value::from));
    body.insert(SIZE.to_owned(), size.unwrap_or(Value::Null));
    // The palettes have replaced it.
    body.insert("customColor".to_owned(), Value::Null);
    for (name, ..) in PALETTES {
        let old = settings.get(name).and_then(Value::as_object).cloned();
        let mut palette = old.unwrap_or_default();
        for (color, _) in COLORS {
            match form.text(&format!("{name}.{color}")) {
                Some(value) => drop(palette.insert(color.to_owned(), json!(value))),
                None => drop(palette.remove(color)),
            }
        }
        let value = if palette.is_empty() { Value::Null } else { Value::Object(palette) };
        body.insert(name.to_owned(), value);
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_colors_of_a_palette_stay() {
        let old = json!({ "colorPaletteLight": { "textDanger": "#a00", "primary": "#111" } });
        let old = old.as_object().unwrap();
        let form =
            Form::parse(b"displayName=Acme&colorPaletteLight.primary=%23222&customBaseFontSize=15");
        let expected = json!({
            "displayName": "Acme", "customLogoUrl": null, "customFontFamily": null,
            "customBaseFontSize": 15, "customColor": null,
            "colorPaletteLight": { "textDanger": "#a00", "primary": "#222" },
            "colorPaletteDark": null,
        });
        assert_eq!(changed(&form, old), expected);
        assert_eq!(filled(old).text("colorPaletteLight.primary"), Some("#111"));
    }

    #[test]
    fn the_common_color_is_that_of_both_palettes() {
        let old = json!({ "customColor": "#333" });
        let form = filled(old.as_object().unwrap());
        for (name, ..) in PALETTES {
            assert_eq!(form.text(&format!("{name}.primary")), Some("#333"));
        }
    }
}
