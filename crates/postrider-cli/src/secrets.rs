//! The secrets of the installation: configured, or generated once and stored in the data folder.

mod check_value;
mod files;
mod kind;

use std::{path::Path, time::Duration};

use postrider_core::vault::Vault;
use postrider_engine::Engine;
use postrider_store::{Installation, PostgresOptions};

use self::kind::MIN_BYTES;
pub(crate) use self::{
    check_value::{CheckResult, new_check_value, vault},
    files::{copy, read_optional, stored, warn_of_exposed, warn_of_public_files, write},
    kind::{CHECK_FILE, JWT_SECRET, Kind, MAIN_SECRET},
};
use crate::{
    config::{Config, DatabaseUrl, SecretKeys},
    failure::{self, Advice},
    random, settings,
};

/// Pause before the end of a rotation is recorded again.
const NOTE_PAUSE: Duration = Duration::from_secs(5);

/// The secrets that a server needs.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Signs and verifies API tokens.
    pub jwt: SecretKeys,
    /// Encrypts secrets in the store.
    pub vault: Vault,
    /// Whether the store may contain plaintext, or secrets that an older main secret encrypted.
    pub is_outdated: bool,
}

impl Secrets {
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let jwt = SecretKeys::of(["a secret that signs tokens in tests"]).expect("it is a secret");
        Self { jwt, vault: Vault::new("main"), is_outdated: false }
    }
}

/// Finds the secrets and makes sure that they are those of the installation. A data folder that is
/// `furnished` already contains encrypted secrets, which a new main secret could not decrypt.
pub(crate) async fn open(config: &Config, furnished: bool) -> anyhow::Result<Secrets> {
    let database = database(config).await?;
    if database.is_none() {
        require_stored(config, furnished)?;
    }
    let (jwt, _) = find(config, JWT_SECRET, database.as_ref()).await?;
    let (main, checked) = find(config, MAIN_SECRET, database.as_ref()).await?;
    let vault = vault(&main);
    let checked = match checked {
        Some(checked) => checked,
        None => check_main(&vault, &config.data_dir)?,
    };
    Ok(Secrets { jwt, vault, is_outdated: checked == CheckResult::Outdated })
}

/// Waits until everything is encrypted with the current main secret, and then notes that the older
/// ones are no longer needed. A failure is retried.
pub(crate) async fn note_rotation(config: &Config, engine: &Engine) {
    engine.rotation().completed().await;
    while let Err(error) = replace_check_value(config, engine.vault()).await {
        tracing::error!(
            error = &*error as &dyn std::error::Error,
            "the end of the rotation of `main_secret` was not recorded; trying again"
        );
        tokio::time::sleep(NOTE_PAUSE).await;
    }
    engine.rotation().set_recorded();
    tracing::info!(
        "all stored secrets are encrypted with the current `main_secret`; once this is the first \
         one of all nodes, the older ones can be removed"
    );
}

async fn replace_check_value(config: &Config, vault: &Vault) -> anyhow::Result<()> {
    let check_value = new_check_value(vault)?;
    match database(config).await? {
        Some(database) => {
            database.replace(MAIN_SECRET.key, &check_value).await.map_err(failure::of_store)
        },
        None => write(&config.data_dir.join(CHECK_FILE), &check_value),
    }
}

/// Makes sure that a lost secret is not silently replaced by a new one.
fn require_stored(config: &Config, furnished: bool) -> anyhow::Result<()> {
    let folder = &config.data_dir;
    let is_lost =
        |kind: Kind| configured(config, kind).is_none() && !folder.join(kind.file).exists();
    if is_lost(MAIN_SECRET) && (furnished || folder.join(CHECK_FILE).exists()) {
        return Err(Advice {
            message: format!("{} is missing from {}", MAIN_SECRET.file, folder.display()),
            hint: "restore the file from a backup, or configure `main_secret` as before: without \
                   it the secrets of endpoints cannot be decrypted"
                .to_owned(),
            source: None,
        }
        .into());
    }
    if is_lost(JWT_SECRET) && furnished {
        tracing::warn!(
            "{} is missing from {} and a new one is created; existing API tokens become invalid",
            JWT_SECRET.file,
            folder.display()
        );
    }
    Ok(())
}

/// The secret that signs and verifies API tokens.
pub(crate) async fn jwt(config: &Config) -> anyhow::Result<SecretKeys> {
    Ok(find(config, JWT_SECRET, database(config).await?.as_ref()).await?.0)
}

async fn database(config: &Config) -> anyhow::Result<Option<Installation>> {
    let Some(url) = &config.database_url else { return Ok(None) };
    installation(config, url).await.map(Some)
}

/// Opens the part of a database that all of its nodes share.
pub(crate) async fn installation(
    config: &Config,
    url: &DatabaseUrl,
) -> anyhow::Result<Installation> {
    let options = PostgresOptions { connections: 1, ..settings::database(config, url) };
    Installation::open(options).await.map_err(failure::of_store)
}

/// The secret, and whether it matches the check value in the database.
async fn find(
    config: &Config,
    kind: Kind,
    database: Option<&Installation>,
) -> anyhow::Result<(SecretKeys, Option<CheckResult>)> {
    let configured = configured(config, kind);
    let folder = &config.data_dir;
    let Some(database) = database else {
        return Ok((configured_or_stored(configured, folder, kind)?, None));
    };
    let is_here = configured.is_some() || folder.join(kind.file).exists();
    let is_known = database.fact(kind.key).await.map_err(failure::of_store)?.is_some();
    if is_known && !is_here {
        let message =
            format!("`{}` is neither configured nor stored in {}", kind.key, folder.display());
        return Err(Advice { message, hint: SHARED.to_owned(), source: None }.into());
    }
    let keys = configured_or_stored(configured, folder, kind)?;
    let checked = check(&keys, kind, database, &config.store_location()).await?;
    Ok((keys, Some(checked)))
}

/// The secret in the configuration.
pub(crate) fn configured(config: &Config, kind: Kind) -> Option<&SecretKeys> {
    if kind.is_main() { config.main_secret.as_ref() } else { config.jwt_secret.as_ref() }
}

/// Makes sure that all nodes have the same secret: it must decrypt the check value that the first
/// node left in the database.
async fn check(
    keys: &SecretKeys,
    kind: Kind,
    database: &Installation,
    location: &str,
) -> anyhow::Result<CheckResult> {
    let vault = vault(keys);
    let stored = database.keep(kind.key, new_check_value(&vault)?).await;
    let result = CheckResult::of(&vault, &stored.map_err(failure::of_store)?);
    match result {
        CheckResult::Foreign => Err(Advice {
            message: format!("`{}` is not the one that {location} uses", kind.key),
            hint: SHARED.to_owned(),
            source: None,
        }
        .into()),
        // Nothing is encrypted with the JWT secret but its check value.
        CheckResult::Outdated if !kind.is_main() => {
            let new = new_check_value(&vault)?;
            database.replace(kind.key, &new).await.map_err(failure::of_store)?;
            Ok(CheckResult::Current)
        },
        CheckResult::Current | CheckResult::Outdated => Ok(result),
    }
}

const SHARED: &str = "all nodes of a database need the same secrets: copy `main-secret` and \
                      `jwt-secret` from the data folder of the first node, or set \
                      POSTRIDER_MAIN_SECRET and POSTRIDER_JWT_SECRET on all of them";

/// Makes sure that this main secret decrypts the secrets in the data folder: it must decrypt the
/// folder's check value.
fn check_main(vault: &Vault, folder: &Path) -> anyhow::Result<CheckResult> {
    let path = folder.join(CHECK_FILE);
    let Some(stored) = read_optional(&path)? else {
        write(&path, &new_check_value(vault)?)?;
        return Ok(CheckResult::Current);
    };
    match CheckResult::of(vault, &stored) {
        CheckResult::Foreign => Err(Advice {
            message: format!("`main_secret` is not the one that {} uses", folder.display()),
            hint: "configure the previous secret, or none if there was none: without it stored \
                   secrets cannot be decrypted; to change it, put the new secret before the old \
                   one"
            .to_owned(),
            source: None,
        }
        .into()),
        result @ (CheckResult::Current | CheckResult::Outdated) => Ok(result),
    }
}

fn configured_or_stored(
    configured: Option<&SecretKeys>,
    folder: &Path,
    kind: Kind,
) -> anyhow::Result<SecretKeys> {
    let keys = match configured {
        Some(keys) => keys.clone(),
        None => stored(folder, kind)?.map_or_else(|| files::create(folder, kind), Ok)?,
    };
    reject_weak(kind, &keys)?;
    Ok(keys)
}

/// Rejects short secrets. Any JWT secret that verifies can forge tokens. An older main secret only
/// decrypts what is encrypted again with the first one, so its length does not matter.
fn reject_weak(kind: Kind, keys: &SecretKeys) -> anyhow::Result<()> {
    let checked = if kind.is_main() { 1 } else { usize::MAX };
    let weak = keys.all().take(checked).find(|it| it.0.len() < MIN_BYTES);
    let Some(weak) = weak else { return Ok(()) };
    let Kind { key, .. } = kind;
    let new = random::secret()?;
    let hint = if kind.is_main() {
        format!(
            "if nothing is stored yet, use a random secret, such as {new}; if the secret is in \
             use, put a random one before it, `{key} = [\"{new}\", \"…\"]`, and everything is \
             encrypted again"
        )
    } else {
        format!(
            "use a random secret, such as {new}; tokens signed with the short secret become \
             invalid"
        )
    };
    let message = format!("`{key}` has {} bytes, expected at least {MIN_BYTES}", weak.0.len());
    Err(Advice { message, hint, source: None }.into())
}

#[cfg(test)]
mod tests {
    use postrider_core::vault::NONCE;

    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef";

    fn keys(texts: &[&str]) -> SecretKeys {
        SecretKeys::of(texts.iter().copied()).unwrap()
    }

    #[test]
    fn a_wrong_main_secret_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (Vault::new("ours"), Vault::new("other"));
        assert_eq!(check_main(&ours, folder.path()).unwrap(), CheckResult::Current);
        assert_eq!(check_main(&ours, folder.path()).unwrap(), CheckResult::Current);
        let error = check_main(&other, folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("`main_secret` is not the one that "), "{error}");
        let both = Vault::rotating("other", ["ours"]);
        assert_eq!(check_main(&both, folder.path()).unwrap(), CheckResult::Outdated);
    }

    #[test]
    fn a_check_value_of_an_older_version_means_that_some_secrets_are_in_plaintext() {
        let vault = Vault::new("ours");
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let old = vault.seal(&secret, [1; NONCE]).0;
        assert_eq!(CheckResult::of(&vault, &old), CheckResult::Outdated);
        assert_eq!(CheckResult::of(&vault, b"junk"), CheckResult::Foreign);
    }

    #[test]
    fn short_secrets_are_rejected_with_a_random_one_as_suggestion() {
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
            let found = configured_or_stored(Some(&keys(&given)), folder.path(), kind);
            let Some(bytes) = weak else {
                assert_eq!(found.unwrap().all().count(), given.len());
                continue;
            };
            let error = found.unwrap_err();
            let expected = format!("`{}` has {bytes} bytes, expected at least 32", kind.key);
            assert_eq!(error.to_string(), expected);
            let hint = &error.downcast_ref::<Advice>().unwrap().hint;
            let suggested = hint.split("such as ").nth(1).unwrap().split(';').next().unwrap();
            assert!(configured_or_stored(Some(&keys(&[suggested])), folder.path(), kind).is_ok());
            assert!(!hint.contains(LONG), "{hint}");
        }
    }

    #[test]
    fn a_configured_secret_is_not_written_to_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let found = configured_or_stored(Some(&keys(&[LONG])), folder.path(), JWT_SECRET).unwrap();
        assert_eq!(found.first.0, LONG);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
