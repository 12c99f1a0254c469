//! What the receiver knows: secrets, parameters, and keys that were fetched.

use std::{collections::BTreeMap, fmt, time::Duration};

use zeroize::Zeroizing;

/// What verifying takes beside the request.
#[derive(Clone, Default)]
pub struct Settings {
    /// Secrets, public keys or passwords, as the provider shows them; any of them may match,
    /// so that they can be replaced without a gap.
    pub secrets: Vec<Zeroizing<String>>,
    /// What some providers need beside: see [`Provider::parameters`](super::Provider).
    pub parameters: BTreeMap<String, Zeroizing<String>>,
    /// Take every request without looking at signatures. For providers that do not sign, and
    /// only if somebody chose it in so many words.
    pub accept_unsigned: bool,
    /// How old a signature may be, if not as the provider has it.
    pub tolerance: Option<Duration>,
    /// What was fetched because [`VerifyError::KeyNeeded`](super::VerifyError) asked for it.
    pub fetched: Vec<FetchedKey>,
}

impl Settings {
    /// Settings with these secrets and nothing else. Blanks and line ends around a secret are
    /// not part of it.
    pub fn new<S: Into<String>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let trimmed = |it: S| Zeroizing::new(Zeroizing::new(it.into()).trim().to_owned());
        let secrets = secrets.into_iter().map(trimmed).collect();
        Self { secrets, ..Self::default() }
    }

    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(|it| it.as_str())
    }

    /// What was fetched from this URL.
    pub fn fetched(&self, url: &str) -> Option<&[u8]> {
        self.fetched.iter().find(|it| it.url == url).map(|it| it.body.as_slice())
    }
}

/// Shows no secret.
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

/// What came from a URL that a [`KeyRequest`] named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedKey {
    /// The URL of the request.
    pub url: String,
    /// The answer's body.
    pub body: Vec<u8>,
}

/// A key, a certificate or a set of keys that has to be fetched: `GET`, https only, no
/// redirects. The host was held against the provider's list already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// Where it is.
    pub url: String,
    /// Headers to send, such as an access token.
    pub headers: Vec<(String, String)>,
    /// A body makes it a `POST` of JSON.
    pub body: Option<String>,
}
