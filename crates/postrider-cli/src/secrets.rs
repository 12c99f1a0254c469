//! The installation's own secrets: given, or made once and kept in the data folder.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use postrider::signature;
use postrider_core::{catalog::SealedSecret, vault::Vault};
use postrider_store::{Installation, PostgresOptions};
use rand::{TryRngCore, rngs::OsRng};

use crate::{
    config::{Config, Secret},
    failure::{self, Advice},
    settings,
};

const JWT: &str = "jwt-secret";
const MAIN: &str = "main-secret";
pub(crate) const SPECIMEN: &str = "main-secret.check";

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
    pub jwt: Secret,
    /// What encrypts the endpoints' secrets.
    pub vault: Vault,
}

/// Finds the secrets, and makes sure that they are the installation's. A data folder that is
/// `furnished` has encrypted secrets already: a new main secret could not read them.
pub(crate) async fn open(config: &Config, furnished: bool) -> anyhow::Result<Secrets> {
    let database = database(config).await?;
    if database.is_none() {
        require_kept(config, furnished)?;
    }
    let jwt = found(config, JWT_SECRET, database.as_ref()).await?;
    let main = found(config, MAIN_SECRET, database.as_ref()).await?;
    let vault = Vault::new(&main.0);
    if database.is_none() {
        check_main(&vault, &config.data_dir)?;
    }
    Ok(Secrets { jwt, vault })
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
pub(crate) async fn jwt(config: &Config) -> anyhow::Result<Secret> {
    found(config, JWT_SECRET, database(config).await?.as_ref()).await
}

async fn database(config: &Config) -> anyhow::Result<Option<Installation>> {
    let Some(url) = &config.database_url else { return Ok(None) };
    let options = PostgresOptions { connections: 1, ..settings::database(config, url) };
    Installation::open(options).await.map(Some).map_err(failure::of_store)
}

async fn found(
    config: &Config,
    kind: Kind,
    database: Option<&Installation>,
) -> anyhow::Result<Secret> {
    let given = given(config, kind);
    let folder = &config.data_dir;
    let Some(database) = database else { return given_or_kept(given, folder, kind.file) };
    let is_here = given.is_some() || folder.join(kind.file).exists();
    let is_known = database.fact(kind.key).await.map_err(failure::of_store)?.is_some();
    if is_known && !is_here {
        let message = format!("`{}` is neither given nor kept in {}", kind.key, folder.display());
        return Err(Advice { message, hint: SHARED.to_owned(), source: None }.into());
    }
    let secret = given_or_kept(given, folder, kind.file)?;
    check(&secret, kind, database, &config.place()).await?;
    Ok(secret)
}

pub(crate) fn given(config: &Config, kind: Kind) -> Option<&Secret> {
    match kind.file {
        MAIN => config.main_secret.as_ref(),
        _ => config.jwt_secret.as_ref(),
    }
}

/// Makes sure that the others that use the database have the same secret: a specimen that one
/// of them sealed with it must open.
async fn check(
    secret: &Secret,
    kind: Kind,
    database: &Installation,
    place: &str,
) -> anyhow::Result<()> {
    let vault = Vault::new(&secret.0);
    let kept = database.keep(kind.key, specimen(&vault)?).await.map_err(failure::of_store)?;
    match vault.open(&SealedSecret(kept)) {
        Ok(_) => Ok(()),
        Err(_) => Err(Advice {
            message: format!("`{}` is not the one that {place} uses", kind.key),
            hint: SHARED.to_owned(),
            source: None,
        }
        .into()),
    }
}

const SHARED: &str = "all servers of a database have the same secrets: copy `main-secret` and \
                      `jwt-secret` from the data folder of the first one, or give \
                      POSTRIDER_MAIN_SECRET and POSTRIDER_JWT_SECRET to all of them";

/// Makes sure that this is the main secret that the data folder's secrets were encrypted
/// with: a sealed specimen in the folder must open.
fn check_main(vault: &Vault, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(SPECIMEN);
    match fs::read(&path) {
        Ok(specimen) => vault.open(&SealedSecret(specimen)).map(drop).map_err(|error| {
            Advice {
                message: format!("`main_secret` is not the one that {} uses", folder.display()),
                hint: "give the one that was given before, or none if none was: \
                       without it no endpoint's secret can be read"
                    .to_owned(),
                source: Some(error.into()),
            }
            .into()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(&path, specimen(vault)?)
            .with_context(|| format!("{} cannot be written", path.display())),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// A random secret, sealed.
pub(crate) fn specimen(vault: &Vault) -> io::Result<Vec<u8>> {
    let secret = signature::Secret::generate(signature::Kind::Symmetric, random()?);
    Ok(vault.seal(&secret, random()?).0)
}

fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Copies the kept secrets beside the copy of a data folder.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for name in [JWT, MAIN, SPECIMEN] {
        let (from, to) = (from.join(name), to.join(name));
        if from.exists() {
            // The copy has the rights of the file.
            fs::copy(&from, &to).with_context(|| format!("{} cannot be copied", from.display()))?;
        }
    }
    Ok(())
}

fn given_or_kept(given: Option<&Secret>, folder: &Path, name: &str) -> anyhow::Result<Secret> {
    if let Some(secret) = given {
        return Ok(secret.clone());
    }
    let path = folder.join(name);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(folder, &path).and_then(|()| fs::read_to_string(&path))
        },
        read => read,
    };
    let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
    anyhow::ensure!(!text.trim().is_empty(), "{} is empty", path.display());
    Ok(Secret(text.trim().to_owned()))
}

/// Writes a new secret, unless another process was faster; nobody sees a half of it.
fn create(folder: &Path, path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let bytes: [u8; 32] = random()?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(folder)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_reads_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new");
        let first = given_or_kept(None, &folder, "jwt-secret").unwrap();
        let second = given_or_kept(None, &folder, "jwt-secret").unwrap();
        let other = given_or_kept(None, &folder, "main-secret").unwrap();
        assert_eq!(first.0, second.0);
        assert_ne!(first.0, other.0);
        assert!(first.0.len() >= 43);
        let mode = fs::metadata(folder.join("jwt-secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn another_main_secret_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (Vault::new("ours"), Vault::new("other"));
        check_main(&ours, folder.path()).unwrap();
        check_main(&ours, folder.path()).unwrap();
        let error = check_main(&other, folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("`main_secret` is not the one that "), "{error}");
    }

    #[test]
    fn a_given_secret_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let given = Secret("sesame".to_owned());
        let secret = given_or_kept(Some(&given), folder.path(), "jwt-secret").unwrap();
        assert_eq!(secret.0, "sesame");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
