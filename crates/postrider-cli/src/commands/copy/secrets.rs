//! The secrets of an installation that moves: its nodes need the same ones afterwards.

use std::path::{Path, PathBuf};

use anyhow::Context;
use postrider_store::{Installation, PostgresOptions, private};

use super::Store;
use crate::{
    config::{Config, DatabaseUrl, SecretKeys},
    failure::{self, Advice},
    secrets::{
        JWT_SECRET, Kind, MAIN_SECRET, SPECIMEN, Specimen, given, kept, read, specimen, vault,
    },
    settings,
};

/// What was found of a secret.
#[derive(Debug)]
pub(super) struct Found {
    kind: Kind,
    secret: Option<SecretKeys>,
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
    let is_right = |keys: &SecretKeys| match &specimen {
        Some(specimen) => Specimen::read(&vault(keys), specimen) != Specimen::Foreign,
        None => true,
    };
    if let Some(secret) = given(config, kind) {
        if !is_right(secret) {
            return Err(other_secret(kind, from).into());
        }
        return Ok(Found { kind, secret: Some(secret.clone()), file: None, specimen });
    }
    let secret = kept(folder, kind)?.filter(is_right);
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
                    (None, Some(secret)) => specimen(&vault(secret))?,
                    (None, None) => continue,
                };
                database.keep(it.kind.key, specimen).await.map_err(failure::of_store)?;
            }
            Ok(())
        },
    }
}

fn put_into(folder: &Path, found: &Found) -> anyhow::Result<()> {
    if let Some(file) = &found.file
        && let Some(bytes) = read(file)?
    {
        write(&folder.join(found.kind.file), &bytes)?;
    }
    if let (Some(specimen), true) = (&found.specimen, found.kind.key == MAIN_SECRET.key) {
        write(&folder.join(SPECIMEN), specimen)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    private::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
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
