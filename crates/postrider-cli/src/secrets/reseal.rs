//! Encrypts what older versions stored in clear, and what an older main secret encrypted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use postrider_core::{
    catalog::{AtRest, Endpoint, SealedSecret, Source},
    vault::{self, NONCE, Vault, VaultError},
};
use postrider_store::{Rewrite, Store};
use serde::{Serialize, de::DeserializeOwned};

use crate::failure;

/// Encrypts everything with the present main secret; how much was not.
pub(super) async fn all(vault: &Vault, store: &dyn Store) -> anyhow::Result<u64> {
    let reseal =
        Reseal { vault: vault.clone(), random: super::random()?, drawn: AtomicU64::default() };
    store.rewrite(Arc::new(reseal)).await.map_err(failure::of_store)
}

struct Reseal {
    vault: Vault,
    /// With a counter behind it, a nonce that is never used twice.
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

    /// Whether the secret had to be encrypted again.
    fn secret(&self, it: &mut SealedSecret) -> Result<bool, VaultError> {
        let Some(new) = self.vault.renew(it, self.nonce())? else { return Ok(false) };
        *it = new;
        Ok(true)
    }

    fn part<T>(&self, it: &mut AtRest<T>) -> Result<bool, VaultError>
    where
        T: Serialize + DeserializeOwned + Default + PartialEq + Clone,
    {
        match it {
            AtRest::Sealed(sealed) => self.secret(sealed),
            AtRest::Clear(clear) if *clear == T::default() => Ok(false),
            AtRest::Clear(clear) => {
                *it = self.vault.seal_at_rest(clear, self.nonce());
                Ok(true)
            },
        }
    }

    fn try_endpoint(&self, it: &mut Endpoint) -> Result<bool, VaultError> {
        let mut is_new = self.part(&mut it.headers)? | self.secret(&mut it.secret)?;
        for retired in &mut it.retired_secrets {
            is_new |= self.secret(&mut retired.secret)?;
        }
        Ok(is_new)
    }

    fn try_source(&self, it: &mut Source) -> Result<bool, VaultError> {
        let mut is_new = self.secret(&mut it.token)?;
        for sealed in it.secrets.iter_mut().map(|it| &mut it.secret) {
            is_new |= self.secret(sealed)?;
        }
        for sealed in it.parameters.values_mut() {
            is_new |= self.secret(sealed)?;
        }
        if let Some(url) = &mut it.public_url {
            is_new |= self.part(url)?;
        }
        Ok(is_new)
    }
}

/// The new form of a value, if it has to be stored again. A value that no secret opens stays as it
/// is: the operation that needs it reports the error.
fn changed<T: Clone>(
    it: &T,
    id: &dyn std::fmt::Display,
    change: impl FnOnce(&mut T) -> Result<bool, VaultError>,
) -> Option<T> {
    let mut new = it.clone();
    match change(&mut new) {
        Ok(is_new) => is_new.then_some(new),
        Err(error) => {
            tracing::error!(%id, error = &error as &dyn std::error::Error, "secret is unreadable");
            None
        },
    }
}

impl Rewrite for Reseal {
    fn endpoint(&self, it: &Endpoint) -> Option<Endpoint> {
        changed(it, &it.id, |it| self.try_endpoint(it))
    }

    fn source(&self, it: &Source) -> Option<Source> {
        changed(it, &it.id, |it| self.try_source(it))
    }

    /// One that does not open is of no use, and gone after a few hours.
    fn response(&self, key: [u8; 32], answer: &[u8]) -> Option<Vec<u8>> {
        if vault::is_sealed(answer) {
            return self.vault.renew_under(&key, answer.to_vec(), self.nonce()).ok().flatten();
        }
        Some(self.vault.seal_under(&key, answer, self.nonce()))
    }
}
