//! Writes the effective configuration, and the page that documents every key.

use std::fmt::Write;

use super::{
    Loaded,
    error::Source,
    load::{keys, variable},
    settings::Section,
    value::Shown,
};

/// The effective configuration as TOML, with where each value came from and no secret.
pub(crate) fn effective(loaded: &Loaded) -> String {
    let mut values = Vec::new();
    loaded.config.values(&mut values);
    let mut text = String::new();
    let mut section = String::new();
    for (key, shown) in keys().iter().zip(values) {
        let (this, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        if this != section {
            this.clone_into(&mut section);
            line(&mut text, format_args!("\n[{section}]"));
        }
        let origin = loaded.origins.get(&key.path).unwrap_or(&Source::Default);
        match shown {
            Shown::Value(value) => line(&mut text, format_args!("{name} = {value} # {origin}")),
            Shown::Unset => line(&mut text, format_args!("# {name} is not set")),
            Shown::Hidden => line(&mut text, format_args!("# {name} is hidden # {origin}")),
        }
    }
    text
}

/// A value in a message.
pub(super) fn value(shown: &Shown) -> String {
    match shown {
        Shown::Value(value) => value.to_string(),
        Shown::Unset => "not set".to_owned(),
        Shown::Hidden => "not shown".to_owned(),
    }
}

/// The reference page in Markdown.
pub(crate) fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    for key in keys() {
        line(&mut text, format_args!("\n### `{}`\n", key.path));
        // One sentence per line.
        line(&mut text, format_args!("{}", key.about.replace(". ", ".\n")));
        let default = match key.default {
            "" => "none".to_owned(),
            default => format!("`{default}`"),
        };
        line(&mut text, format_args!("\n- Default: {default}"));
        line(&mut text, format_args!("- Variable: `{}`", variable(&key.path)));
        line(&mut text, format_args!("- Form: {}", key.expected));
    }
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a string takes every write");
}

const INTRODUCTION: &str = "\
# Configuration

Postrider works without any configuration.
What you set is read from three places, and later ones win:

1. a TOML file: the one that `--config FILE` or `POSTRIDER_CONFIG` names, else `postrider.toml` \
in the current folder if there is one;
2. the environment: `POSTRIDER_` and the key in capitals, with `__` for the dot of a nested key;
3. flags: `--listen ADDR`, `--data DIR`, `--database-url URL`, and `--set KEY=VALUE` for every other key.

A list is a TOML list, or a text with commas.
Keys and `POSTRIDER_` variables that do not exist are errors.
`postrider config` prints what is in effect, and where each value came from, with the secrets hidden.
`postrider config --reference` prints this page.

## Keys
";

#[cfg(test)]
mod tests {
    use toml::Value;

    use super::*;
    use crate::config::{Overrides, load};

    #[test]
    fn the_reference_page_is_up_to_date() {
        let page = include_str!("../../../../docs/configuration.md");
        assert!(
            page == reference(),
            "run `cargo run -- config --reference > docs/configuration.md`"
        );
    }

    const DATABASE: &str =
        "database_url=postgres://sesame:sesame@one:1,two/hooks?options=-cdatestyle%3Dsesame";

    #[test]
    fn what_is_printed_can_be_read_back_and_holds_no_secret() {
        let set =
            ["jwt_secret=sesame", "proxy=http://me:sesame@proxy:1", "limits.batch=3", DATABASE];
        let set = set.map(str::to_owned).to_vec();
        let loaded = load(&Overrides { set, ..Overrides::default() }).unwrap();
        let text = effective(&loaded);
        assert!(!text.contains("sesame"), "{text}");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["limits"]["batch"], Value::from(3));
        assert!(text.contains("listen = \"127.0.0.1:8071\" # default"), "{text}");
        assert!(text.contains("# jwt_secret is hidden # --set"), "{text}");
        assert!(text.contains("proxy = \"http://hidden@proxy:1\" # --set"), "{text}");
        assert!(text.contains("database_url = \"postgres://one:1,two:5432/hooks\""), "{text}");
    }
}
