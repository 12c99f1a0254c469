//! The fields of a form that was sent.

/// The fields, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The fields of a form that has not been sent yet.
    pub(crate) fn filled<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The value of a field without surrounding white space, if it is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|it| !it.is_empty())
    }

    /// The value of a field as it was entered.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// All values of a field that are not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |it| it.0 == name);
        values.map(|it| it.1.trim()).filter(|it| !it.is_empty())
    }

    /// Whether a checkbox is checked, or a button was pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|it| it.0 == name)
    }

    /// The parts of a field between commas, spaces and lines.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        let text = self.raw(name).unwrap_or_default();
        let words = text.split([',', ' ', '\n', '\r', '\t']).filter(|it| !it.is_empty());
        words.map(ToOwned::to_owned).collect()
    }

    /// The fields that the person filled in.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}
