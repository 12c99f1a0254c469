//! The request that is verified.

/// A request as it was received, before any parsing.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method in upper case: `POST`.
    pub method: &'a str,
    /// The URL that the provider uses, with its query. Some providers sign it, and behind a proxy
    /// the `Host` header does not reveal it.
    pub url: &'a str,
    /// All headers.
    pub headers: Headers<'a>,
    /// The body, byte for byte as received, and still compressed if it was.
    pub body: &'a [u8],
}

/// The headers of a request, with names in any case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a>(pub &'a [(&'a str, &'a [u8])]);

impl<'a> Headers<'a> {
    /// The first value of the header, if it is text.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}
