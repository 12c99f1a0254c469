//! Validation of an OAuth configuration.

use postrider::api::{
    ClientSecretJwtParamsIn, EndpointOauthConfigIn, Oauth2AuthMethodInOut, Oauth2GrantTypeInOut,
    OauthJwsSigningAlgorithm,
    endpoint_authentication::{
        MAX_CREDENTIAL, MAX_JWT_KEY, MAX_JWT_LIFETIME, MAX_OAUTH_ITEMS, MAX_OAUTH_TEXT,
    },
};
use postrider_core::{
    catalog::{ClientAuthentication, GrantType, JwtKey, OauthConfig},
    oauth::RESERVED_PARAMS,
};
use postrider_engine::check_jwt_key;

use crate::{
    api::{error::ApiError, problems::Problems},
    operations::{
        call::Call,
        custom_headers::{self, Owner},
        endpoint::url,
    },
};

/// A valid configuration, and its refresh token if the grant has one.
#[derive(Clone)]
pub(super) struct Parsed {
    pub config: OauthConfig,
    pub refresh_token: Option<String>,
}

pub(super) fn parse(call: &Call, body: EndpointOauthConfigIn) -> Result<Parsed, ApiError> {
    let mut problems = Problems::within(&["body"]);
    url::check_at(call.settings(), "tokenUrl", &body.token_url, &mut problems);
    text("clientId", &body.client_id, MAX_OAUTH_TEXT, &mut problems);
    let grant_type = match body.grant_type {
        Oauth2GrantTypeInOut::ClientCredentials => GrantType::ClientCredentials,
        Oauth2GrantTypeInOut::RefreshToken => GrantType::RefreshToken,
    };
    let client = client(&body, &mut problems);
    check_refresh_token(&body, &mut problems);
    let scopes = body.scopes.unwrap_or_default();
    check_scopes(&scopes, &mut problems);
    let params = body.extra_params.unwrap_or_default();
    check_params(params.iter(), &mut problems);
    let headers = body.extra_headers.unwrap_or_default();
    custom_headers::check(&headers, &["extraHeaders"], Owner::Endpoint, &mut problems);
    let config = OauthConfig {
        grant_type,
        token_url: body.token_url,
        client_id: body.client_id,
        client,
        scopes,
        params,
        headers,
        set_at: call.now,
    };
    problems.finish_with(Parsed { config, refresh_token: body.refresh_token })
}

/// A text that must not be empty.
fn text(field: &str, text: &str, max: usize, problems: &mut Problems<'_>) {
    problems.require(!text.is_empty(), field, "must not be empty");
    if text.len() > max {
        problems.add(&[field], format!("is longer than {max} bytes"));
    }
}

fn client(body: &EndpointOauthConfigIn, problems: &mut Problems<'_>) -> ClientAuthentication {
    let is_jwt = body.auth_method == Oauth2AuthMethodInOut::ClientSecretJwt;
    let only_jwt = "is only for `clientSecretJwt`";
    problems.require(is_jwt || body.jwt_params.is_none(), "jwtParams", only_jwt);
    problems.require(
        !is_jwt || body.client_secret.is_none(),
        "clientSecret",
        "must be absent for `clientSecretJwt`, which uses `jwtParams`",
    );
    match body.auth_method {
        Oauth2AuthMethodInOut::ClientSecretBasic => {
            ClientAuthentication::Basic { secret: secret(body, true, problems).unwrap_or_default() }
        },
        Oauth2AuthMethodInOut::ClientSecretPost => {
            let is_required = body.grant_type == Oauth2GrantTypeInOut::ClientCredentials;
            ClientAuthentication::Post { secret: secret(body, is_required, problems) }
        },
        Oauth2AuthMethodInOut::ClientSecretJwt => {
            ClientAuthentication::Jwt(jwt_key(body.jwt_params.as_ref(), problems))
        },
    }
}

fn secret(
    body: &EndpointOauthConfigIn,
    is_required: bool,
    problems: &mut Problems<'_>,
) -> Option<String> {
    match &body.client_secret {
        Some(secret) => text("clientSecret", secret, MAX_OAUTH_TEXT, problems),
        None if is_required => problems.missing(&["clientSecret"]),
        None => {},
    }
    body.client_secret.clone()
}

fn jwt_key(params: Option<&ClientSecretJwtParamsIn>, problems: &mut Problems<'_>) -> JwtKey {
    match params {
        Some(params) => check_key(&params.secret_base64, problems),
        None => problems.missing(&["jwtParams"]),
    }
    let ClientSecretJwtParamsIn {
        secret_base64: key,
        signing_algorithm: OauthJwsSigningAlgorithm::Rs256,
        secret_id: key_id,
        token_expiry_secs: lifetime_seconds,
        audience,
    } = params.cloned().unwrap_or_default();
    for (field, text) in [("secretId", &key_id), ("audience", &audience)] {
        if text.as_ref().is_some_and(|text| text.len() > MAX_OAUTH_TEXT) {
            let message = format!("is longer than {MAX_OAUTH_TEXT} bytes");
            problems.add(&["jwtParams", field], message);
        }
    }
    if lifetime_seconds.is_some_and(|it| !(1..=MAX_JWT_LIFETIME).contains(&it)) {
        let message = format!("must be from 1 to {MAX_JWT_LIFETIME}");
        problems.add(&["jwtParams", "tokenExpirySecs"], message);
    }
    JwtKey { key, key_id, lifetime_seconds, audience }
}

fn check_key(key: &str, problems: &mut Problems<'_>) {
    let place = ["jwtParams", "secretBase64"];
    if key.len() > MAX_JWT_KEY {
        problems.add(&place, format!("is longer than {MAX_JWT_KEY} bytes"));
    } else if let Err(error) = check_jwt_key(key) {
        problems.add(&place, error.to_string());
    }
}

fn check_refresh_token(body: &EndpointOauthConfigIn, problems: &mut Problems<'_>) {
    match (body.grant_type, &body.refresh_token) {
        (Oauth2GrantTypeInOut::RefreshToken, None) => problems.missing(&["refreshToken"]),
        (Oauth2GrantTypeInOut::RefreshToken, Some(token)) => {
            text("refreshToken", token, MAX_CREDENTIAL, problems);
        },
        (Oauth2GrantTypeInOut::ClientCredentials, Some(_)) => {
            problems.add(&["refreshToken"], "is only for the grant type `refreshToken`");
        },
        (Oauth2GrantTypeInOut::ClientCredentials, None) => {},
    }
}

fn check_scopes(scopes: &[String], problems: &mut Problems<'_>) {
    if scopes.len() > MAX_OAUTH_ITEMS {
        problems.add(&["scopes"], format!("has more than {MAX_OAUTH_ITEMS} items"));
        return;
    }
    for (index, scope) in scopes.iter().enumerate() {
        let is_scope = !scope.is_empty()
            && scope.len() <= MAX_OAUTH_TEXT
            && scope.bytes().all(|it| it.is_ascii_graphic() && it != b'"' && it != b'\\');
        if !is_scope {
            let message = "must be visible ASCII characters without spaces, quotes and backslashes";
            problems.add(&["scopes", &index.to_string()], message);
        }
    }
}

fn check_params<'a>(
    params: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
    problems: &mut Problems<'_>,
) {
    if params.len() > MAX_OAUTH_ITEMS {
        problems.add(&["extraParams"], format!("has more than {MAX_OAUTH_ITEMS} items"));
        return;
    }
    for (name, value) in params {
        if RESERVED_PARAMS.contains(&name.as_str()) {
            problems.add(&["extraParams", name], "is set from the other fields");
        } else if name.is_empty() || name.len() + value.len() > MAX_OAUTH_TEXT {
            let message = format!("must have a name, and at most {MAX_OAUTH_TEXT} bytes");
            problems.add(&["extraParams", name], message);
        }
    }
}
