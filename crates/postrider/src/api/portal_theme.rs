//! How the customer portal looks.

use serde::{Deserialize, Serialize};

/// How the customer portal looks. What is absent is as in the console.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct PortalTheme {
    /// The name above the pages; `Webhooks` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The URL of an image beside the name; it begins with `https:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_logo_url: Option<String>,
    /// The color of buttons and links, such as `#3457c9`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_color: Option<String>,
    /// Names of fonts that browsers have, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_font_family: Option<String>,
    /// The size of texts in pixels; 14 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_base_font_size: Option<u8>,
    /// Colors of the light theme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_palette_light: Option<ColorPalette>,
    /// Colors of the dark theme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_palette_dark: Option<ColorPalette>,
}

/// The sizes of texts that the portal supports, in pixels.
pub const FONT_SIZES: std::ops::RangeInclusive<u8> = 12..=20;

/// Colors of the portal, such as `#3457c9`. Colors in which texts would be hard to read are
/// adjusted when they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ColorPalette {
    /// Buttons and links, if there is no more specific color.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Buttons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button_primary: Option<String>,
    /// Links and what is selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interactive_accent: Option<String>,
    /// The mark of the current page in the navigation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub navigation_accent: Option<String>,
    /// The background.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_primary: Option<String>,
    /// The background of headings of tables and of code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_secondary: Option<String>,
    /// The background of what the pointer is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_hover: Option<String>,
    /// Texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_primary: Option<String>,
    /// Texts about failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_danger: Option<String>,
}

impl ColorPalette {
    /// The colors with their names in the API.
    pub fn colors(&self) -> [(&'static str, Option<&str>); 9] {
        [
            ("primary", self.primary.as_deref()),
            ("buttonPrimary", self.button_primary.as_deref()),
            ("interactiveAccent", self.interactive_accent.as_deref()),
            ("navigationAccent", self.navigation_accent.as_deref()),
            ("backgroundPrimary", self.background_primary.as_deref()),
            ("backgroundSecondary", self.background_secondary.as_deref()),
            ("backgroundHover", self.background_hover.as_deref()),
            ("textPrimary", self.text_primary.as_deref()),
            ("textDanger", self.text_danger.as_deref()),
        ]
    }
}
