//! A request as it came.

/// A request as it came, before anything was parsed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `POST`, in capitals.
    pub method: &'a str,
    /// The URL as the provider knows it, with its query: some sign it, and behind a proxy the
    /// `Host` header does not tell it.
    pub url: &'a str,
    /// All headers.
    pub headers: Headers<'a>,
    /// The body, byte for byte as it came, compressed if it came so.
    pub body: &'a [u8],
}

/// The headers of a request; names in any case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a>(pub &'a [(&'a str, &'a [u8])]);

impl<'a> Headers<'a> {
    /// The first value of the header, if it has one that is text.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}
