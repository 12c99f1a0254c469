//! What is remembered between runs: which URL is ours, and how far a source was followed.

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
use rand::{TryRngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::failure::Advice;

/// Bytes of the key's digest that make a token; the server makes the same.
const TOKEN: usize = 24;

/// Messages of a source that are known again when they come twice.
const SEEN: usize = 1_000;

/// Where what is remembered is kept.
#[derive(Args, Debug)]
pub(crate) struct Folder {
    /// Folder for what is remembered [default: ~/.local/state/postrider]
    #[arg(long, value_name = "DIR", env = "POSTRIDER_STATE_DIR")]
    state: Option<PathBuf>,
    #[arg(long, hide = true, env = "XDG_STATE_HOME")]
    xdg_state_home: Option<PathBuf>,
}

impl Folder {
    /// The folder, which is there afterwards.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        let fallback = || self.xdg_state_home.as_ref().map(|it| it.join("postrider"));
        let home = || std::env::home_dir().map(|it| it.join(".local/state/postrider"));
        let path = self.state.clone().or_else(fallback).or_else(home);
        let path = path.context("there is no home folder; name a folder with --state")?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{} cannot be created", path.display()))?;
        Ok(path)
    }
}

/// As it is written down.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    server: String,
    /// Where requests go to, or the source that they come from.
    of: String,
    key: String,
    /// The source is followed from here on.
    #[serde(default)]
    since: Option<String>,
    /// The youngest message that was passed on.
    after: Option<String>,
    #[serde(default)]
    seen: VecDeque<String>,
}

/// What is remembered of one server together with one program or one source.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    memory: Memory,
    /// Held until the process ends.
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
        let lock = lock(&path.with_extension("lock"))?;
        let memory = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; remove it", path.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Memory { server: server.to_string(), of, key: key()?, ..Memory::default() }
            },
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            },
        };
        let state = Self { path, memory, _lock: lock };
        state.save()?;
        Ok(state)
    }

    pub(super) fn key(&self) -> &str {
        &self.memory.key
    }

    /// Names us; only who has the key can listen with it.
    pub(super) fn token(&self) -> String {
        let digest = Sha256::digest(&self.memory.key);
        let digest = digest.get(..TOKEN).expect("a digest has 32 bytes");
        format!("p_{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
    }

    pub(super) fn after(&self) -> Option<&str> {
        self.memory.after.as_deref()
    }

    /// The source is followed from here on, if nothing is known yet.
    pub(super) fn begin(&mut self, after: String) -> anyhow::Result<()> {
        if self.memory.after.is_none() {
            self.memory.since = Some(after.clone());
            self.memory.after = Some(after);
        }
        self.save()
    }

    pub(super) fn forget_place(&mut self) -> anyhow::Result<()> {
        self.memory.after = None;
        self.save()
    }

    /// Whether the message was passed on, or came before the source was followed.
    pub(super) fn has_seen(&self, id: &str) -> bool {
        let is_earlier = self.memory.since.as_deref().is_some_and(|since| id < since);
        is_earlier || self.memory.seen.iter().any(|it| it == id)
    }

    /// The message was passed on. Ids in text sort as the messages do.
    pub(super) fn pass(&mut self, id: &str) -> anyhow::Result<()> {
        if self.memory.after.as_deref().is_none_or(|after| after < id) {
            self.memory.after = Some(id.to_owned());
        }
        self.memory.seen.push_back(id.to_owned());
        if self.memory.seen.len() > SEEN {
            self.memory.seen.pop_front();
        }
        self.save()
    }

    fn save(&self) -> anyhow::Result<()> {
        let draft = self.path.with_extension("new");
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&serde_json::to_vec(&self.memory)?)?;
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
            message: "another `postrider listen` does the same".to_owned(),
            hint: "end it, forward to another URL, or give this one another --state".to_owned(),
            source: None,
        }
        .into()),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        },
    }
}

fn key() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
