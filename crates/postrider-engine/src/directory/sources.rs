//! Sources, opened: with the provider they speak for, and secrets that can be used.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use postrider::{
    ApplicationId,
    provider::{self, Model, Provider},
};
use postrider_core::{
    catalog::Source,
    time::Timestamp,
    vault::{Vault, VaultError},
};
use postrider_store::StoreError;
use zeroize::Zeroizing;

/// Sources kept in memory; beyond that all are forgotten and read again.
const CAPACITY: usize = 10_000;

/// What a source of a provider that is not known calls itself.
const CUSTOM: &str = "custom";

/// A source with all that verifying takes.
#[derive(Debug)]
pub struct OpenSource {
    pub source: Source,
    pub provider: Cow<'static, Provider>,
    secrets: Vec<OpenSecret>,
    parameters: BTreeMap<String, Zeroizing<String>>,
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

/// Why a source cannot be used as it is stored.
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
    /// Opens a stored source.
    pub(super) fn new(source: Source, vault: &Vault) -> Result<Self, StoreError> {
        let opened = provider(&source).and_then(|provider| {
            let secrets = source
                .secrets
                .iter()
                .map(|it| Ok(OpenSecret { text: vault.open_text(&it.secret)?, until: it.until }));
            let parameters = source
                .parameters
                .iter()
                .map(|(name, sealed)| Ok((name.clone(), vault.open_text(sealed)?)));
            let secrets = secrets.collect::<Result<_, VaultError>>()?;
            Ok((provider, secrets, parameters.collect::<Result<_, VaultError>>()?))
        });
        match opened {
            Ok((provider, secrets, parameters)) => {
                Ok(Self { source, provider, secrets, parameters })
            },
            Err(error) => Err(StoreError::Corrupt { what: "source", source: error.into() }),
        }
    }

    /// What verifying takes beside the request; without secrets whose time is over.
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

/// Opened sources by the digests of their tokens. Tokens that lead to no source are never kept,
/// so that whoever tries tokens displaces nobody.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_token: HashMap<[u8; 32], Arc<OpenSource>>,
    by_application: HashMap<ApplicationId, Vec<[u8; 32]>>,
}

impl Sources {
    pub(super) fn get(&self, token_digest: &[u8; 32]) -> Option<Arc<OpenSource>> {
        self.by_token.get(token_digest).cloned()
    }

    pub(super) fn keep(&mut self, opened: &Arc<OpenSource>) {
        if self.by_token.len() >= CAPACITY {
            *self = Self::default();
        }
        let Source { token_digest, application, .. } = opened.source;
        if self.by_token.insert(token_digest, Arc::clone(opened)).is_none() {
            self.by_application.entry(application).or_default().push(token_digest);
        }
    }

    pub(super) fn forget(&mut self, application: ApplicationId) {
        for digest in self.by_application.remove(&application).unwrap_or_default() {
            self.by_token.remove(&digest);
        }
    }
}
