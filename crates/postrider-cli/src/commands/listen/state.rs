//! State between runs: the key of our URL, and the position in a source.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use postrider::listen::token_from_key;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{failure::Advice, random};

/// Ids of forwarded messages that are kept to recognize repetitions.
const MAX_SEEN: usize = 1_000;

/// The option that chooses the folder of the state.
#[derive(Args, Debug)]
pub(crate) struct StateFolder {
    /// Folder for state and request log [default: ~/.local/state/postrider]
    #[arg(long, value_name = "DIR", env = "POSTRIDER_STATE_DIR")]
    state: Option<PathBuf>,
    #[arg(long, hide = true, env = "XDG_STATE_HOME")]
    xdg_state_home: Option<PathBuf>,
}

impl StateFolder {
    /// The folder, which is created if it does not exist.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        let fallback = || self.xdg_state_home.as_ref().map(|it| it.join("postrider"));
        let home = || std::env::home_dir().map(|it| it.join(".local/state/postrider"));
        let path = self.state.clone().or_else(fallback).or_else(home);
        let path = path.context("there is no home folder; choose a folder with --state")?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{} cannot be created", path.display()))?;
        Ok(path)
    }
}

/// Content of the state file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct StoredState {
    server: String,
    /// URL that requests are forwarded to, or the source that they come from.
    of: String,
    key: String,
    /// Position at which the source was first followed; earlier messages are skipped.
    #[serde(default)]
    since: Option<String>,
    /// The latest message that was forwarded.
    after: Option<String>,
    #[serde(default)]
    seen: VecDeque<String>,
}

/// State of one server together with one URL to forward to, or with one source.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    stored: StoredState,
    /// Locked until the process ends.
    _lock: File,
}

impl State {
    pub(super) fn open(
        folder: &Path,
        server: &Url,
        forward: &Url,
        source: Option<&str>,
    ) -> anyhow::Result<Self> {
        let of = source.map_or_else(|| format!("to {forward}"), |it| format!("from {it}"));
        let digest = Sha256::digest(format!("{server}\n{of}"));
        let name = BASE64_URL_SAFE_NO_PAD.encode(digest.get(..12).expect("a digest is longer"));
        let path = folder.join(format!("listen-{name}.json"));
        // Two processes with the same key would replace each other's connection in turn.
        let lock = lock(&path.with_extension("lock"))?;
        let stored = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; remove it", path.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => StoredState {
                server: server.to_string(),
                of,
                key: random::secret()?,
                ..StoredState::default()
            },
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            },
        };
        let state = Self { path, stored, _lock: lock };
        state.save()?;
        Ok(state)
    }

    pub(super) fn key(&self) -> &str {
        &self.stored.key
    }

    /// The token of our URL; listening with it requires the key.
    pub(super) fn token(&self) -> String {
        token_from_key(&self.stored.key)
    }

    pub(super) fn after(&self) -> Option<&str> {
        self.stored.after.as_deref()
    }

    /// Sets the position in the source, unless there is one from an earlier run.
    pub(super) fn set_first_position(&mut self, after: String) -> anyhow::Result<()> {
        if self.stored.after.is_none() {
            self.stored.since = Some(after.clone());
            self.stored.after = Some(after);
        }
        self.save()
    }

    /// Drops the position, so that the server chooses the current one.
    pub(super) fn forget_position(&mut self) -> anyhow::Result<()> {
        self.stored.after = None;
        self.save()
    }

    /// Whether the message was forwarded, or is older than the first position.
    pub(super) fn has_seen(&self, id: &str) -> bool {
        let is_earlier = self.stored.since.as_deref().is_some_and(|since| id < since);
        is_earlier || self.stored.seen.iter().any(|it| it == id)
    }

    /// Records that the message was forwarded. Ids as text sort in the order of the messages.
    pub(super) fn set_forwarded(&mut self, id: &str) -> anyhow::Result<()> {
        if self.stored.after.as_deref().is_none_or(|after| after < id) {
            self.stored.after = Some(id.to_owned());
        }
        self.stored.seen.push_back(id.to_owned());
        if self.stored.seen.len() > MAX_SEEN {
            self.stored.seen.pop_front();
        }
        self.save()
    }

    fn save(&self) -> anyhow::Result<()> {
        // Renamed into place, so that a process that is killed leaves the old or the new state.
        let draft = self.path.with_extension("new");
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&serde_json::to_vec(&self.stored)?)?;
            fs::rename(&draft, &self.path)
        };
        write().with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Advice {
            message: "another `postrider listen` uses the same state".to_owned(),
            hint: "stop it, forward to another URL, or give this one another --state".to_owned(),
            source: None,
        }
        .into()),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        },
    }
}
