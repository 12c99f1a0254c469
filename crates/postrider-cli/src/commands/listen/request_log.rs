//! A log of forwarded requests, which `postrider replay` reads: one line of JSON per request. A
//! full file replaces the previous one, so that the log takes at most twice the limit.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use postrider::listen::RelayedRequest;
use serde::{Deserialize, Serialize};

/// Size at which a new file is started.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A request, and the response to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct LoggedRequest {
    /// When the program responded, in milliseconds since 1970.
    pub at: u64,
    pub request: RelayedRequest,
    pub event_type: Option<String>,
    /// The source, if the request was not received at a URL of our own.
    pub source: Option<String>,
    pub forward: String,
    pub status: u16,
    pub duration_ms: u64,
}

/// The log of forwarded requests.
#[derive(Clone, Debug)]
pub(in super::super) struct RequestLog {
    file: PathBuf,
    /// The previous file.
    previous: PathBuf,
}

impl RequestLog {
    pub(super) fn within(folder: &Path) -> Self {
        Self { file: folder.join("requests.jsonl"), previous: folder.join("requests.1.jsonl") }
    }

    pub(super) fn add(&self, logged: &LoggedRequest) -> anyhow::Result<()> {
        let write = || {
            let mut line = serde_json::to_vec(logged)?;
            line.push(b'\n');
            if fs::metadata(&self.file).is_ok_and(|it| it.len() > MAX_FILE_BYTES) {
                fs::rename(&self.file, &self.previous)?;
            }
            let mut options = OpenOptions::new();
            let mut file = options.append(true).create(true).mode(0o600).open(&self.file)?;
            file.write_all(&line)
        };
        write().with_context(|| format!("{} cannot be written", self.file.display()))
    }

    /// Visits all requests, the oldest first. A line that was cut off by a crash is skipped.
    pub(in super::super) fn visit(
        &self,
        mut visitor: impl FnMut(LoggedRequest),
    ) -> anyhow::Result<()> {
        for path in [&self.previous, &self.file] {
            let file = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.with_context(|| format!("{} cannot be read", path.display()))?,
            };
            for line in BufReader::new(file).split(b'\n') {
                if let Ok(logged) = serde_json::from_slice(&line?) {
                    visitor(logged);
                }
            }
        }
        Ok(())
    }
}
