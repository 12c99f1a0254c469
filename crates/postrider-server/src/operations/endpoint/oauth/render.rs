//! The OAuth configuration as responses show it.

use std::collections::BTreeMap;

use postrider::api::{EndpointOauthConfigOut, Oauth2AuthMethodInOut, Oauth2GrantTypeInOut};
use postrider_core::{
    catalog::{ClientAuthentication, GrantType, OauthConfig},
    kind::MASK,
    oauth::has_secret_name,
};

pub(super) fn shown(config: OauthConfig) -> EndpointOauthConfigOut {
    EndpointOauthConfigOut {
        grant_type: match config.grant_type {
            GrantType::ClientCredentials => Oauth2GrantTypeInOut::ClientCredentials,
            GrantType::RefreshToken => Oauth2GrantTypeInOut::RefreshToken,
        },
        auth_method: match config.client {
            ClientAuthentication::Basic { .. } => Oauth2AuthMethodInOut::ClientSecretBasic,
            ClientAuthentication::Post { .. } => Oauth2AuthMethodInOut::ClientSecretPost,
            ClientAuthentication::Jwt(_) => Oauth2AuthMethodInOut::ClientSecretJwt,
        },
        token_url: config.token_url,
        client_id: config.client_id,
        scopes: Some(config.scopes).filter(|it| !it.is_empty()),
        extra_params: masked(config.params),
        extra_headers: masked(config.headers),
    }
}

fn masked(pairs: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    let pairs = pairs.into_iter().map(|(name, value)| {
        let value = if has_secret_name(&name) { MASK.to_owned() } else { value };
        (name, value)
    });
    Some(pairs.collect::<BTreeMap<_, _>>()).filter(|pairs| !pairs.is_empty())
}
