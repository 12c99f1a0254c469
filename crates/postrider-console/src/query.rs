//! Parameters of URLs.

use std::fmt;

/// The parameters of a URL, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The fields of a form as parameters.
    pub(crate) fn of(pairs: &[(String, String)]) -> Self {
        Self(pairs.to_vec())
    }

    /// Whether one of the parameters is present.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        self.0.iter().any(|it| names.contains(&it.0.as_str()))
    }

    /// The value of a parameter, if it is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|it| it.0 == name).map(|it| it.1.trim()).filter(|it| !it.is_empty())
    }

    /// All values of a parameter that are not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |it| it.0 == name);
        values.map(|it| it.1.trim()).filter(|it| !it.is_empty())
    }

    /// The same parameters with another value of one of them.
    #[must_use]
    pub(crate) fn with(&self, name: &str, value: impl fmt::Display) -> Self {
        let mut query = self.without(name);
        query.0.push((name.to_owned(), value.to_string()));
        query
    }

    /// The same parameters without one of them.
    #[must_use]
    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|it| it.0 != name).cloned().collect())
    }

    /// Adds a parameter if there is a value.
    #[must_use]
    pub(crate) fn and<T: fmt::Display>(mut self, name: &str, value: Option<T>) -> Self {
        if let Some(value) = value {
            self.0.push((name.to_owned(), value.to_string()));
        }
        self
    }

    /// Only the parameters with these names.
    #[must_use]
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|it| names.contains(&it.0.as_str())).cloned().collect())
    }

    /// The pairs, for hidden fields.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// A path with these parameters.
    pub(crate) fn on(&self, path: &str) -> String {
        if self.0.is_empty() { path.to_owned() } else { format!("{path}?{self}") }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut serializer = form_urlencoded::Serializer::new(String::new());
        f.write_str(&serializer.extend_pairs(&self.0).finish())
    }
}
