//! Encrypts stored secrets again: those that older versions stored in plaintext, and those that an
//! older main secret encrypted. Counts what it sees.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use postrider_core::{
    catalog::{AtRest, Authentication, Consumer, Endpoint, SealedSecret, Source},
    vault::{self, NONCE, Vault, VaultError},
};
use postrider_store::Rewrite;
use serde::{Serialize, de::DeserializeOwned};

/// Encrypts everything that it is shown with the current main secret.
pub(super) struct Reseal {
    vault: Vault,
    /// Followed by a counter, a nonce that is never used twice.
    random: [u8; NONCE - 8],
    drawn: AtomicU64,
    /// Values by the main secret that encrypted them.
    by_key: Box<[AtomicU64]>,
    plaintext: AtomicU64,
    unreadable: AtomicU64,
}

/// The values of a walk, as they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretCounts {
    /// By the main secret that encrypted them, in the order of the vault's secrets.
    pub by_key: Vec<u64>,
    /// Stored by a version that did not encrypt them.
    pub plaintext: u64,
    /// None of the secrets decrypts them.
    pub unreadable: u64,
}

impl SecretCounts {
    /// Values that are not encrypted with the current main secret, but can be.
    pub fn outdated(&self) -> u64 {
        self.by_key.iter().skip(1).sum::<u64>() + self.plaintext
    }
}

impl Reseal {
    /// The random bytes must not be used for anything else.
    pub(super) fn new(vault: Vault, random: [u8; NONCE - 8]) -> Self {
        Self {
            by_key: vault.fingerprints().iter().map(|_| AtomicU64::default()).collect(),
            vault,
            random,
            drawn: AtomicU64::default(),
            plaintext: AtomicU64::default(),
            unreadable: AtomicU64::default(),
        }
    }

    pub(super) fn counts(&self) -> SecretCounts {
        SecretCounts {
            by_key: self.by_key.iter().map(|it| it.load(Relaxed)).collect(),
            plaintext: self.plaintext.load(Relaxed),
            unreadable: self.unreadable.load(Relaxed),
        }
    }

    fn nonce(&self) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        let (random, counter) = nonce.split_at_mut(self.random.len());
        random.copy_from_slice(&self.random);
        counter.copy_from_slice(&self.drawn.fetch_add(1, Relaxed).to_be_bytes());
        nonce
    }

    fn count(&self, key: usize) {
        if let Some(count) = self.by_key.get(key) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Returns whether the secret had to be encrypted again.
    fn secret(&self, sealed: &mut SealedSecret) -> Result<bool, VaultError> {
        let key = self.vault.key_of(sealed)?;
        self.count(key);
        if key == 0 {
            return Ok(false);
        }
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
                self.plaintext.fetch_add(1, Relaxed);
                *part = self.vault.seal_at_rest(clear, self.nonce());
                Ok(true)
            },
        }
    }

    fn try_endpoint(&self, endpoint: &mut Endpoint) -> Result<bool, VaultError> {
        let mut is_new = self.part(&mut endpoint.headers)?
            | self.part(&mut endpoint.config)?
            | self.secret(&mut endpoint.secret)?;
        if let Some(transformation) = &mut endpoint.transformation {
            is_new |= self.part(&mut transformation.variables)?;
        }
        for token in &mut endpoint.polling_tokens {
            is_new |= self.secret(&mut token.sealed)?;
        }
        for retired in &mut endpoint.retired_secrets {
            is_new |= self.secret(&mut retired.secret)?;
        }
        for signing in endpoint.signing.iter_mut().flat_map(|it| &mut it.secrets) {
            is_new |= self.secret(&mut signing.secret)?;
        }
        Ok(is_new | self.try_authentication(&mut endpoint.authentication)?)
    }

    fn try_authentication(&self, of: &mut Authentication) -> Result<bool, VaultError> {
        let is_new = self.part(&mut of.credentials)?
            | self.part(&mut of.oauth)?
            | self.part(&mut of.grant)?;
        let identity = of.identity.as_mut().map(|identity| self.secret(&mut identity.key));
        Ok(is_new | identity.unwrap_or(Ok(false))?)
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

    /// The new record, if it has to be stored again. A record that cannot be decrypted stays
    /// unchanged: the operation that needs it reports the error.
    fn changed<T: Clone>(
        &self,
        record: &T,
        id: &dyn std::fmt::Display,
        change: impl FnOnce(&mut T) -> Result<bool, VaultError>,
    ) -> Option<T> {
        let mut new = record.clone();
        match change(&mut new) {
            Ok(is_new) => is_new.then_some(new),
            Err(error) => {
                self.unreadable.fetch_add(1, Relaxed);
                tracing::error!(%id, error = &error as &dyn std::error::Error, "stored secret cannot be decrypted");
                None
            },
        }
    }
}

impl Rewrite for Reseal {
    fn endpoint(&self, endpoint: &Endpoint) -> Option<Endpoint> {
        self.changed(endpoint, &endpoint.id, |endpoint| self.try_endpoint(endpoint))
    }

    fn source(&self, source: &Source) -> Option<Source> {
        self.changed(source, &source.id, |source| self.try_source(source))
    }

    fn consumer(&self, consumer: &Consumer) -> Option<Consumer> {
        self.changed(consumer, &consumer.id, |consumer| self.part(&mut consumer.config))
    }

    /// A response that cannot be decrypted is useless, and expires within a few hours.
    fn response(&self, key: [u8; 32], response: &[u8]) -> Option<Vec<u8>> {
        if !vault::is_sealed(response) {
            self.plaintext.fetch_add(1, Relaxed);
            return Some(self.vault.seal_under(&key, response, self.nonce()));
        }
        let used = self.vault.key_under(&key, response.to_vec()).ok()?;
        self.count(used);
        if used == 0 {
            return None;
        }
        self.vault.renew_under(&key, response.to_vec(), self.nonce()).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::catalog::{Credentials, Grant, StoredIdentity};

    use super::*;

    #[test]
    fn what_endpoints_authenticate_with_is_encrypted_again() {
        let (old, new) = (Vault::new("old"), Vault::new("new"));
        let credentials = Some(Credentials::Bearer { token: "t".to_owned() });
        let grant = Some(Grant { refresh_token: "r".to_owned(), access: None });
        let identity =
            StoredIdentity { certificates: "c".to_owned(), key: old.seal_text("k", [1; NONCE]) };
        let mut authentication = Authentication {
            credentials: old.seal_at_rest(&credentials, [2; NONCE]),
            grant: old.seal_at_rest(&grant, [3; NONCE]),
            identity: Some(identity),
            ..Authentication::default()
        };
        let reseal = Reseal::new(Vault::rotating("new", ["old"]), [4; NONCE - 8]);
        assert_eq!(reseal.try_authentication(&mut authentication), Ok(true));
        assert_eq!(new.open_at_rest(&authentication.credentials), Ok(credentials));
        assert_eq!(new.open_at_rest(&authentication.grant), Ok(grant));
        let key = &authentication.identity.as_ref().unwrap().key;
        assert_eq!(new.open_text(key).unwrap().as_str(), "k");
        assert_eq!(reseal.try_authentication(&mut authentication), Ok(false));
        assert_eq!(reseal.counts().by_key, [3, 3]);
    }
}
