//! What the form of a kind consists of.

/// How a field of a configuration is entered, and what it becomes in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::screens::endpoints) enum Input {
    /// One line.
    Text,
    /// A credential, which is never shown.
    Secret,
    /// A credential of several lines.
    SecretText,
    /// A whole number.
    Number,
    /// A whole number or a name.
    NumberOrText,
    /// Yes or no, and what it is if it is absent.
    Flag(bool),
    /// One of these values; the first is the default.
    Choice(&'static [(&'static str, &'static str)]),
    /// Several lines of text.
    Long,
    /// A list with one entry per line.
    Lines,
    /// An object with one `name: value` per line.
    Pairs,
    /// Any JSON.
    Json,
}

/// A field of a configuration.
#[derive(Clone, Copy, Debug)]
pub(in crate::screens::endpoints) struct ConfigField {
    /// The name in the API.
    pub(in crate::screens::endpoints) name: &'static str,
    pub(in crate::screens::endpoints) label: &'static str,
    pub(in crate::screens::endpoints) input: Input,
    pub(in crate::screens::endpoints) hint: &'static str,
    pub(in crate::screens::endpoints) example: &'static str,
    pub(in crate::screens::endpoints) is_required: bool,
    /// Whether it is shown only on demand.
    pub(in crate::screens::endpoints) is_advanced: bool,
}

impl ConfigField {
    pub(super) const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    pub(super) const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub(super) const fn advanced(self) -> Self {
        Self { is_advanced: true, ..self }
    }
}

pub(super) const fn field(name: &'static str, label: &'static str, input: Input) -> ConfigField {
    let (hint, example) = ("", "");
    ConfigField { name, label, input, hint, example, is_required: false, is_advanced: false }
}

pub(super) const CERTIFICATES: ConfigField =
    field("trustedCertificates", "Trusted certificates", Input::Long)
        .hint("Certificate authorities in PEM, to trust instead of those of the server.")
        .example("-----BEGIN CERTIFICATE-----")
        .advanced();

/// What a person chooses from.
#[derive(Clone, Copy, Debug)]
pub(in crate::screens::endpoints) struct KindForm {
    pub(in crate::screens::endpoints) title: &'static str,
    /// What happens to a message.
    pub(in crate::screens::endpoints) summary: &'static str,
    pub(in crate::screens::endpoints) fields: &'static [ConfigField],
}
