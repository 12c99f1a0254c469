//! What was passed on, kept to be sent again: one line of JSON each, in two files that take
//! turns, so that it never takes more than twice the limit.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::wire::Event;

/// Size at which a file gives way to the next.
const LIMIT: u64 = 16 << 20;

/// A request as it was, and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Kept {
    /// When it was answered, in milliseconds since 1970.
    pub at: u64,
    pub request: Event,
    pub event_type: Option<String>,
    /// The source that it came from, if it did not come over a URL of our own.
    pub source: Option<String>,
    pub forward: String,
    pub status: u16,
    pub duration_ms: u64,
}

/// What was passed on.
#[derive(Clone, Debug)]
pub(in super::super) struct Record {
    file: PathBuf,
    /// What was written before.
    former: PathBuf,
}

impl Record {
    pub(super) fn within(folder: &Path) -> Self {
        Self { file: folder.join("requests.jsonl"), former: folder.join("requests.1.jsonl") }
    }

    pub(super) fn add(&self, kept: &Kept) -> anyhow::Result<()> {
        let write = || {
            let mut line = serde_json::to_vec(kept)?;
            line.push(b'\n');
            if fs::metadata(&self.file).is_ok_and(|it| it.len() > LIMIT) {
                fs::rename(&self.file, &self.former)?;
            }
            let mut options = OpenOptions::new();
            let mut file = options.append(true).create(true).mode(0o600).open(&self.file)?;
            file.write_all(&line)
        };
        write().with_context(|| format!("{} cannot be written", self.file.display()))
    }

    /// Goes through all of it, the oldest first. A line that was cut off by a crash is
    /// passed over.
    pub(in super::super) fn visit(&self, mut each: impl FnMut(Kept)) -> anyhow::Result<()> {
        for path in [&self.former, &self.file] {
            let file = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.with_context(|| format!("{} cannot be read", path.display()))?,
            };
            for line in BufReader::new(file).split(b'\n') {
                if let Ok(kept) = serde_json::from_slice(&line?) {
                    each(kept);
                }
            }
        }
        Ok(())
    }
}
