//! How far the messages of each application are imported, in a file.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::source::MessageQuery;
use crate::failure::Advice;

const VERSION: u32 = 1;

/// How long before the end of an earlier import a new one begins. The clock of the source may be
/// behind ours.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Time between two writes of the file. What was imported since then is looked at again after a
/// crash, and not imported twice.
const WRITE_INTERVAL: Duration = Duration::from_millis(200);

/// How far an import is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    version: u32,
    source: String,
    target: String,
    /// By the application's id in the source.
    applications: BTreeMap<String, Progress>,
}

/// How far the messages of one application are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// The period of which all messages are imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    covered: Option<Period>,
    /// The period that is being imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Period {
    since: Timestamp,
    until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    #[serde(flatten)]
    period: Period,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iterator: Option<String>,
}

impl Progress {
    /// The next page to read, if messages from `since` to `now` are wanted and some of them are
    /// missing.
    pub(crate) fn next(&mut self, since: Timestamp, now: Timestamp) -> Option<MessageQuery> {
        if self.window.is_none() {
            let period = self.missing(since, now)?;
            self.window = Some(Window { period, iterator: None });
        }
        let Window { period: Period { since, until }, iterator } = self.window.clone()?;
        Some(MessageQuery { since, until, iterator })
    }

    fn missing(&self, since: Timestamp, now: Timestamp) -> Option<Period> {
        let Some(covered) = self.covered else { return Some(Period { since, until: now }) };
        if since < covered.since {
            return Some(Period { since, until: covered.since });
        }
        let again = covered.until.saturating_sub(OVERLAP).ok()?.max(covered.since);
        (covered.until < now).then_some(Period { since: again, until: now })
    }

    /// A page was imported; `iterator` is the cursor of the next one.
    pub(crate) fn imported(&mut self, iterator: Option<String>) {
        let Some(mut window) = self.window.take() else { return };
        if iterator.is_some() {
            window.iterator = iterator;
            self.window = Some(window);
            return;
        }
        let Period { since, until } = window.period;
        let covered = self.covered.unwrap_or(window.period);
        self.covered =
            Some(Period { since: covered.since.min(since), until: covered.until.max(until) });
    }
}

/// The state in its file.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    state: State,
    written_at: Option<Duration>,
}

impl StateFile {
    /// Reads the file, or starts a new state if there is none.
    pub(crate) fn open(path: &Path, source: &str, target: &str) -> anyhow::Result<Self> {
        let new = || State {
            version: VERSION,
            source: source.to_owned(),
            target: target.to_owned(),
            applications: BTreeMap::new(),
        };
        let state = match fs::read(path) {
            Ok(bytes) => parse(&bytes).with_context(|| path.display().to_string())?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => new(),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        if state.source != source || state.target != target {
            return Err(Advice {
                message: format!(
                    "{} is the state of an import from {} to {}",
                    path.display(),
                    state.source,
                    state.target
                ),
                hint: "set --state to another file".to_owned(),
                source: None,
            }
            .into());
        }
        Ok(Self { path: path.to_owned(), state, written_at: None })
    }

    pub(crate) fn progress(&self, application: &str) -> Progress {
        self.state.applications.get(application).cloned().unwrap_or_default()
    }

    /// Notes the progress, and writes the file from time to time.
    pub(crate) fn note(
        &mut self,
        application: &str,
        progress: Progress,
        now: Duration,
    ) -> anyhow::Result<()> {
        self.state.applications.insert(application.to_owned(), progress);
        let is_due = self.written_at.is_none_or(|at| now.saturating_sub(at) >= WRITE_INTERVAL);
        if is_due {
            self.written_at = Some(now);
            self.write()?;
        }
        Ok(())
    }

    /// Writes the file. A crash leaves either the old or the new content.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let next = self.path.with_extension("new");
        let write = || {
            let mut file = fs::File::create(&next)?;
            file.write_all(&serde_json::to_vec_pretty(&self.state)?)?;
            file.sync_data()?;
            fs::rename(&next, &self.path)
        };
        write().with_context(|| self.path.display().to_string())
    }
}

fn parse(bytes: &[u8]) -> anyhow::Result<State> {
    let state: State = serde_json::from_slice(bytes).context("is not the state of an import")?;
    anyhow::ensure!(state.version == VERSION, "was written by another version");
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap()
    }

    /// The next period and cursor, in minutes.
    fn next(progress: &mut Progress, since: i64, now: i64) -> Option<(i64, i64, Option<String>)> {
        let minutes = |it: Timestamp| (it.as_second() - 1_790_000_000) / 60;
        let query = progress.next(at(since), at(now))?;
        Some((minutes(query.since), minutes(query.until), query.iterator))
    }

    #[test]
    fn an_import_continues_where_it_was_interrupted() {
        let mut progress = Progress::default();
        assert_eq!(next(&mut progress, 0, 100), Some((0, 100, None)));
        progress.imported(Some("a".to_owned()));
        let json = serde_json::to_string(&progress).unwrap();
        let mut progress: Progress = serde_json::from_str(&json).unwrap();
        // The wanted period has moved on, but the interrupted one comes first.
        assert_eq!(next(&mut progress, 20, 120), Some((0, 100, Some("a".to_owned()))));
        progress.imported(None);
        assert_eq!(next(&mut progress, 20, 120), Some((90, 120, None)));
        progress.imported(None);
        assert_eq!(next(&mut progress, 20, 120), None);
    }

    #[test]
    fn a_longer_period_adds_the_older_messages() {
        let mut progress = Progress::default();
        assert_eq!(next(&mut progress, 50, 100), Some((50, 100, None)));
        progress.imported(None);
        assert_eq!(next(&mut progress, 0, 100), Some((0, 50, None)));
        progress.imported(None);
        assert_eq!(next(&mut progress, 0, 100), None);
    }

    #[test]
    fn a_state_belongs_to_one_pair_of_systems() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut file = StateFile::open(&path, "one", "two").unwrap();
        let mut progress = Progress::default();
        progress.next(at(0), at(1));
        file.note("app", progress.clone(), Duration::ZERO).unwrap();
        let again = StateFile::open(&path, "one", "two").unwrap();
        assert_eq!(again.progress("app"), progress);
        let error = StateFile::open(&path, "other", "two").unwrap_err();
        assert!(error.to_string().contains("from one to two"), "{error}");
        fs::write(&path, "{").unwrap();
        let error = StateFile::open(&path, "one", "two").unwrap_err();
        assert!(format!("{error:#}").contains("is not the state"), "{error:#}");
    }
}
