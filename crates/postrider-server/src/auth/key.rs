//! The keys of an application: tokens that are valid until they are rotated or deleted.

use std::{collections::BTreeSet, str::FromStr};

use postrider::{AutoConfigId, EndpointId, IntegrationId};
use postrider_core::catalog::{Application, SealedSecret};
use serde::{Deserialize, Serialize};

/// The key of an application that a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGrant {
    pub id: KeyId,
    /// A key is valid if it has the version of its record.
    pub version: u32,
}

/// What a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyId {
    /// An integration, which may do everything.
    Integration(IntegrationId),
    /// A subscription, which may only configure itself. The secret will sign its messages.
    AutoConfig(AutoConfigId, SealedSecret),
    /// A polling endpoint, which may only be polled. The operations that poll check whether the
    /// endpoint still has the token.
    Polling(EndpointId),
}

impl KeyGrant {
    /// The feature flags of the key, if it is valid.
    pub(crate) fn feature_flags(&self, application: &Application) -> Option<BTreeSet<String>> {
        let (version, flags) = match &self.id {
            KeyId::Integration(id) => {
                let found = application.integrations.iter().find(|it| it.id == *id)?;
                (found.key_version, &found.feature_flags)
            },
            KeyId::AutoConfig(id, _) => {
                let found = application.auto_configs.iter().find(|it| it.id == *id)?;
                (found.key_version, &found.feature_flags)
            },
            KeyId::Polling(_) => return Some(BTreeSet::new()),
        };
        (version == self.version).then(|| flags.iter().cloned().collect())
    }
}

/// The claim of a token that is a key.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KeyClaim {
    id: String,
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<SealedSecret>,
}

impl KeyClaim {
    pub(crate) fn of(grant: &KeyGrant) -> Self {
        let (id, secret) = match &grant.id {
            KeyId::Integration(id) => (id.to_string(), None),
            KeyId::AutoConfig(id, secret) => (id.to_string(), Some(secret.clone())),
            // Its token is not signed, so there are no claims that could be read again.
            KeyId::Polling(id) => (id.to_string(), None),
        };
        Self { id, version: grant.version, secret }
    }

    /// What the claim grants; `None` if it is not one that this server has made.
    pub(crate) fn grant(self) -> Option<KeyGrant> {
        let id = match self.secret {
            Some(secret) => KeyId::AutoConfig(AutoConfigId::from_str(&self.id).ok()?, secret),
            None => KeyId::Integration(IntegrationId::from_str(&self.id).ok()?),
        };
        Some(KeyGrant { id, version: self.version })
    }
}
