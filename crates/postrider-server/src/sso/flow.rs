//! The exchange with the provider: the URL that a sign-in begins with, and what its code is good
//! for.

use std::{sync::Arc, time::Duration};

use openidconnect::{
    AccessTokenHash, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims,
    IdTokenFields, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, TokenResponse, UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType,
        CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use postrider_engine::Clock;
use url::Url;

use super::{
    claims::OtherClaims,
    error::SignInError,
    http_client::RequestError,
    pending::PendingSignIn,
    provider::{self, Provider},
    settings::SsoSettings,
};

type Claims = IdTokenClaims<OtherClaims, CoreGenderClaim>;

type Tokens = StandardTokenResponse<
    IdTokenFields<
        OtherClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type ErrorResponse = StandardErrorResponse<CoreErrorResponseType>;

type Client = openidconnect::Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    ErrorResponse,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A person, as the provider describes them.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) subject: String,
    pub(super) name: Option<String>,
    /// The values of the claim with groups or roles.
    pub(super) groups: Vec<String>,
}

/// The exchange with the provider.
#[derive(Debug)]
pub(super) struct Flow<'a> {
    pub(super) settings: &'a SsoSettings,
    pub(super) provider: &'a Provider,
    pub(super) clock: &'a Clock,
    /// The URL of the callback.
    pub(super) redirect: Url,
}

impl Flow<'_> {
    /// Where the browser has to go.
    pub(super) async fn url(&self, pending: &PendingSignIn) -> Result<Url, SignInError> {
        let client = self.client(provider::LIFETIME).await?;
        let (state, nonce) = (pending.state.clone(), pending.nonce.clone());
        let verifier = PkceCodeVerifier::new(pending.verifier.clone());
        let scopes = self.settings.scopes.iter().filter(|it| *it != "openid");
        let (url, ..) = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(scopes.cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Exchanges a code, and verifies what the provider says.
    pub(super) async fn person(
        &self,
        code: String,
        pending: &PendingSignIn,
    ) -> Result<Person, SignInError> {
        let client = self.client(provider::LIFETIME).await?;
        let tokens = self.exchange(&client, code, &pending.verifier).await?;
        let claims = match verify(&client, &tokens, &pending.nonce) {
            Err(ClaimsVerificationError::SignatureVerification(error))
                if is_unknown_key(&error) =>
            {
                // The provider may have new keys.
                let client = self.client(provider::LIFETIME_UNKNOWN_KEY).await?;
                verify(&client, &tokens, &pending.nonce)
            },
            verified => verified,
        };
        let claims = claims.map_err(|error| SignInError::Provider(error.into()))?;
        let groups = match claims.additional_claims().values(&self.settings.claim) {
            Some(groups) => groups,
            None => self.groups_of_user_info(&client, &tokens, &claims).await?,
        };
        let name = claims.email().map(|it| it.to_string());
        let name = name.or_else(|| claims.preferred_username().map(|it| it.to_string()));
        Ok(Person { subject: claims.subject().to_string(), name, groups })
    }

    async fn client(&self, max_age: Duration) -> Result<Client, SignInError> {
        let metadata = self.provider.metadata(self.clock, max_age).await?;
        let settings = self.settings;
        let secret = settings.client_secret.as_ref();
        let secret = secret.map(|it| openidconnect::ClientSecret::new(it.reveal().to_owned()));
        let auth_type = auth_type(&metadata);
        let client = Client::from_provider_metadata(
            Arc::unwrap_or_clone(metadata),
            ClientId::new(settings.client_id.clone()),
            secret,
        );
        let redirect = RedirectUrl::from_url(self.redirect.clone());
        Ok(client.set_redirect_uri(redirect).set_auth_type(auth_type))
    }

    async fn exchange(
        &self,
        client: &Client,
        code: String,
        verifier: &str,
    ) -> Result<Tokens, SignInError> {
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| SignInError::Provider(error.into()))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        request.request_async(&self.provider.client).await.map_err(refusal)
    }

    /// Some providers put groups only into the answer of this request.
    async fn groups_of_user_info(
        &self,
        client: &Client,
        tokens: &Tokens,
        claims: &Claims,
    ) -> Result<Vec<String>, SignInError> {
        let (token, subject) = (tokens.access_token().clone(), claims.subject().clone());
        // A provider without it has said everything.
        let Ok(request) = client.user_info(token, Some(subject)) else { return Ok(Vec::new()) };
        let found: UserInfoClaims<OtherClaims, CoreGenderClaim> = request
            .request_async(&self.provider.client)
            .await
            .map_err(|error| SignInError::Unreachable(error.to_string().into()))?;
        Ok(found.additional_claims().values(&self.settings.claim).unwrap_or_default())
    }
}

/// How the client's secret is sent: in a header, unless the provider only takes it in the body.
fn auth_type(metadata: &CoreProviderMetadata) -> openidconnect::AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported();
    let takes = |method| methods.is_some_and(|it| it.contains(&method));
    let is_body = takes(CoreClientAuthMethod::ClientSecretPost)
        && !takes(CoreClientAuthMethod::ClientSecretBasic);
    if is_body { openidconnect::AuthType::RequestBody } else { openidconnect::AuthType::BasicAuth }
}

fn verify(
    client: &Client,
    tokens: &Tokens,
    nonce: &str,
) -> Result<Claims, ClaimsVerificationError> {
    let missing = || ClaimsVerificationError::Other("there is no id token".to_owned());
    let token = tokens.id_token().ok_or_else(missing)?;
    let verifier = client.id_token_verifier();
    let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned()))?;
    if let Some(expected) = claims.access_token_hash() {
        let other =
            |error: &dyn std::error::Error| ClaimsVerificationError::Other(error.to_string());
        let algorithm = token.signing_alg().map_err(|error| other(&error))?;
        let key = token.signing_key(&verifier).map_err(|error| other(&error))?;
        let found = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|error| other(&error))?;
        if found != *expected {
            return Err(ClaimsVerificationError::Other(
                "the access token is another one".to_owned(),
            ));
        }
    }
    Ok(claims.clone())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
const fn is_unknown_key(error: &SignatureVerificationError) -> bool {
    match error {
        SignatureVerificationError::NoMatchingKey
        // A new key may have the id of an old one.
        | SignatureVerificationError::CryptoError(_) => true,
        _ => false,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
fn refusal(error: RequestTokenError<RequestError, ErrorResponse>) -> SignInError {
    match error {
        RequestTokenError::ServerResponse(response) => match response.error() {
            CoreErrorResponseType::InvalidGrant => SignInError::CodeRefused,
            // The client's id or secret is wrong, which only the operator can correct.
            _ => SignInError::Provider(response.to_string().into()),
        },
        RequestTokenError::Request(error) => SignInError::Unreachable(error.into()),
        RequestTokenError::Parse(error, _) => SignInError::Provider(error.into()),
        RequestTokenError::Other(reason) => SignInError::Provider(reason.into()),
    }
}
