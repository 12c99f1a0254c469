//! Fonts that browsers have. Pages load no others.

/// Most bytes of the names of fonts.
const MAX_LENGTH: usize = 200;

const GENERIC: [&str; 8] = [
    "serif",
    "sans-serif",
    "monospace",
    "system-ui",
    "ui-sans-serif",
    "ui-serif",
    "ui-rounded",
    "ui-monospace",
];

/// The names of fonts as CSS, the default ones last; none if they are not names of fonts.
pub(crate) fn families(text: &str) -> Option<String> {
    let names: Vec<_> = text.split(',').map(name).collect::<Option<_>>()?;
    (text.len() <= MAX_LENGTH).then(|| format!("{}, system-ui, sans-serif", names.join(", ")))
}

fn name(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['"', '\'']);
    let is_plain = text.chars().all(|it| it.is_ascii_alphanumeric() || it == ' ' || it == '-');
    if text.is_empty() || !is_plain {
        return None;
    }
    Some(if GENERIC.contains(&text) { text.to_owned() } else { format!("\"{text}\"") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_fonts_become_css() {
        let cases = [
            ("Inter", Some("\"Inter\"")),
            ("Open Sans, 'Noto Sans', serif", Some("\"Open Sans\", \"Noto Sans\", serif")),
            ("x;} body{display:none", None),
            ("url(https://example.com)", None),
            ("Inter,", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|it| format!("{it}, system-ui, sans-serif"));
            assert_eq!(families(text), expected, "{text}");
        }
    }
}
