//! The configuration of a receiver: secrets, parameters, and fetched keys.

use std::{collections::BTreeMap, fmt, time::Duration};

use zeroize::Zeroizing;

/// What verification needs besides the request.
#[derive(Clone, Default)]
pub struct Settings {
    /// Secrets, public keys or passwords, as the provider shows them. Any of them may match, so
    /// that they can be rotated without a gap.
    pub secrets: Vec<Zeroizing<String>>,
    /// Extra parameters that some providers require: see [`Provider::parameters`](super::Provider).
    pub parameters: BTreeMap<String, Zeroizing<String>>,
    /// Accept every request without verification. For providers that do not sign, and only if that
    /// was chosen explicitly.
    pub accept_unsigned: bool,
    /// Maximum age of a signature, if it differs from the provider's.
    pub tolerance: Option<Duration>,
    /// Keys that were fetched because [`VerifyError::KeyNeeded`](super::VerifyError) asked for
    /// them.
    pub fetched: Vec<FetchedKey>,
}

impl Settings {
    /// Creates settings with these secrets. Whitespace around a secret is removed.
    pub fn new<S: Into<String>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let trimmed = |it: S| Zeroizing::new(Zeroizing::new(it.into()).trim().to_owned());
        let secrets = secrets.into_iter().map(trimmed).collect();
        Self { secrets, ..Self::default() }
    }

    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(|it| it.as_str())
    }

    /// The content that was fetched from this URL.
    pub fn fetched(&self, url: &str) -> Option<&[u8]> {
        self.fetched.iter().find(|it| it.url == url).map(|it| it.body.as_slice())
    }
}

/// Hides secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("secrets", &self.secrets.len())
            .field("parameters", &self.parameters.keys())
            .field("accept_unsigned", &self.accept_unsigned)
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

/// The response to a [`KeyRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedKey {
    /// The URL of the request.
    pub url: String,
    /// The body of the response.
    pub body: Vec<u8>,
}

/// A key, a certificate or a key set that has to be fetched: `GET`, https only, no redirects. The
/// host is on the provider's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The URL.
    pub url: String,
    /// Headers to send, such as an access token.
    pub headers: Vec<(String, String)>,
    /// If there is a body, the request is a `POST` of JSON.
    pub body: Option<String>,
}
