//! Tokens and keys that people sign in with.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::request::Parts;
use postrider::api::{OneTimeTokenIn, OneTimeTokenOut, WhoamiOut};
use serde::Deserialize;

use crate::{
    api::{Api, v1},
    context::Shared,
    form::Form,
    site::Audience,
    ui::sentence,
};

/// How long the browser keeps the token; the token itself may end earlier.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A person who has signed in.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) token: String,
    pub(super) audience: Audience,
    /// How long the browser keeps the token; until it closes if there is none.
    pub(super) lifetime: Option<Duration>,
}

/// The content of a sign-in link behind its `#key=`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    /// A token that is valid once.
    one_time_token: Option<String>,
    /// A token of an application.
    token: Option<String>,
}

/// Signs in with the key of a link or with a token, or says why not.
pub(super) async fn sign_in(
    shared: &Arc<Shared>,
    parts: &Parts,
    form: &Form,
) -> Result<SignedIn, String> {
    let origin = shared.site.origin();
    let api = |token: Option<&str>| Api::new(shared.settings.api.clone(), token, &origin, parts);
    let token = match form.text("key") {
        Some(key) => token_of_key(&api(None), key).await?,
        None => form.text("token").ok_or("Enter a token or an API key.")?.to_owned(),
    };
    if !token.bytes().all(|it| it.is_ascii_graphic()) {
        return Err("A token consists of letters, digits, dots, dashes and underscores.".to_owned());
    }
    let who: WhoamiOut = api(Some(&token))
        .get(v1(&["auth", "whoami"]))
        .await
        .map_err(|it| sentence(&it.to_string()))?;
    let is_customer = who.role.is_none() && who.app_id.is_some();
    let audience = if is_customer { Audience::Portal } else { Audience::Console };
    let lifetime = (!is_customer).then_some(LIFETIME);
    Ok(SignedIn { token, audience, lifetime })
}

async fn token_of_key(api: &Api, key: &str) -> Result<String, String> {
    const MALFORMED: &str = "The sign-in link is incomplete. Open it again, or create another one.";
    let decoded = BASE64_STANDARD.decode(key).map_err(|_| MALFORMED)?;
    let key: Key = serde_json::from_slice(&decoded).map_err(|_| MALFORMED)?;
    match (key.one_time_token, key.token) {
        (Some(one_time_token), _) => {
            let body = OneTimeTokenIn { one_time_token };
            let exchanged = api.post::<OneTimeTokenOut>(v1(&["auth", "one-time-token"]), &body);
            exchanged.await.map(|it| it.token).map_err(|it| sentence(&it.to_string()))
        },
        (None, Some(token)) => Ok(token),
        (None, None) => Err(MALFORMED.to_owned()),
    }
}
