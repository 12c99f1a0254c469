//! The tokens of subscriptions, as the official clients read them.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use postrider::{
    ApplicationId, AutoConfigId,
    signature::{Kind, Secret},
};
use serde_json::json;

use crate::{
    auth::{
        key::{KeyGrant, KeyId},
        token::{self, ApplicationGrant, Grant},
    },
    operations::{call::Call, secrets},
};

/// What tokens begin with.
pub(super) const PREFIX: &str = "auto_v2_";

/// How many of the last characters of a token are shown.
const HINT: usize = 4;

/// A token that was created.
pub(super) struct Issued {
    pub(super) token: String,
}

impl Issued {
    /// A token with which the receiver can configure the subscription and verify its messages.
    pub(super) fn new(
        call: &Call,
        application: ApplicationId,
        id: AutoConfigId,
        version: u32,
        secret: &Secret,
    ) -> Self {
        let content = json!({
            "aid": application,
            "sid": id,
            "surl": call.settings().portal_url.trim_end_matches('/'),
            "esec": secrets::key(secret),
            "tok": credential(call, application, id, version, secret),
        });
        Self { token: format!("{PREFIX}{}", BASE64_STANDARD.encode(content.to_string())) }
    }

    /// The last characters of the token.
    pub(super) fn hint(&self) -> String {
        let text = self.token.trim_end_matches('=').chars();
        text.rev().take(HINT).collect::<Vec<_>>().into_iter().rev().collect()
    }
}

/// What authenticates the receiver. It allows nothing but to configure the subscription.
fn credential(
    call: &Call,
    application: ApplicationId,
    id: AutoConfigId,
    version: u32,
    secret: &Secret,
) -> String {
    let key = KeyGrant { id: KeyId::AutoConfig(id, secrets::seal(call, secret)), version };
    let application = ApplicationGrant {
        capabilities: Some(BTreeSet::new()),
        key: Some(key),
        ..ApplicationGrant::full(application)
    };
    let grant = Grant { application: Some(application), ..Grant::of(call.organization().clone()) };
    token::mint(&grant, &call.settings().jwt_secret, call.now)
}

/// A new signing secret, of the kind that the official clients verify.
pub(super) fn secret(call: &Call) -> Secret {
    let mut random = [0; 32];
    call.engine().clock().random(&mut random);
    Secret::generate(Kind::Symmetric, random)
}
