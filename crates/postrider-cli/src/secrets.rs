//! The installation's own secrets: given, or made once and kept in the data folder.

mod files;
mod reseal;

use std::{io, path::Path};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use postrider_core::{
    catalog::SealedSecret,
    vault::{NONCE, Vault},
};
use postrider_store::{Installation, PostgresOptions, Store, private};
use rand::{TryRngCore, rngs::OsRng};

pub(crate) use self::files::{copy, kept, read, warn_of_exposed, warn_of_public_files};
use crate::{
    config::{Config, SecretKeys},
    failure::{self, Advice},
    settings,
};

const JWT: &str = "jwt-secret";
const MAIN: &str = "main-secret";
pub(crate) const SPECIMEN: &str = "main-secret.check";

/// Fewest bytes of a secret; a key of HMAC-SHA-256 has no more than 32 that count.
const MIN_BYTES: usize = 32;

/// A secret of the installation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Its key in the configuration, under which the database knows its specimen.
    pub key: &'static str,
    pub file: &'static str,
}

pub(crate) const JWT_SECRET: Kind = Kind { key: "jwt_secret", file: JWT };
pub(crate) const MAIN_SECRET: Kind = Kind { key: "main_secret", file: MAIN };

/// The secrets that a server needs.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// What signs and checks the API's tokens.
    pub jwt: SecretKeys,
    /// What encrypts what is secret in the store.
    pub vault: Vault,
    /// Something in the store may be encrypted with an older main secret, or not at all.
    is_outdated: bool,
}

impl Secrets {
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let jwt = SecretKeys::of(["a secret that signs tokens in tests"]).expect("it is a secret");
        Self { jwt, vault: Vault::new("main"), is_outdated: false }
    }
}

/// Finds the secrets, and makes sure that they are the installation's. A data folder that is
/// `furnished` has encrypted secrets already: a new main secret could not read them.
pub(crate) async fn open(config: &Config, furnished: bool) -> anyhow::Result<Secrets> {
    let database = database(config).await?;
    if database.is_none() {
        require_kept(config, furnished)?;
    }
    let (jwt, _) = found(config, JWT_SECRET, database.as_ref()).await?;
    let (main, specimen) = found(config, MAIN_SECRET, database.as_ref()).await?;
    let vault = vault(&main);
    let specimen = match specimen {
        Some(known) => known,
        None => check_main(&vault, &config.data_dir)?,
    };
    // While there are older ones, other servers may still encrypt with them.
    let is_outdated = specimen == Specimen::Outdated || !main.older.is_empty();
    Ok(Secrets { jwt, vault, is_outdated })
}

/// Encrypts with the present main secret what is not, so that nothing is left in clear after an
/// upgrade, and an older main secret is not needed any more.
pub(crate) async fn seal_stored(
    config: &Config,
    secrets: &Secrets,
    store: &dyn Store,
) -> anyhow::Result<()> {
    if !secrets.is_outdated {
        return Ok(());
    }
    let count = reseal::all(&secrets.vault, store).await?;
    tracing::info!(count, "stored secrets were encrypted with the present `main_secret`");
    let specimen = specimen(&secrets.vault)?;
    match database(config).await? {
        Some(database) => {
            database.replace(MAIN_SECRET.key, &specimen).await.map_err(failure::of_store)
        },
        None => write(&config.data_dir.join(SPECIMEN), &specimen),
    }
}

/// Makes sure that no new secret takes the place of one that was lost.
fn require_kept(config: &Config, furnished: bool) -> anyhow::Result<()> {
    let folder = &config.data_dir;
    let is_lost = |kind: Kind| given(config, kind).is_none() && !folder.join(kind.file).exists();
    if is_lost(MAIN_SECRET) && (furnished || folder.join(SPECIMEN).exists()) {
        return Err(Advice {
            message: format!("{MAIN} is missing from {}", folder.display()),
            hint: "restore the file from a backup, or give `main_secret` as it was: without it \
                   no endpoint's secret can be read"
                .to_owned(),
            source: None,
        }
        .into());
    }
    if is_lost(JWT_SECRET) && furnished {
        tracing::warn!(
            "{JWT} was missing from {} and is made again: all tokens that were created before \
             are invalid",
            folder.display()
        );
    }
    Ok(())
}

/// What signs and checks the API's tokens.
pub(crate) async fn jwt(config: &Config) -> anyhow::Result<SecretKeys> {
    Ok(found(config, JWT_SECRET, database(config).await?.as_ref()).await?.0)
}

async fn database(config: &Config) -> anyhow::Result<Option<Installation>> {
    let Some(url) = &config.database_url else { return Ok(None) };
    let options = PostgresOptions { connections: 1, ..settings::database(config, url) };
    Installation::open(options).await.map(Some).map_err(failure::of_store)
}

/// The secret, and what the database says about it.
async fn found(
    config: &Config,
    kind: Kind,
    database: Option<&Installation>,
) -> anyhow::Result<(SecretKeys, Option<Specimen>)> {
    let given = given(config, kind);
    let folder = &config.data_dir;
    let Some(database) = database else {
        return Ok((given_or_kept(given, folder, kind)?, None));
    };
    let is_here = given.is_some() || folder.join(kind.file).exists();
    let is_known = database.fact(kind.key).await.map_err(failure::of_store)?.is_some();
    if is_known && !is_here {
        let message = format!("`{}` is neither given nor kept in {}", kind.key, folder.display());
        return Err(Advice { message, hint: SHARED.to_owned(), source: None }.into());
    }
    let keys = given_or_kept(given, folder, kind)?;
    let specimen = check(&keys, kind, database, &config.place()).await?;
    Ok((keys, Some(specimen)))
}

pub(crate) fn given(config: &Config, kind: Kind) -> Option<&SecretKeys> {
    match kind.file {
        MAIN => config.main_secret.as_ref(),
        _ => config.jwt_secret.as_ref(),
    }
}

/// Seals with the first of the secrets, and opens with all of them.
pub(crate) fn vault(keys: &SecretKeys) -> Vault {
    Vault::rotating(&keys.first.0, keys.older.iter().map(|it| it.0.as_str()))
}

/// Makes sure that the others that use the database have the same secret: a specimen that one
/// of them sealed with it must open.
async fn check(
    keys: &SecretKeys,
    kind: Kind,
    database: &Installation,
    place: &str,
) -> anyhow::Result<Specimen> {
    let vault = vault(keys);
    let kept = database.keep(kind.key, specimen(&vault)?).await.map_err(failure::of_store)?;
    let found = Specimen::read(&vault, &kept);
    match found {
        Specimen::Foreign => Err(Advice {
            message: format!("`{}` is not the one that {place} uses", kind.key),
            hint: SHARED.to_owned(),
            source: None,
        }
        .into()),
        Specimen::Outdated if kind.file == JWT => {
            let new = specimen(&vault)?;
            database.replace(kind.key, &new).await.map_err(failure::of_store)?;
            Ok(Specimen::Current)
        },
        Specimen::Current | Specimen::Outdated => Ok(found),
    }
}

const SHARED: &str = "all servers of a database have the same secrets: copy `main-secret` and \
                      `jwt-secret` from the data folder of the first one, or give \
                      POSTRIDER_MAIN_SECRET and POSTRIDER_JWT_SECRET to all of them";

/// Makes sure that this is the main secret that the data folder's secrets were encrypted
/// with: a sealed specimen in the folder must open.
fn check_main(vault: &Vault, folder: &Path) -> anyhow::Result<Specimen> {
    let path = folder.join(SPECIMEN);
    let Some(kept) = read(&path)? else {
        write(&path, &specimen(vault)?)?;
        return Ok(Specimen::Current);
    };
    match Specimen::read(vault, &kept) {
        Specimen::Foreign => Err(Advice {
            message: format!("`main_secret` is not the one that {} uses", folder.display()),
            hint: "give the one that was given before, or none if none was: without it no stored \
                   secret can be read; to change it, put the new one before the old one"
                .to_owned(),
            source: None,
        }
        .into()),
        found @ (Specimen::Current | Specimen::Outdated) => Ok(found),
    }
}

/// What a specimen says about the secrets at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Specimen {
    /// The first of the secrets sealed it, and with it everything.
    Current,
    /// Another one sealed it, or a version that left something in clear.
    Outdated,
    /// None of the secrets opens it.
    Foreign,
}

impl Specimen {
    pub(crate) fn read(vault: &Vault, specimen: &[u8]) -> Self {
        let sealed = SealedSecret(specimen.to_vec());
        match vault.renew(&sealed, [0; NONCE]) {
            Err(_) => Self::Foreign,
            // Versions that left something in clear sealed another kind of secret.
            Ok(None) if vault.open_text(&sealed).is_ok() => Self::Current,
            Ok(_) => Self::Outdated,
        }
    }
}

/// A random text, sealed.
pub(crate) fn specimen(vault: &Vault) -> io::Result<Vec<u8>> {
    Ok(vault.seal_text(&generate()?, random()?).0)
}

/// A secret that cannot be guessed.
fn generate() -> io::Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random::<MIN_BYTES>()?))
}

fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    private::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

fn given_or_kept(
    given: Option<&SecretKeys>,
    folder: &Path,
    kind: Kind,
) -> anyhow::Result<SecretKeys> {
    let keys = match given {
        Some(keys) => keys.clone(),
        None => kept(folder, kind)?.map_or_else(|| files::create(folder, kind), Ok)?,
    };
    refuse_weak(kind, &keys)?;
    Ok(keys)
}

/// A token can be forged with any secret that verifies. An older main secret only decrypts, and
/// what it encrypted is encrypted again.
fn refuse_weak(kind: Kind, keys: &SecretKeys) -> anyhow::Result<()> {
    let counted = if kind.file == MAIN { 1 } else { usize::MAX };
    let weak = keys.all().take(counted).find(|it| it.0.len() < MIN_BYTES);
    let Some(weak) = weak else { return Ok(()) };
    let Kind { key, .. } = kind;
    let new = generate()?;
    let hint = if kind.file == MAIN {
        format!(
            "if nothing is stored yet, give a random one, such as {new}; if it is in use, put the \
             random one before it, `{key} = [\"{new}\", \"…\"]`, and what is stored is \
             encrypted again"
        )
    } else {
        format!(
            "give a random one, such as {new}; tokens that were signed with the short one are \
             refused from then on"
        )
    };
    let message = format!("`{key}` has {} bytes, expected at least {MIN_BYTES}", weak.0.len());
    Err(Advice { message, hint, source: None }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef";

    fn keys(texts: &[&str]) -> SecretKeys {
        SecretKeys::of(texts.iter().copied()).unwrap()
    }

    #[test]
    fn another_main_secret_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (Vault::new("ours"), Vault::new("other"));
        assert_eq!(check_main(&ours, folder.path()).unwrap(), Specimen::Current);
        assert_eq!(check_main(&ours, folder.path()).unwrap(), Specimen::Current);
        let error = check_main(&other, folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("`main_secret` is not the one that "), "{error}");
        let both = Vault::rotating("other", ["ours"]);
        assert_eq!(check_main(&both, folder.path()).unwrap(), Specimen::Outdated);
    }

    #[test]
    fn a_specimen_of_an_older_version_says_that_something_is_in_clear() {
        let vault = Vault::new("ours");
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let old = vault.seal(&secret, [1; NONCE]).0;
        assert_eq!(Specimen::read(&vault, &old), Specimen::Outdated);
        assert_eq!(Specimen::read(&vault, b"junk"), Specimen::Foreign);
    }

    #[test]
    fn short_secrets_are_refused_with_a_random_one_in_their_place() {
        let short = LONG.get(1..).unwrap();
        for (kind, given, weak) in [
            (JWT_SECRET, vec![LONG], None),
            (JWT_SECRET, vec![LONG, LONG], None),
            (JWT_SECRET, vec!["sesame"], Some(6)),
            (JWT_SECRET, vec![short], Some(31)),
            (JWT_SECRET, vec![LONG, short], Some(31)),
            (MAIN_SECRET, vec![LONG, "x"], None),
            (MAIN_SECRET, vec!["x"], Some(1)),
            (MAIN_SECRET, vec!["x", LONG], Some(1)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let found = given_or_kept(Some(&keys(&given)), folder.path(), kind);
            let Some(bytes) = weak else {
                assert_eq!(found.unwrap().all().count(), given.len());
                continue;
            };
            let error = found.unwrap_err();
            let expected = format!("`{}` has {bytes} bytes, expected at least 32", kind.key);
            assert_eq!(error.to_string(), expected);
            let hint = &error.downcast_ref::<Advice>().unwrap().hint;
            let suggested = hint.split("such as ").nth(1).unwrap().split(';').next().unwrap();
            assert!(given_or_kept(Some(&keys(&[suggested])), folder.path(), kind).is_ok());
            assert!(!hint.contains(LONG), "{hint}");
        }
    }

    #[test]
    fn a_given_secret_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let found = given_or_kept(Some(&keys(&[LONG])), folder.path(), JWT_SECRET).unwrap();
        assert_eq!(found.first.0, LONG);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
