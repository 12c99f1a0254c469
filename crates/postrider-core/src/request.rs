//! The request of one attempt: its headers, its signature, its body.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use postrider::{EndpointId, signature::Secret};
use url::Url;

use crate::{
    catalog::{Authentication, Endpoint},
    client_identity::ClientIdentity,
    credentials::{CredentialHeader, CredentialProblem},
    message::{Format, Message},
    oauth::OauthClient,
    protected_headers::RECEIVED,
    signing::{ProfileSigner, SigningError, Subject},
    time::Timestamp,
    transformation::ShapedRequest,
    vault::{Vault, VaultError},
};

pub use crate::protected_headers::{is_protected, is_sensitive};

/// Names of the headers for id, time and signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureHeaders {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    Standard,
    /// The same three with `svix-`.
    Svix,
    Both,
}

/// What all requests to an endpoint have in common, prepared once.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub endpoint: EndpointId,
    pub url: Url,
    /// The URL, for HTTP/2 and forwarding proxies.
    pub absolute: Uri,
    /// Path and query, for HTTP/1.1.
    pub relative: Uri,
    /// Certificates in PEM that are trusted instead of the installation's.
    pub trusted: Option<Arc<str>>,
    /// The client certificate, if the endpoint has one.
    pub identity: Option<Arc<ClientIdentity>>,
    /// How access tokens are fetched, if the endpoint uses OAuth. The sender adds the token.
    pub oauth: Option<Arc<OauthClient>>,
    /// The endpoint's own credential. It replaces every other header with its name.
    credential: Option<CredentialHeader>,
    pub method: Method,
    /// Requests have the trace context of their attempt.
    pub forwards_trace_context: bool,
    /// Host, user agent and the endpoint's custom headers.
    headers: HeaderMap,
    /// Those that a transformation set. They take precedence over all others except those of the
    /// signature.
    transformed: HeaderMap,
    /// A transformation made the body, so what the message says about its format does not hold.
    is_json: bool,
    signers: Box<[Signer]>,
    names: SignatureHeaders,
    /// Signs in addition to Standard Webhooks, or instead.
    profile: Option<Arc<ProfileSigner>>,
}

#[derive(Clone, Debug)]
struct Signer {
    secret: Secret,
    until: Timestamp,
}

/// Why a stored endpoint cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("stored URL does not parse")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Secret(#[from] VaultError),
    #[error("stored credential is not valid: {0}")]
    Credential(#[from] CredentialProblem),
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// Whether a message may have this header: those that customers may set, and some more for
/// received webhooks.
fn is_allowed_in_message(name: &str) -> bool {
    !is_protected(name)
        || name.eq_ignore_ascii_case("content-encoding")
        || name.starts_with(RECEIVED)
}

impl Prepared {
    /// Prepares the requests to an endpoint; `user_agent` identifies this server.
    pub fn new(
        endpoint: &Endpoint,
        vault: &Vault,
        names: SignatureHeaders,
        user_agent: &HeaderValue,
    ) -> Result<Self, PrepareError> {
        let url = Url::parse(&endpoint.url).map_err(|error| PrepareError::Url(error.into()))?;
        let Address { absolute, relative, host } = Address::of(&url)?;
        let own = vault.open_at_rest(&endpoint.headers)?;
        let mut headers = own_headers(own.iter(), |name| !is_protected(name));
        headers.insert(header::HOST, host);
        headers.insert(header::USER_AGENT, user_agent.clone());
        let signers = signers(endpoint, vault)?;
        let authentication = &endpoint.authentication;
        let credentials = vault.open_at_rest(&authentication.credentials)?;
        Ok(Self {
            endpoint: endpoint.id,
            url,
            absolute,
            relative,
            trusted: endpoint.trusted_certificates.as_deref().map(Arc::from),
            identity: identity(authentication, vault)?.map(Arc::new),
            oauth: oauth(authentication, vault)?.map(Arc::new),
            credential: credentials.as_ref().map(CredentialHeader::new).transpose()?,
            method: Method::POST,
            forwards_trace_context: endpoint.forward_trace_context,
            headers,
            transformed: HeaderMap::new(),
            is_json: false,
            signers,
            names,
            profile: profile(endpoint, vault)?.map(Arc::new),
        })
    }

    /// The same with what a transformation changed. The URL must have been checked. At another
    /// origin than the endpoint's, requests do not authenticate, so that no code can send
    /// credentials elsewhere that its author cannot read.
    pub fn transformed(&self, shaped: &ShapedRequest, url: &Url) -> Result<Self, PrepareError> {
        let Address { absolute, relative, host } = Address::of(url)?;
        let mut headers = self.headers.clone();
        headers.insert(header::HOST, host);
        let is_same = url.origin() == self.url.origin();
        Ok(Self {
            url: url.clone(),
            absolute,
            relative,
            method: shaped.method.clone(),
            headers,
            transformed: shaped.headers.iter().cloned().collect(),
            is_json: shaped.is_json,
            identity: self.identity.clone().filter(|_| is_same),
            oauth: self.oauth.clone().filter(|_| is_same),
            credential: self.credential.clone().filter(|_| is_same),
            ..self.clone()
        })
    }

    /// The request with `body`, signed at `at`. It has the relative URI and a `Host` header.
    pub fn request(&self, message: &Message, body: Bytes, at: Timestamp) -> Request<Bytes> {
        let id = message.id.to_string();
        let event_id = message.event_id.as_ref().map_or(id.as_str(), |it| it.as_str());
        let event_type = message.event_type.as_str();
        let subject = Subject { id: &id, event_id, event_type, body: &body, at };
        let headers = self.signed_headers(&subject, &message.format);
        self.with_body(headers, body)
    }

    /// The same for a batch of messages with this id, whose body is JSON.
    pub fn batch_request(&self, id: &str, body: Bytes, at: Timestamp) -> Request<Bytes> {
        let subject = Subject { id, event_id: id, event_type: "", body: &body, at };
        let headers = self.signed_headers(&subject, &Format::Json);
        self.with_body(headers, body)
    }

    /// The names of the headers that contain signatures.
    pub fn signature_names(&self) -> Vec<&str> {
        let standard = ["webhook-signature", "svix-signature"].into_iter();
        let profile = self.profile.iter().flat_map(|profile| profile.signature_names());
        standard.chain(profile).collect()
    }

    fn with_body(&self, headers: HeaderMap, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.relative.clone();
        *request.headers_mut() = headers;
        request
    }

    fn signed_headers(&self, subject: &Subject<'_>, format: &Format) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Format::Raw { headers: own } = format {
            let own = own.iter().map(|(name, value)| (name, value));
            add(&mut headers, own_headers(own, is_allowed_in_message));
        }
        if self.is_json {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(CredentialHeader { name, value }) = &self.credential {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.transformed {
            headers.insert(name, value.clone());
        }
        match &self.profile {
            None => self.sign(subject, &mut headers),
            Some(profile) => {
                if profile.is_with_standard() {
                    self.sign(subject, &mut headers);
                }
                profile.sign(&self.method, &self.url, subject, &mut headers);
            },
        }
        headers
    }

    /// Adds the headers of Standard Webhooks.
    fn sign(&self, subject: &Subject<'_>, headers: &mut HeaderMap) {
        let Subject { id, body, at, .. } = *subject;
        let signature = self.signature(id, body, at);
        let value = |text: &str| HeaderValue::from_str(text).expect("ids and signatures are ASCII");
        let values = [value(id), HeaderValue::from(at.as_seconds()), value(&signature)];
        for names in self.names.all() {
            for (name, value) in names.into_iter().zip(&values) {
                headers.insert(HeaderName::from_static(name), value.clone());
            }
        }
    }

    /// Signatures with the current secret and with recently rotated ones.
    fn signature(&self, id: &str, body: &[u8], at: Timestamp) -> String {
        let mut signature = String::new();
        for signer in self.signers.iter().filter(|it| it.until > at) {
            if !signature.is_empty() {
                signature.push(' ');
            }
            signature.push_str(&signer.secret.sign(id, at.as_seconds(), body));
        }
        signature
    }
}

/// The forms of a URL that requests contain.
struct Address {
    absolute: Uri,
    relative: Uri,
    host: HeaderValue,
}

impl Address {
    fn of(url: &Url) -> Result<Self, PrepareError> {
        let absolute: Uri = url
            .as_str()
            .parse()
            .map_err(|error: http::uri::InvalidUri| PrepareError::Url(error.into()))?;
        let relative = absolute
            .path_and_query()
            .map_or(Ok(Uri::from_static("/")), |it| it.as_str().parse())
            .map_err(|error| PrepareError::Url(error.into()))?;
        let host = HeaderValue::from_str(authority(url))
            .map_err(|error| PrepareError::Url(error.into()))?;
        Ok(Self { absolute, relative, host })
    }
}

impl SignatureHeaders {
    fn all(self) -> Vec<[&'static str; 3]> {
        const STANDARD: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        const SVIX: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];
        match self {
            Self::Standard => vec![STANDARD],
            Self::Svix => vec![SVIX],
            Self::Both => vec![STANDARD, SVIX],
        }
    }
}

/// Host and port for the `Host` header.
fn authority(url: &Url) -> &str {
    let text = &url[url::Position::BeforeHost..url::Position::AfterPort];
    text.trim_end_matches(':')
}

/// Adds the headers of a message. Those of a received webhook, which are not trusted, never replace
/// the endpoint's headers.
fn add(headers: &mut HeaderMap, own: HeaderMap) {
    if own.keys().any(|name| name.as_str().starts_with(RECEIVED)) {
        let prior = std::mem::replace(headers, own);
        headers.entry(header::CONTENT_TYPE).or_insert(OCTETS);
        let is_set = |name: &HeaderName| *name != header::CONTENT_TYPE;
        for (name, value) in prior.iter().filter(|(name, _)| is_set(name)) {
            headers.insert(name, value.clone());
        }
    } else {
        headers.extend(own);
    }
}

/// The content type of a body that came without one.
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The valid and allowed ones among the given headers.
fn own_headers<'a>(
    pairs: impl Iterator<Item = (&'a String, &'a String)>,
    is_allowed: impl Fn(&str) -> bool,
) -> HeaderMap {
    pairs
        .filter(|(name, _)| is_allowed(name))
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)))
        .collect()
}

fn identity(of: &Authentication, vault: &Vault) -> Result<Option<ClientIdentity>, VaultError> {
    let Some(stored) = &of.identity else { return Ok(None) };
    let key = vault.open_text(&stored.key)?;
    Ok(Some(ClientIdentity::new(stored.certificates.clone(), key)))
}

fn oauth(of: &Authentication, vault: &Vault) -> Result<Option<OauthClient>, PrepareError> {
    let Some(config) = vault.open_at_rest(&of.oauth)? else { return Ok(None) };
    OauthClient::new(config).map(Some).map_err(|error| PrepareError::Url(error.into()))
}

fn profile(endpoint: &Endpoint, vault: &Vault) -> Result<Option<ProfileSigner>, SigningError> {
    endpoint.signing.as_deref().map(|signing| ProfileSigner::new(signing, vault)).transpose()
}

fn signers(endpoint: &Endpoint, vault: &Vault) -> Result<Box<[Signer]>, VaultError> {
    let current = Signer { secret: vault.open(&endpoint.secret)?, until: Timestamp::MAX };
    let retired = endpoint
        .retired_secrets
        .iter()
        .map(|it| Ok(Signer { secret: vault.open(&it.secret)?, until: it.until }));
    std::iter::once(Ok(current)).chain(retired).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{
        catalog::{AtRest, Credentials, RetiredSecret},
        fixtures,
    };

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn endpoint(vault: &Vault) -> Endpoint {
        let secret = vault.seal(&SECRET.parse().unwrap(), [1; 24]);
        Endpoint { secret, ..fixtures::endpoint() }
    }

    fn request(endpoint: &Endpoint, vault: &Vault, names: SignatureHeaders) -> Request<Bytes> {
        let agent = HeaderValue::from_static("Postrider/test");
        let prepared = Prepared::new(endpoint, vault, names, &agent).unwrap();
        let message = fixtures::message();
        let body = message.body.clone().unwrap();
        prepared.request(&message, body, Timestamp::from_millis(1_700_000_000_999))
    }

    fn value<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
        request.headers().get(name).map_or("", |it| it.to_str().unwrap())
    }

    #[test]
    fn a_request_carries_id_time_and_signature() {
        let vault = Vault::new("main");
        let request = request(&endpoint(&vault), &vault, SignatureHeaders::Standard);
        let id = fixtures::message().id.to_string();
        let secret: Secret = SECRET.parse().unwrap();
        assert_eq!(value(&request, "webhook-id"), id);
        assert_eq!(value(&request, "webhook-timestamp"), "1700000000");
        let expected = secret.sign(&id, 1_700_000_000, request.body());
        assert_eq!(value(&request, "webhook-signature"), expected);
        assert_eq!(value(&request, "host"), "example.com");
        assert_eq!(value(&request, "content-type"), "application/json");
        assert_eq!(request.uri(), "/hook");
        assert_eq!(value(&request, "svix-id"), "");
    }

    #[test]
    fn the_names_of_signature_headers_are_configurable() {
        let vault = Vault::new("main");
        let svix = request(&endpoint(&vault), &vault, SignatureHeaders::Svix);
        assert_eq!((value(&svix, "webhook-id"), value(&svix, "svix-id").is_empty()), ("", false));
        let both = request(&endpoint(&vault), &vault, SignatureHeaders::Both);
        assert_eq!(value(&both, "webhook-signature"), value(&both, "svix-signature"));
    }

    #[test]
    fn rotated_secrets_sign_until_they_expire() {
        let vault = Vault::new("main");
        let retired = |until| RetiredSecret {
            secret: vault.seal(&SECRET.parse().unwrap(), [2; 24]),
            until: Timestamp::from_millis(until),
        };
        let retired_secrets = vec![retired(1_700_000_001_000), retired(1_700_000_000_999)];
        let endpoint = Endpoint { retired_secrets, ..endpoint(&vault) };
        let request = request(&endpoint, &vault, SignatureHeaders::Standard);
        assert_eq!(value(&request, "webhook-signature").split(' ').count(), 2);
    }

    #[test]
    fn custom_headers_are_added_and_cannot_replace_reserved_ones() {
        let vault = Vault::new("main");
        let headers = [
            ("X-Own", "1"),
            ("Authorization", "Bearer x"),
            ("Host", "evil"),
            ("Webhook-Id", "forged"),
            ("User-Agent", "me"),
            ("bad name", "x"),
            ("x-bad", "a\nb"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let headers = vault.seal_at_rest(&headers, [3; 24]);
        let endpoint = Endpoint { headers, ..endpoint(&vault) };
        let request = request(&endpoint, &vault, SignatureHeaders::Standard);
        assert_eq!(value(&request, "x-own"), "1");
        assert_eq!(value(&request, "authorization"), "Bearer x");
        assert_eq!(value(&request, "host"), "example.com");
        assert_eq!(value(&request, "user-agent"), "Postrider/test");
        assert_ne!(value(&request, "webhook-id"), "forged");
        assert!(!request.headers().contains_key("x-bad"));
    }

    #[test]
    fn the_credential_replaces_every_other_header_with_its_name() {
        let vault = Vault::new("main");
        let headers = BTreeMap::from([
            ("Authorization".to_owned(), "Bearer custom".to_owned()),
            ("X-Own".to_owned(), "1".to_owned()),
        ]);
        let credentials = Some(Credentials::Bearer { token: "sesame".to_owned() });
        let authentication = Authentication {
            credentials: vault.seal_at_rest(&credentials, [4; 24]),
            ..Authentication::default()
        };
        let headers = AtRest::Clear(headers);
        let endpoint = Endpoint { headers, authentication, ..endpoint(&vault) };
        let agent = HeaderValue::from_static("Postrider/test");
        let prepared = Prepared::new(&endpoint, &vault, SignatureHeaders::Both, &agent).unwrap();
        assert!(!format!("{prepared:?}").contains("sesame"));
        for source in ["x-any", "postrider-source"] {
            let headers = [(source, "1"), ("authorization", "Bearer of the message")];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let message = Message { format: Format::Raw { headers }, ..fixtures::message() };
            let body = message.body.clone().unwrap();
            let request = prepared.request(&message, body, Timestamp::default());
            assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
            assert_eq!(value(&request, "authorization"), "Bearer sesame");
            assert_eq!(value(&request, "x-own"), "1");
        }
    }

    #[test]
    fn headers_of_received_webhooks_never_replace_those_of_the_endpoint() {
        let vault = Vault::new("main");
        let headers = [("x-key", "of the endpoint")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let headers = AtRest::Clear(headers);
        let endpoint = Endpoint { headers, ..endpoint(&vault) };
        let agent = HeaderValue::from_static("Postrider/test");
        let prepared = Prepared::new(&endpoint, &vault, SignatureHeaders::Both, &agent).unwrap();
        let headers = [
            ("postrider-source", "src_1"),
            ("content-encoding", "gzip"),
            ("x-key", "of a stranger"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("webhook-id", "forged"),
            ("host", "evil"),
            ("user-agent", "me"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let message = Message { format: Format::Raw { headers }, ..fixtures::message() };
        let body = message.body.clone().unwrap();
        let request = prepared.request(&message, body, Timestamp::from_millis(1_700_000_000_999));
        assert_eq!(value(&request, "postrider-source"), "src_1");
        assert_eq!(value(&request, "content-encoding"), "gzip");
        assert_eq!(value(&request, "content-type"), "application/octet-stream");
        assert_eq!(value(&request, "x-key"), "of the endpoint");
        assert_eq!(request.headers().get_all("x-twice").iter().count(), 2);
        assert_eq!(value(&request, "webhook-id"), message.id.to_string());
        assert_eq!(value(&request, "host"), "example.com");
        assert_eq!(value(&request, "user-agent"), "Postrider/test");
        assert!(is_protected("postrider-source") && is_protected("Content-Encoding"));
    }

    #[test]
    fn a_transformation_determines_method_url_headers_and_body() {
        let vault = Vault::new("main");
        let headers = [("x-key", "of the endpoint"), ("x-own", "1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let endpoint = Endpoint { headers: AtRest::Clear(headers), ..endpoint(&vault) };
        let agent = HeaderValue::from_static("Postrider/test");
        let prepared = Prepared::new(&endpoint, &vault, SignatureHeaders::Both, &agent).unwrap();
        let shaped = ShapedRequest {
            method: Method::PUT,
            url: None,
            headers: vec![("x-key".parse().unwrap(), HeaderValue::from_static("of the code"))],
            body: Bytes::from_static(b"{}"),
            is_json: true,
        };
        let url = "https://other.example:8443/new?a=b".parse().unwrap();
        let transformed = prepared.transformed(&shaped, &url).unwrap();
        let headers = [("content-type", "text/plain"), ("x-key", "of the message")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let message = Message { format: Format::Raw { headers }, ..fixtures::message() };
        let at = Timestamp::from_millis(1_700_000_000_999);
        let request = transformed.request(&message, shaped.body, at);
        assert_eq!(
            (request.method(), request.uri().to_string()),
            (&Method::PUT, "/new?a=b".into())
        );
        assert_eq!(value(&request, "host"), "other.example:8443");
        assert_eq!(value(&request, "x-key"), "of the code");
        assert_eq!(value(&request, "x-own"), "1");
        assert_eq!(value(&request, "content-type"), "application/json");
        let secret: Secret = SECRET.parse().unwrap();
        let expected = secret.sign(&message.id.to_string(), 1_700_000_000, b"{}");
        assert_eq!(value(&request, "webhook-signature"), expected);
    }

    #[test]
    fn a_transformation_cannot_send_the_credential_elsewhere() {
        let vault = Vault::new("main");
        let credentials = Some(Credentials::Bearer { token: "t".to_owned() });
        let credentials = vault.seal_at_rest(&credentials, [7; 24]);
        let authentication = Authentication { credentials, ..Authentication::default() };
        let endpoint = Endpoint { authentication, ..endpoint(&vault) };
        let agent = HeaderValue::from_static("Postrider/test");
        let prepared = Prepared::new(&endpoint, &vault, SignatureHeaders::Both, &agent).unwrap();
        let shaped = ShapedRequest {
            method: Method::POST,
            url: None,
            headers: Vec::new(),
            body: Bytes::new(),
            is_json: false,
        };
        for (url, is_sent) in [
            ("https://example.com/other", true),
            ("https://example.com:8443/hook", false),
            ("http://example.com/hook", false),
            ("https://evil.example/hook", false),
        ] {
            let transformed = prepared.transformed(&shaped, &url.parse().unwrap()).unwrap();
            let request =
                transformed.request(&fixtures::message(), Bytes::new(), Timestamp::default());
            assert_eq!(request.headers().contains_key("authorization"), is_sent, "{url}");
        }
    }

    #[test]
    fn ports_and_queries_stay() {
        let vault = Vault::new("main");
        let url = "http://example.com:8080?a=b".to_owned();
        let endpoint = Endpoint { url, ..endpoint(&vault) };
        let request = request(&endpoint, &vault, SignatureHeaders::Standard);
        assert_eq!(
            (value(&request, "host"), request.uri().to_string()),
            ("example.com:8080", "/?a=b".to_owned())
        );
    }
}
