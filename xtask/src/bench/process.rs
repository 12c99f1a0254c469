//! Child processes, and what `/proc` says of them and of the machine.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use rustix::process::Pid;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::clock;

/// The kernel counts CPU time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// A process that has worked no more than a tick at a time for so long is at rest.
pub(crate) const QUIET: Duration = Duration::from_millis(400);

/// How long a child may take to say something, or to end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A process of the benchmark; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) pid: u32,
    pub(crate) started: Instant,
}

/// A process that is a part of the benchmark, and talks.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Part {
    pub(crate) fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bench-part").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let input = process.child.stdin.take().context("a child without input")?;
        let output = process.child.stdout.take().context("a child without output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    /// Its next line, as JSON.
    pub(crate) async fn read_line<T: DeserializeOwned>(
        &mut self,
        within: Duration,
    ) -> anyhow::Result<T> {
        let line = tokio::time::timeout(within, self.output.next_line())
            .await
            .context("a part of the benchmark is silent")??
            .context("a part of the benchmark ended early")?;
        serde_json::from_str(&line).with_context(|| format!("a part said {line:?}"))
    }

    /// Its answer to a line of input.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        self.input.write_all(b"?\n").await?;
        self.read_line(TIMEOUT).await
    }
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let started = clock::now();
        let child = command
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", command.as_std().get_program().display()))?;
        let pid = child.id().context("a child that ended at once")?;
        Ok(Self { child, pid, started })
    }

    /// Gives it the lowest priority, as `nice -n 19` does.
    pub(crate) fn step_back(&self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.pid.cast_signed());
        rustix::process::setpriority_process(pid, 19).context("setpriority")
    }

    /// Ends it the polite way and waits; how long that took.
    pub(crate) async fn end(&mut self) -> anyhow::Result<Duration> {
        let started = clock::now();
        let status = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        ensure!(status.success(), "kill -TERM {}", self.pid);
        let waited = tokio::time::timeout(TIMEOUT, self.child.wait()).await;
        waited.context("a child that does not end")??;
        Ok(started.elapsed())
    }

    /// Kills it and waits.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// User and system time that it has used, with the processes that it started.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        family_cpu(self.pid)
    }

    /// CPU time of its threads, by name. The first one has the name of the program.
    pub(crate) fn threads(&self) -> anyhow::Result<BTreeMap<String, Duration>> {
        let mut threads: BTreeMap<String, Duration> = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let folder = entry?.path();
            // A thread may end while we look.
            let read = |name| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            let (name, times) = (read("comm"), read("schedstat"));
            let nanos = times.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
            *threads.entry(name.trim().to_owned()).or_default() += Duration::from_nanos(nanos);
        }
        Ok(threads)
    }

    /// The same of the process that calls.
    pub(crate) fn own_cpu() -> anyhow::Result<Duration> {
        Self::cpu_of("self")
    }

    fn cpu_of(process: &str) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        Ok(Stat::parse(&stat).context("stat")?.own)
    }

    /// Resident memory in MiB: at most so far, and now.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = |name| {
            let kib = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = kib.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
            kib.map_or(0.0, |kib| kib / 1_024.0)
        };
        Ok((line("VmHWM:"), line("VmRSS:")))
    }

    /// Waits until it has not worked for [`QUIET`].
    pub(crate) async fn quiet(&self, within: Duration) -> anyhow::Result<()> {
        let started = clock::now();
        let mut rested_since = clock::now();
        let mut before = self.cpu()?;
        while rested_since.elapsed() < QUIET && started.elapsed() < within {
            tokio::time::sleep(QUIET / 4).await;
            let now = self.cpu()?;
            if now.saturating_sub(before) > TICK {
                rested_since = clock::now();
            }
            before = now;
        }
        Ok(())
    }
}

/// CPU time of a process and of its children, of those too that have ended.
pub(crate) fn family_cpu(parent: u32) -> anyhow::Result<Duration> {
    // A process that has just begun may have used less than one tick.
    let (mut cpu, mut is_alive) = (Duration::ZERO, false);
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end while we look; its parent has its time then.
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        match Stat::parse(&text) {
            Some(stat) if pid == parent => {
                is_alive = true;
                cpu += stat.own + stat.ended_children;
            },
            Some(stat) if stat.parent == parent => cpu += stat.own,
            _ => {},
        }
    }
    ensure!(is_alive, "process {parent} has ended");
    Ok(cpu)
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// User and system time.
    own: Duration,
    /// The same of its children that have ended.
    ended_children: Duration,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name of the program, in parentheses, may contain anything.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<u32> =
            fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let time = |at: usize| Some(TICK * (fields.get(at)? + fields.get(at + 1)?));
        Some(Self { parent: *fields.get(1)?, own: time(11)?, ended_children: time(13)? })
    }
}

/// CPU time that all processes of the machine have used.
pub(crate) fn machine_cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat")?;
    let fields: Vec<u64> =
        line.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect();
    // All but idle and waiting for a disk; guests' time is within the user's.
    let busy = fields.iter().take(8).sum::<u64>() - fields.iter().skip(3).take(2).sum::<u64>();
    Ok(TICK * u32::try_from(busy)?)
}

/// Bytes that a folder occupies on the disk.
pub(crate) fn disk_bytes(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path())?,
            Ok(metadata) => metadata.blocks() * 512,
            // A temporary file that is gone again.
            Err(_) => 0,
        };
    }
    Ok(bytes)
}

/// Bytes that the logs of SQLite in a data folder occupy: they grow up to a limit, and shrink only
/// when they restart.
pub(crate) fn log_bytes(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with("-wal") {
            // A log that a shutdown has removed occupies nothing.
            bytes += entry.metadata().map_or(0, |it| it.blocks() * 512);
        }
    }
    Ok(bytes)
}

/// The machine and the state of the sources, in words.
pub(crate) fn machine(folder: &Path) -> Vec<(&'static str, String)> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("commit", commit()),
        (
            "cpu",
            format!(
                "{cores} x {}",
                value(&read("/proc/cpuinfo"), "model name").unwrap_or_default()
            ),
        ),
        ("memory", value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default()),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("file system of the data", filesystem(folder, &read("/proc/mounts"))),
        ("dirty data before write-back", write_back(read)),
        ("load before", read("/proc/loadavg").trim().to_owned()),
    ]
}

/// How much written data the kernel keeps in memory before it begins to write it to the disk. The
/// commits of a database wait longer while it does so.
fn write_back(read: impl Fn(&str) -> String) -> String {
    let setting = |name| read(&format!("/proc/sys/vm/dirty_background_{name}")).trim().to_owned();
    match setting("bytes").as_str() {
        // The one of the two that is not set is zero.
        "" | "0" => format!("{} % of the memory", setting("ratio")),
        bytes => format!("{bytes} bytes"),
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).output().ok();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    if changes.is_empty() { head } else { format!("{head} with changes") }
}

fn filesystem(folder: &Path, mounts: &str) -> String {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(mount, _)| folder.starts_with(mount))
        .max_by_key(|(mount, _)| mount.len())
        .map_or_else(String::new, |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_process_and_of_its_ended_children_are_told_apart() {
        let text = "12 (a) b) S 7 1 1 0 -1 0 9 9 9 9 30 12 4 1 20 0 1 0 5 5 5";
        let stat = Stat { parent: 7, own: TICK * 42, ended_children: TICK * 5 };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("12 (a"), None);
    }

    #[test]
    fn the_setting_of_the_write_back_that_is_in_effect_is_named() {
        let words = |bytes: &'static str| {
            write_back(move |path| if path.ends_with("bytes") { bytes } else { "10\n" }.to_owned())
        };
        assert_eq!(words("0\n"), "10 % of the memory");
        assert_eq!(words("67108864\n"), "67108864 bytes");
    }
}
