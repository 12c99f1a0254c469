//! The secrets of an installation that is copied: the new store needs the same ones.

use std::path::{Path, PathBuf};

use super::location::Location;
use crate::{
    config::{Config, SecretKeys},
    failure::{self, Advice},
    secrets::{
        CHECK_FILE, CheckResult, JWT_SECRET, Kind, MAIN_SECRET, configured, installation,
        new_check_value, read_optional, stored, vault, write,
    },
};

/// What was found out about a secret of the source.
#[derive(Debug)]
pub(super) struct FoundSecret {
    kind: Kind,
    secret: Option<SecretKeys>,
    /// The file that contains it, unless it is configured.
    pub(super) file: Option<PathBuf>,
    /// The source's check value, which only this secret decrypts.
    check_value: Option<Vec<u8>>,
}

/// Finds the source's secrets: in the configuration, or in the data folder, which for a database is
/// the configured one.
pub(super) async fn find(config: &Config, from: &Location) -> anyhow::Result<[FoundSecret; 2]> {
    let (folder, check_values) = match from {
        Location::Folder(folder) => (folder, [read_optional(&folder.join(CHECK_FILE))?, None]),
        Location::Database(url) => {
            let database = installation(config, url).await?;
            let main = database.fact(MAIN_SECRET.key).await.map_err(failure::of_store)?;
            let jwt = database.fact(JWT_SECRET.key).await.map_err(failure::of_store)?;
            (&config.data_dir, [main, jwt])
        },
    };
    let [main, jwt] = check_values;
    let find = |kind, check_value| find_one(config, folder, from, (kind, check_value));
    Ok([find(MAIN_SECRET, main)?, find(JWT_SECRET, jwt)?])
}

fn find_one(
    config: &Config,
    folder: &Path,
    from: &Location,
    (kind, check_value): (Kind, Option<Vec<u8>>),
) -> anyhow::Result<FoundSecret> {
    let path = folder.join(kind.file);
    let is_right = |keys: &SecretKeys| match &check_value {
        Some(value) => CheckResult::of(&vault(keys), value) != CheckResult::Foreign,
        None => true,
    };
    if let Some(secret) = configured(config, kind) {
        if !is_right(secret) {
            return Err(wrong_secret(kind, from).into());
        }
        return Ok(FoundSecret { kind, secret: Some(secret.clone()), file: None, check_value });
    }
    let secret = stored(folder, kind)?.filter(is_right);
    let file = secret.is_some().then_some(path);
    Ok(FoundSecret { kind, secret, file, check_value })
}

fn wrong_secret(kind: Kind, from: &Location) -> Advice {
    Advice {
        message: format!("`{}` is not the one that {from} uses", kind.key),
        hint: "configure the secret that its servers were started with, or none if they had none"
            .to_owned(),
        source: None,
    }
}

/// Stores the secrets that were found in the target: a folder holds the secrets, a database only
/// their check values.
pub(super) async fn store(
    config: &Config,
    found: &[FoundSecret],
    to: &Location,
) -> anyhow::Result<()> {
    match to {
        Location::Folder(folder) => {
            found.iter().try_for_each(|secret| store_in_folder(folder, secret))
        },
        Location::Database(url) => {
            let database = installation(config, url).await?;
            for secret in found {
                let check_value = match (&secret.check_value, &secret.secret) {
                    (Some(known), _) => known.clone(),
                    (None, Some(keys)) => new_check_value(&vault(keys))?,
                    (None, None) => continue,
                };
                database.keep(secret.kind.key, check_value).await.map_err(failure::of_store)?;
            }
            Ok(())
        },
    }
}

fn store_in_folder(folder: &Path, found: &FoundSecret) -> anyhow::Result<()> {
    if let Some(file) = &found.file
        && let Some(bytes) = read_optional(file)?
    {
        write(&folder.join(found.kind.file), &bytes)?;
    }
    if let (Some(check_value), true) = (&found.check_value, found.kind.is_main()) {
        write(&folder.join(CHECK_FILE), check_value)?;
    }
    Ok(())
}

impl FoundSecret {
    /// Where the secret is, for the user; `None` if it was not found.
    pub(super) fn location(&self) -> Option<String> {
        let file = self.file.as_ref().map(|it| it.display().to_string());
        file.or_else(|| {
            self.secret.is_some().then(|| format!("`{}` as configured now", self.kind.key))
        })
    }

    pub(super) const fn key(&self) -> &'static str {
        self.kind.key
    }
}
