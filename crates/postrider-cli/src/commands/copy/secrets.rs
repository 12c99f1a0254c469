//! The secrets of an installation that moves: its nodes need the same ones afterwards.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use postrider_core::{catalog::SealedSecret, vault::Vault};
use postrider_store::{Installation, PostgresOptions};

use super::Store;
use crate::{
    config::{Config, DatabaseUrl, Secret},
    failure::{self, Advice},
    secrets::{JWT_SECRET, Kind, MAIN_SECRET, SPECIMEN, given, specimen},
    settings,
};

/// What was found of a secret.
#[derive(Debug)]
pub(super) struct Found {
    kind: Kind,
    secret: Option<Secret>,
    /// The file that it is kept in, unless it was given.
    pub(super) file: Option<PathBuf>,
    /// What was sealed with it, by which others find out whether theirs is the same.
    specimen: Option<Vec<u8>>,
}

/// Finds what there is of the source's secrets: given in the configuration, or kept in its
/// folder, for which a database has the one of the configuration.
pub(super) async fn find(config: &Config, from: &Store) -> anyhow::Result<[Found; 2]> {
    let (folder, specimens) = match from {
        Store::Folder(folder) => (folder, [read(&folder.join(SPECIMEN))?, None]),
        Store::Database(url) => {
            let database = open(config, url).await?;
            let main = database.fact(MAIN_SECRET.key).await.map_err(failure::of_store)?;
            let jwt = database.fact(JWT_SECRET.key).await.map_err(failure::of_store)?;
            (&config.data_dir, [main, jwt])
        },
    };
    let [main, jwt] = specimens;
    let find = |kind, specimen| find_one(config, folder, from, (kind, specimen));
    Ok([find(MAIN_SECRET, main)?, find(JWT_SECRET, jwt)?])
}

fn find_one(
    config: &Config,
    folder: &Path,
    from: &Store,
    (kind, specimen): (Kind, Option<Vec<u8>>),
) -> anyhow::Result<Found> {
    let path = folder.join(kind.file);
    let is_right = |secret: &Secret| match &specimen {
        Some(specimen) => Vault::new(&secret.0).open(&SealedSecret(specimen.clone())).is_ok(),
        None => true,
    };
    if let Some(secret) = given(config, kind) {
        if !is_right(secret) {
            return Err(other_secret(kind, from).into());
        }
        return Ok(Found { kind, secret: Some(secret.clone()), file: None, specimen });
    }
    let kept = read(&path)?.map(|it| Secret(String::from_utf8_lossy(&it).trim().to_owned()));
    let secret = kept.filter(|it| !it.0.is_empty() && is_right(it));
    let file = secret.is_some().then_some(path);
    Ok(Found { kind, secret, file, specimen })
}

fn other_secret(kind: Kind, from: &Store) -> Advice {
    Advice {
        message: format!("`{}` is not the one that {from} uses", kind.key),
        hint: "give the one that its servers were started with, or none if none was given"
            .to_owned(),
        source: None,
    }
}

/// Lets the target know the secrets, as far as they were found: a folder keeps them, a database
/// can tell them from others.
pub(super) async fn put(config: &Config, found: &[Found], to: &Store) -> anyhow::Result<()> {
    match to {
        Store::Folder(folder) => found.iter().try_for_each(|it| put_into(folder, it)),
        Store::Database(url) => {
            let database = open(config, url).await?;
            for it in found {
                let specimen = match (&it.specimen, &it.secret) {
                    (Some(known), _) => known.clone(),
                    (None, Some(secret)) => specimen(&Vault::new(&secret.0))?,
                    (None, None) => continue,
                };
                database.keep(it.kind.key, specimen).await.map_err(failure::of_store)?;
            }
            Ok(())
        },
    }
}

fn put_into(folder: &Path, found: &Found) -> anyhow::Result<()> {
    if let Some(file) = &found.file {
        // The copy has the rights of the file.
        let to = folder.join(found.kind.file);
        fs::copy(file, &to).with_context(|| format!("{} cannot be written", to.display()))?;
    }
    if let (Some(specimen), true) = (&found.specimen, found.kind.key == MAIN_SECRET.key) {
        let to = folder.join(SPECIMEN);
        fs::write(&to, specimen).with_context(|| format!("{} cannot be written", to.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

async fn open(config: &Config, url: &DatabaseUrl) -> anyhow::Result<Installation> {
    let options = PostgresOptions { connections: 1, ..settings::database(config, url) };
    Installation::open(options).await.map_err(failure::of_store)
}

impl Found {
    /// Where the user finds it; none if it was not found.
    pub(super) fn place(&self) -> Option<String> {
        let kept = self.file.as_ref().map(|it| it.display().to_string());
        kept.or_else(|| self.secret.is_some().then(|| format!("`{}` as given now", self.kind.key)))
    }

    pub(super) const fn key(&self) -> &'static str {
        self.kind.key
    }
}
