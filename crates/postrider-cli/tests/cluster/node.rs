//! A node: a process of the real binary.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
};

use crate::{postrider, signal, until};

/// Names and values of environment variables.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// A node; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    folder: PathBuf,
    variables: Variables,
    child: Child,
}

impl Node {
    /// Starts the process, without waiting until it is ready.
    pub(crate) fn start(folder: &Path, variables: Variables) -> Self {
        fs::create_dir_all(folder.join("postrider-data")).unwrap();
        let child = spawn(folder, &variables);
        Self { folder: folder.to_owned(), variables, child }
    }

    /// Waits until the process prints its address; returns its URL.
    pub(crate) fn ready(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|it| it.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("it said {line:?} and logged {}", self.log()));
        url.trim_end_matches(',').to_owned()
    }

    /// Kills the process.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the process again after its exit.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.folder, &self.variables);
    }

    pub(crate) fn pause(&self) {
        signal("STOP", &[self.child.id()]);
    }

    pub(crate) fn resume(&self) {
        signal("CONT", &[self.child.id()]);
    }

    /// Terminates the process and waits for its exit.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        signal("TERM", &[self.child.id()]);
        self.ended().await
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the node ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
    }

    /// Everything that its processes wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(folder: &Path, variables: &Variables) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    postrider(&["serve"])
        .current_dir(folder)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap()
}
