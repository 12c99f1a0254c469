//! A program that an endpoint runs, as the configuration file describes it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::kind::{Credential, Fields, KindConfig, Problem, parse, time};

/// Longest time that a program may run.
const MAX_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Most runs of a program at a time.
const MAX_CONCURRENCY: usize = 100;

/// Begin the names of the variables that the server sets.
const OWN: &str = "POSTRIDER_";

/// A program on this machine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Program {
    /// The file, with its whole path.
    pub program: PathBuf,
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables in addition to those that the server sets. Nothing is inherited.
    #[serde(default)]
    pub env: BTreeMap<String, Credential>,
    /// The folder that it runs in.
    #[serde(default = "root")]
    pub cwd: PathBuf,
    /// How long it may run.
    #[serde(default = "default_timeout", deserialize_with = "time::deserialize")]
    pub timeout: Duration,
    /// Most runs at a time.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

impl Program {
    /// Reads the configuration.
    pub fn parse(fields: &Fields) -> Result<Self, Vec<Problem>> {
        parse(fields)
    }

    fn check_texts(&self, problems: &mut Vec<Problem>) {
        for (index, argument) in self.args.iter().enumerate() {
            if argument.contains('\0') {
                let path = vec!["args".to_owned(), index.to_string()];
                problems.push(Problem { path, message: "must not contain a zero byte".to_owned() });
            }
        }
        for (name, value) in &self.env {
            let message = match name {
                _ if name.is_empty() || name.contains(['=', '\0']) => "is not a variable's name",
                _ if name.starts_with(OWN) => "is set by the server; choose another name",
                _ if value.reveal().contains('\0') => "must not contain a zero byte",
                _ => continue,
            };
            let path = vec!["env".to_owned(), name.clone()];
            problems.push(Problem { path, message: message.to_owned() });
        }
    }
}

impl KindConfig for Program {
    fn check(&self, problems: &mut Vec<Problem>) {
        for (field, path) in [("program", &self.program), ("cwd", &self.cwd)] {
            if !is_plain(path) {
                problems.push(Problem::of(field, "must be a whole path, which begins with /"));
            }
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            problems.push(Problem::of("timeout", "must be more than 0s and at most 1h"));
        }
        check_concurrency(self.concurrency, problems);
        self.check_texts(problems);
    }

    fn address(&self) -> String {
        format!("command:{}", self.program.display())
    }
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0)
}

pub(super) fn check_concurrency(concurrency: usize, problems: &mut Vec<Problem>) {
    if concurrency == 0 || concurrency > MAX_CONCURRENCY {
        problems.push(Problem::of("concurrency", format!("must be from 1 to {MAX_CONCURRENCY}")));
    }
}

fn root() -> PathBuf {
    PathBuf::from("/")
}

const fn default_timeout() -> Duration {
    Duration::from_secs(30)
}

pub(super) const fn default_concurrency() -> usize {
    4
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(config: Value) -> Result<Program, Vec<Problem>> {
        let Value::Object(fields) = config else { unreachable!() };
        Program::parse(&fields)
    }

    #[test]
    fn a_program_has_defaults() {
        let program = read(json!({ "program": "/bin/x" })).unwrap();
        assert_eq!(program.timeout, Duration::from_secs(30));
        assert_eq!((program.concurrency, program.cwd.to_str()), (4, Some("/")));
        let program = read(json!({ "program": "/bin/x", "timeout": "1m30s" })).unwrap();
        assert_eq!(program.timeout, Duration::from_secs(90));
    }

    #[test]
    fn what_cannot_work_is_a_problem_of_its_field() {
        for (config, path) in [
            (json!({ "program": "x" }), "program"),
            (json!({ "program": "/bin/x", "cwd": "tmp" }), "cwd"),
            (json!({ "program": "/bin/x", "timeout": "0s" }), "timeout"),
            (json!({ "program": "/bin/x", "timeout": "2h" }), "timeout"),
            (json!({ "program": "/bin/x", "timeout": 5 }), "timeout"),
            (json!({ "program": "/bin/x", "concurrency": 0 }), "concurrency"),
            (json!({ "program": "/bin/x", "args": ["a", "\u{0}"] }), "args.1"),
            (json!({ "program": "/bin/x", "env": { "A=B": "c" } }), "env.A=B"),
            (json!({ "program": "/bin/x", "env": { "POSTRIDER_X": "c" } }), "env.POSTRIDER_X"),
            (json!({ "program": "/bin/x", "shell": true }), "shell"),
        ] {
            let problems = read(config.clone()).unwrap_err();
            let paths: Vec<_> = problems.iter().map(|it| it.path.join(".")).collect();
            assert_eq!(paths, [path], "{config}: {problems:?}");
        }
    }
}
