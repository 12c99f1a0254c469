//! Calls for portal tokens.

use http::Method;

use super::{Call, Client, Error};
use crate::api::{AppPortalAccessIn, AppPortalAccessOut};

/// Tokens for the application portal.
#[derive(Clone, Copy, Debug)]
pub struct Authentication<'a>(pub(super) &'a Client);

impl Authentication<'_> {
    /// Creates a link and a token for the customer of one application.
    pub async fn app_portal_access(
        &self,
        application: &str,
        access: &AppPortalAccessIn,
    ) -> Result<AppPortalAccessOut, Error> {
        let path = ["api", "v1", "auth", "app-portal-access", application];
        self.0.call(Call::new(Method::POST, &path).json(access)?).await?.json()
    }

    /// Revokes the token of this client, if it is an application's.
    pub async fn logout(&self) -> Result<(), Error> {
        self.0.call(Call::new(Method::POST, &["api", "v1", "auth", "logout"])).await.map(drop)
    }
}
