//! Encrypts stored secrets again: those that older versions stored in plaintext, and those that an
//! older main secret encrypted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use postrider_core::{
    catalog::{AtRest, Consumer, Endpoint, SealedSecret, Source},
    vault::{self, NONCE, Vault, VaultError},
};
use postrider_store::{Rewrite, Store};
use serde::{Serialize, de::DeserializeOwned};

use crate::{failure, random};

/// Encrypts everything with the current main secret; returns how many records changed.
pub(super) async fn all(vault: &Vault, store: &dyn Store) -> anyhow::Result<u64> {
    let random = random::bytes()?;
    let reseal = Reseal { vault: vault.clone(), random, drawn: AtomicU64::default() };
    store.rewrite(Arc::new(reseal)).await.map_err(failure::of_store)
}

struct Reseal {
    vault: Vault,
    /// Followed by a counter, a nonce that is never used twice.
    random: [u8; NONCE - 8],
    drawn: AtomicU64,
}

impl Reseal {
    fn nonce(&self) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        let (random, counter) = nonce.split_at_mut(self.random.len());
        random.copy_from_slice(&self.random);
        counter.copy_from_slice(&self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        nonce
    }

    /// Returns whether the secret had to be encrypted again.
    fn secret(&self, sealed: &mut SealedSecret) -> Result<bool, VaultError> {
        let Some(new) = self.vault.renew(sealed, self.nonce())? else { return Ok(false) };
        *sealed = new;
        Ok(true)
    }

    fn part<T>(&self, part: &mut AtRest<T>) -> Result<bool, VaultError>
    where
        T: Serialize + DeserializeOwned + Default + PartialEq + Clone,
    {
        match part {
            AtRest::Sealed(sealed) => self.secret(sealed),
            AtRest::Clear(clear) if *clear == T::default() => Ok(false),
            AtRest::Clear(clear) => {
                *part = self.vault.seal_at_rest(clear, self.nonce());
                Ok(true)
            },
        }
    }

    fn try_endpoint(&self, endpoint: &mut Endpoint) -> Result<bool, VaultError> {
        let mut is_new = self.part(&mut endpoint.headers)?
            | self.part(&mut endpoint.config)?
            | self.secret(&mut endpoint.secret)?;
        for retired in &mut endpoint.retired_secrets {
            is_new |= self.secret(&mut retired.secret)?;
        }
        Ok(is_new)
    }

    fn try_source(&self, source: &mut Source) -> Result<bool, VaultError> {
        let mut is_new = self.secret(&mut source.token)?;
        for sealed in source.secrets.iter_mut().map(|it| &mut it.secret) {
            is_new |= self.secret(sealed)?;
        }
        for sealed in source.parameters.values_mut() {
            is_new |= self.secret(sealed)?;
        }
        if let Some(url) = &mut source.public_url {
            is_new |= self.part(url)?;
        }
        Ok(is_new)
    }
}

/// The new record, if it has to be stored again. A record that cannot be decrypted stays unchanged:
/// the operation that needs it reports the error.
fn changed<T: Clone>(
    record: &T,
    id: &dyn std::fmt::Display,
    change: impl FnOnce(&mut T) -> Result<bool, VaultError>,
) -> Option<T> {
    let mut new = record.clone();
    match change(&mut new) {
        Ok(is_new) => is_new.then_some(new),
        Err(error) => {
            tracing::error!(%id, error = &error as &dyn std::error::Error, "stored secret cannot be decrypted");
            None
        },
    }
}

impl Rewrite for Reseal {
    fn endpoint(&self, endpoint: &Endpoint) -> Option<Endpoint> {
        changed(endpoint, &endpoint.id, |endpoint| self.try_endpoint(endpoint))
    }

    fn source(&self, source: &Source) -> Option<Source> {
        changed(source, &source.id, |source| self.try_source(source))
    }

    fn consumer(&self, consumer: &Consumer) -> Option<Consumer> {
        changed(consumer, &consumer.id, |consumer| self.part(&mut consumer.config))
    }

    /// A response that cannot be decrypted is useless, and expires within a few hours.
    fn response(&self, key: [u8; 32], response: &[u8]) -> Option<Vec<u8>> {
        if vault::is_sealed(response) {
            return self.vault.renew_under(&key, response.to_vec(), self.nonce()).ok().flatten();
        }
        Some(self.vault.seal_under(&key, response, self.nonce()))
    }
}
