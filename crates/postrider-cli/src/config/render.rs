//! Renders the effective configuration, and the reference page of all keys.

use std::fmt::Write;

use super::{
    consumers::{ConfiguredConsumer, ConsumerEntry},
    endpoints::{ConfiguredEndpoint, EndpointEntry},
    entry::EntryKey,
    error::Source,
    keys::{file_variable, keys, variable},
    load::Loaded,
    section::Section,
    value::DisplayValue,
};

/// The effective configuration as TOML, with the origin of each value and without secrets.
pub(crate) fn effective(loaded: &Loaded) -> String {
    let mut values = Vec::new();
    loaded.config.values(&mut values);
    let mut text = String::new();
    let mut section = String::new();
    for (key, value) in keys().iter().zip(values) {
        let (this, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        if this != section {
            this.clone_into(&mut section);
            line(&mut text, format_args!("\n[{section}]"));
        }
        let origin = loaded.origins.get(&key.path).unwrap_or(&Source::Default);
        match value {
            DisplayValue::Value(value) => {
                line(&mut text, format_args!("{name} = {value} # {origin}"));
            },
            DisplayValue::Unset => line(&mut text, format_args!("# {name} is not set")),
            DisplayValue::Hidden => line(&mut text, format_args!("# {name} is hidden # {origin}")),
        }
    }
    for ConfiguredEndpoint { origin, label, endpoint, .. } in &loaded.declared.endpoints {
        let (kind, application) = (endpoint.endpoint.kind, &endpoint.application);
        line(&mut text, format_args!("\n# {label} of the kind {kind} in {application} # {origin}"));
    }
    for ConfiguredConsumer { origin, label, consumer, .. } in &loaded.declared.consumers {
        let kind = consumer.consumer.kind;
        line(&mut text, format_args!("\n# {label} of the kind {kind} # {origin}"));
    }
    text
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
        let file = file_variable(&key.path);
        let file =
            file.map_or_else(String::new, |it| format!(", or `{it}` with the path of a file"));
        line(&mut text, format_args!("- Variable: `{}`{file}", variable(&key.path)));
        line(&mut text, format_args!("- Value: {}", key.expected));
    }
    text.push_str(ENDPOINTS_INTRODUCTION);
    add_entry_keys(&mut text, EndpointEntry::KEYS);
    text.push_str(CONSUMERS_INTRODUCTION);
    add_entry_keys(&mut text, ConsumerEntry::KEYS);
    text
}

/// A table of the keys of an entry.
fn add_entry_keys(text: &mut String, keys: &[EntryKey]) {
    line(text, format_args!("\n| key | value | meaning |\n|---|---|---|"));
    for EntryKey { name, about, expected } in keys {
        let about = about.iter().map(|it| it.trim()).collect::<Vec<_>>().join(" ");
        line(text, format_args!("| `{name}` | {expected} | {about} |"));
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

const INTRODUCTION: &str = "\
# Configuration

Postrider works without any configuration.
Settings are read from three places; later ones win:

1. A TOML file: the one that `--config FILE` or `POSTRIDER_CONFIG` names, or `postrider.toml` in the \
current folder if it exists.
2. The environment: `POSTRIDER_` followed by the key in upper case, with `__` instead of the dot of a nested key.
3. Flags: `--listen ADDR`, `--data DIR`, `--database-url URL`, and `--set KEY=VALUE` for any key.

A list is a TOML list, or a text with commas.
Unknown keys and unknown `POSTRIDER_` variables are errors.

A key that can contain a secret has a second variable, which ends with `_FILE` and names a file with the value: `POSTRIDER_MAIN_SECRET_FILE=/run/secrets/main-secret`.
A file can have several secrets, one in each line.
Use it with the credentials of systemd, and with the secrets of Docker and Kubernetes.

`postrider config` prints the effective configuration with the origin of each value, without secrets.
`postrider config --reference` prints this page.

## Keys
";

const ENDPOINTS_INTRODUCTION: &str = r#"
## Endpoints

`[[endpoints]]` defines endpoints in the file, one table for each:

```toml
[[endpoints]]
uid = "orders"
application = "acme"
kind = "postgres"
event_types = ["order.paid"]

[endpoints.config]
url = { from_env = "ORDERS_DATABASE_URL" }
table = "orders"
```

The server creates and changes them when it starts, before it accepts requests.
What has not changed in the file is left alone; what clients have changed meanwhile is set to the values of the file.
An endpoint whose entry was removed stays, and the log names it at every start until it is deleted.
A mistake keeps the server from starting; `postrider config` finds most of them without a server.

Anywhere in an entry, `{ from_env = "NAME" }` is replaced by the value of an environment variable, and `{ from_file = "PATH" }` by the text in a file, without the line break at its end.
Use them for credentials: they are encrypted in the store, and the file stays free of them.
Lists like this one can only be set in the file.
"#;

const CONSUMERS_INTRODUCTION: &str = r#"
## Consumers

`[[consumers]]` defines [queues to read](consumers.md), in the same way:

```toml
[[consumers]]
uid = "orders"
kind = "nats"

[consumers.config]
url = { from_env = "ORDERS_NATS_URL" }
stream = "ORDERS"

[consumers.mapping]
application = "$.body.customer"
event_type = "order.{{ body.kind }}"
```
"#;

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
    fn the_printed_configuration_can_be_loaded_and_contains_no_secret() {
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
