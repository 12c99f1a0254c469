//! Decrypted sources: with their provider and usable secrets.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use postrider::{
    ApplicationId,
    provider::{self, Model, Provider, Redaction, SecretTexts},
};
use postrider_core::{
    catalog::Source,
    time::Timestamp,
    vault::{Vault, VaultError},
};
use postrider_store::StoreError;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, unsync::Cache};
use zeroize::Zeroizing;

/// The provider name of sources whose provider is not known.
const CUSTOM: &str = "custom";

/// A source with everything that verification needs.
#[derive(Debug)]
pub struct OpenSource {
    pub source: Source,
    pub provider: Cow<'static, Provider>,
    secrets: Vec<OpenSecret>,
    parameters: BTreeMap<String, Zeroizing<String>>,
    /// The inbound URL as the provider knows it, if it differs.
    pub public_url: Option<String>,
    /// Where the provider sends a secret in clear text.
    pub transmitted: Redaction,
    /// The same, for all providers.
    pub redaction: Cow<'static, Redaction>,
    /// All its secrets, including the token.
    pub secret_texts: SecretTexts,
}

struct OpenSecret {
    text: Zeroizing<String>,
    until: Option<Timestamp>,
}

impl std::fmt::Debug for OpenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

/// Why a stored source cannot be used.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("provider {0} is not known to this version")]
    Provider(String),
    #[error("model does not parse")]
    Model(#[source] serde_json::Error),
    #[error(transparent)]
    Secret(#[from] VaultError),
}

impl OpenSource {
    /// Decrypts a stored source.
    pub(super) fn new(source: Source, vault: &Vault) -> Result<Self, StoreError> {
        open(source, vault)
            .map_err(|error| StoreError::Corrupt { what: "source", source: error.into() })
    }

    /// What verification needs in addition to the request; without expired secrets.
    pub fn settings(&self, now: Timestamp) -> provider::Settings {
        let is_live = |it: &&OpenSecret| it.until.is_none_or(|until| now < until);
        provider::Settings {
            secrets: self.secrets.iter().filter(is_live).map(|it| it.text.clone()).collect(),
            parameters: self.parameters.clone(),
            tolerance: self.source.tolerance,
            accept_unsigned: self.source.is_open,
            ..provider::Settings::default()
        }
    }
}

fn open(source: Source, vault: &Vault) -> Result<OpenSource, OpenError> {
    let provider = provider(&source)?;
    // Older versions stored secrets with surrounding white space.
    let open = |sealed| vault.open_text(sealed).map(|text| Zeroizing::new(text.trim().to_owned()));
    let secrets = source.secrets.iter();
    let secrets = secrets.map(|it| Ok(OpenSecret { text: open(&it.secret)?, until: it.until }));
    let secrets = secrets.collect::<Result<Vec<_>, VaultError>>()?;
    let parameters = source.parameters.iter().map(|(name, it)| Ok((name.clone(), open(it)?)));
    let parameters = parameters.collect::<Result<BTreeMap<_, _>, VaultError>>()?;
    let public_url = source.public_url.as_ref().map(|it| vault.open_at_rest(it)).transpose()?;
    // Requests are received without it too.
    let token = open(&source.token).ok();
    let texts = secrets.iter().map(|it| &it.text).chain(parameters.values()).chain(&token);
    let redaction = match &provider {
        Cow::Borrowed(_) => Cow::Borrowed(Redaction::known()),
        Cow::Owned(own) => Cow::Owned(Redaction::known().clone().and(&own.model)),
    };
    Ok(OpenSource {
        secret_texts: SecretTexts::new(texts.map(|it| it.as_str())),
        transmitted: Redaction::of(&provider.model),
        redaction,
        source,
        provider,
        secrets,
        parameters,
        public_url,
    })
}

fn provider(source: &Source) -> Result<Cow<'static, Provider>, OpenError> {
    if let Some(text) = &source.model {
        let model: Model = serde_json::from_str(text).map_err(OpenError::Model)?;
        return Ok(Cow::Owned(named(&source.provider, model)));
    }
    match provider::find(&source.provider) {
        Some(provider) => Ok(Cow::Borrowed(provider)),
        None if source.is_open => Ok(Cow::Owned(named(&source.provider, Model::default()))),
        None => Err(OpenError::Provider(source.provider.clone())),
    }
}

fn named(id: &str, model: Model) -> Provider {
    let id = if id.is_empty() { CUSTOM } else { id };
    Provider::new(id, model)
}

/// Decrypted sources by the digests of their tokens. Unknown tokens are never cached, so that
/// guessing tokens cannot evict sources.
#[derive(Debug)]
pub(super) struct Sources {
    by_token: Cache<[u8; 32], Arc<OpenSource>, UnitWeighter, DefaultHashBuilder, Displaced>,
    /// The tokens of the cached sources.
    by_application: HashMap<ApplicationId, Vec<[u8; 32]>>,
    capacity: usize,
}

/// Collects the sources that are evicted for another one.
#[derive(Clone, Debug)]
struct Displaced;

impl Lifecycle<[u8; 32], Arc<OpenSource>> for Displaced {
    type RequestState = Vec<Arc<OpenSource>>;

    fn on_evict(&self, displaced: &mut Self::RequestState, _: [u8; 32], source: Arc<OpenSource>) {
        displaced.push(source);
    }
}

impl Sources {
    pub(super) fn new(capacity: usize) -> Self {
        let hasher = DefaultHashBuilder::default();
        let by_token = Cache::with(capacity, capacity as u64, UnitWeighter, hasher, Displaced);
        Self { by_token, by_application: HashMap::new(), capacity }
    }

    pub(super) fn get(&self, token_digest: &[u8; 32]) -> Option<Arc<OpenSource>> {
        self.by_token.get(token_digest).cloned()
    }

    pub(super) fn keep(&mut self, opened: &Arc<OpenSource>) {
        let Source { token_digest, application, .. } = opened.source;
        let tokens = self.by_application.entry(application).or_default();
        if !tokens.contains(&token_digest) {
            tokens.push(token_digest);
        }
        let mut displaced = Vec::new();
        self.by_token.insert_with_lifecycle(token_digest, Arc::clone(opened), &mut displaced);
        for Source { token_digest, application, .. } in displaced.iter().map(|it| &it.source) {
            self.unlist(*application, token_digest);
        }
    }

    pub(super) fn forget(&mut self, application: ApplicationId) {
        for digest in self.by_application.remove(&application).unwrap_or_default() {
            self.by_token.remove(&digest);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    fn unlist(&mut self, application: ApplicationId, token_digest: &[u8; 32]) {
        if let Entry::Occupied(mut tokens) = self.by_application.entry(application) {
            tokens.get_mut().retain(|it| it != token_digest);
            if tokens.get().is_empty() {
                tokens.remove();
            }
        }
    }
}

#[cfg(test)]
impl Sources {
    /// How many tokens are listed.
    pub(super) fn listed(&self) -> usize {
        assert_eq!(self.by_token.len(), self.by_application.values().map(Vec::len).sum::<usize>());
        self.by_token.len()
    }
}
