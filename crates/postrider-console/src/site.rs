//! Where the pages are: the server's public URL, and the paths of pages.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use crate::cookie::Transport;

/// Characters that separate the parts of a URL.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Whom a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Operators and developers.
    Console,
    /// The customer of a platform, who sees one application.
    Portal,
}

/// The public URL of the server.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    public: Url,
    prefix: String,
}

impl Site {
    pub(crate) fn new(public: Url) -> Self {
        let prefix = public.path().trim_end_matches('/').to_owned();
        Self { public, prefix }
    }

    /// The path of a page for browsers; `path` begins with a slash.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The public URL of a path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin(), self.prefix)
    }

    /// The public URL without its path.
    pub(crate) fn origin(&self) -> String {
        self.public.origin().ascii_serialization()
    }

    /// The host of the public URL, in lower case.
    pub(crate) fn host(&self) -> Option<&str> {
        self.public.host_str()
    }

    pub(crate) fn transport(&self) -> Transport {
        if self.public.scheme() == "https" {
            return Transport::Encrypted;
        }
        match self.public.host() {
            Some(url::Host::Ipv4(address)) if address.is_loopback() => Transport::Loopback,
            Some(url::Host::Ipv6(address)) if address.is_loopback() => Transport::Loopback,
            Some(url::Host::Domain("localhost")) => Transport::Loopback,
            _ => Transport::Plain,
        }
    }
}

/// A path of these segments, which are encoded.
pub(crate) fn join(segments: &[&str]) -> String {
    segments.iter().flat_map(|it| ["/".to_owned(), encode(it)]).collect()
}

/// A text as one segment of a path.
pub(crate) fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}
