//! The settings of single sign-on.

use std::{fmt, time::Duration};

use postrider::OrganizationId;
use postrider_engine::HttpClient;

use crate::auth::Role;

/// How people sign in.
#[derive(Clone, Debug)]
pub struct SsoSettings {
    /// The URL of the identity provider, exactly as its tokens name it.
    pub issuer: String,
    pub client_id: String,
    /// A public client has none.
    pub client_secret: Option<ClientSecret>,
    /// What is requested of the provider, besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that contains the groups or roles of a person.
    pub claim: String,
    /// The role of each value of the claim. A person has the first that applies.
    pub roles: Vec<(String, Role)>,
    /// The organization that people work for.
    pub organization: OrganizationId,
    /// How long a session lasts.
    pub session: Duration,
    /// Calls the provider, if the address guard allows it.
    pub http: HttpClient,
}

/// The secret that the server has in common with the provider.
#[derive(Clone)]
pub struct ClientSecret(String);

impl ClientSecret {
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}
