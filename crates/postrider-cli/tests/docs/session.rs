//! The shells that run a page.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    expected,
    page::{Action, MAIN, Step},
};

/// Maximum wait for a block or a condition.
const MAX_WAIT: Duration = Duration::from_secs(180);

/// Maximum wait for output after the end of its block.
const MAX_WAIT_FOR_OUTPUT: Duration = Duration::from_secs(15);

/// Starts a shell for each line that it reads. The namespace ends with it.
const DRIVER: &str = r#"
ip link set lo up
while read -r name; do
    mkfifo "$name.in"
    bash --noprofile --norc <"$name.in" &
done
"#;

/// The server of a page listens here.
const READY: &str = "curl -s http://127.0.0.1:8071/api/v1/health/ready";

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder, a network namespace, and shells in it. All processes end with it.
pub(crate) struct Session {
    folder: TempDir,
    driver: Child,
    starts: ChildStdin,
    terminals: Vec<Terminal>,
    blocks: usize,
}

struct Terminal {
    name: String,
    input: fs::File,
    /// The file with the output of the last block.
    output: PathBuf,
}

impl Session {
    /// A session for a page, given by its path in the repository.
    pub(crate) fn start(page: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("docs").tempdir().unwrap();
        let work = prepare(folder.path(), page);
        // An error of the API is an error of the page.
        fs::write(folder.path().join(".curlrc"), "fail-with-body\nsilent\n").unwrap();
        let mut driver = Command::new("unshare")
            .args(namespaces())
            .args(["bash", "-c", DRIVER])
            .current_dir(work)
            .env_clear()
            .envs(environment(folder.path()))
            .stdin(Stdio::piped())
            .spawn()
            .expect("unshare is installed (scripts/install)");
        let starts = driver.stdin.take().unwrap();
        Self { folder, driver, starts, terminals: Vec::new(), blocks: 0 }
    }

    /// Takes a step, or says what went wrong.
    pub(crate) fn take(&mut self, step: &Step) -> Result<(), String> {
        match &step.action {
            Action::Skip(_) => Ok(()),
            Action::Given(name) => {
                let given = format!("crates/postrider-cli/tests/docs/given/{name}.sh");
                let script = fs::read_to_string(repository().join(given));
                let script = script.map_err(|error| format!("{name} is not known: {error}"))?;
                self.run(MAIN, &script, false)
            },
            Action::Wait(condition) => self.wait(condition),
            Action::Run { terminal, script, fails } => {
                self.run(terminal, script, *fails)?;
                let mut servers = ["postrider serve", "postrider dev"].into_iter();
                let serves = servers.any(|it| script.contains(it));
                if serves && !fails { self.wait(READY) } else { Ok(()) }
            },
            Action::Compare { terminal, text, is_json } => self.compare(terminal, text, *is_json),
            Action::Save { name, content } => {
                let path = self.work().join(name);
                fs::write(path, content).map_err(|error| error.to_string())
            },
        }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn control(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until a command succeeds.
    fn wait(&mut self, condition: &str) -> Result<(), String> {
        let script = format!("until {condition}; do sleep 0.1; done >/dev/null 2>&1\n");
        // The output of the block before is still to be compared.
        let output = self.terminals.iter().find(|it| it.name == MAIN).map(|it| it.output.clone());
        let result =
            self.run(MAIN, &script, false).map_err(|error| format!("{condition}: {error}"));
        if let Some(terminal) = self.terminals.iter_mut().find(|it| it.name == MAIN) {
            terminal.output = output.unwrap_or_else(|| terminal.output.clone());
        }
        result
    }

    /// Runs commands in a terminal. Those of other terminals than the main one may go on.
    fn run(&mut self, terminal: &str, script: &str, fails: bool) -> Result<(), String> {
        self.blocks += 1;
        let block = self.control(&format!("{}.sh", self.blocks));
        let output = block.with_extension("out");
        let status = block.with_extension("status");
        let options = if fails { "set +e" } else { "set -euo pipefail" };
        fs::write(&block, script).unwrap();
        let line = format!(
            "{options}; . '{}' </dev/null >'{}' 2>&1; echo $? >'{}'\n",
            block.display(),
            output.display(),
            status.display(),
        );
        self.terminal(terminal, &output)?
            .write_all(line.as_bytes())
            .map_err(|it| it.to_string())?;
        if terminal != MAIN {
            return Ok(());
        }
        let ended = self.control(MAIN).with_extension("ended");
        until(MAX_WAIT, || text(&status).ends_with('\n') || ended.exists());
        match (text(&status).trim(), fails) {
            ("0", false) => Ok(()),
            ("" | "0", _) => Err(format!("{}\nfailed: {script}", text(&output))),
            (_, true) => Ok(()),
            (other, false) => Err(format!("{}\nfailed with {other}: {script}", text(&output))),
        }
    }

    /// The input of a terminal, which is started if it is new.
    fn terminal(&mut self, name: &str, output: &Path) -> Result<&mut fs::File, String> {
        if !self.terminals.iter().any(|it| it.name == name) {
            let control = self.control(name);
            writeln!(self.starts, "{}", control.display()).map_err(|error| error.to_string())?;
            let fifo = control.with_extension("in");
            until(MAX_WAIT, || fifo.exists() || self.driver.try_wait().unwrap().is_some());
            if !fifo.exists() {
                return Err("`unshare` fails: this user needs network namespaces".to_owned());
            }
            let mut input = fs::OpenOptions::new().write(true).open(fifo).unwrap();
            let ended = control.with_extension("ended");
            writeln!(input, "trap 'echo $? >{}' EXIT", ended.display()).unwrap();
            let output = output.to_owned();
            self.terminals.push(Terminal { name: name.to_owned(), input, output });
        }
        let terminal = self.terminals.iter_mut().find(|it| it.name == name).unwrap();
        output.clone_into(&mut terminal.output);
        Ok(&mut terminal.input)
    }

    fn compare(&self, terminal: &str, shown: &str, is_json: bool) -> Result<(), String> {
        let terminal = self.terminals.iter().find(|it| it.name == terminal);
        let Some(Terminal { output, .. }) = terminal else { return Err("no such terminal".into()) };
        // Programs in the background may print it later.
        if until(MAX_WAIT_FOR_OUTPUT, || expected::matches(shown, &text(output), is_json)) {
            return Ok(());
        }
        Err(format!("the page shows:\n{shown}\nbut the output is:\n{}", text(output)))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The first process of the namespace is killed with its parent, and all others with it.
        self.driver.kill().unwrap();
        self.driver.wait().unwrap();
    }
}

/// The folder in which a page runs: a copy of its example, or an empty one with the examples.
fn prepare(folder: &Path, page: &str) -> PathBuf {
    let work = folder.join("work");
    fs::create_dir(&work).unwrap();
    let repository = repository();
    let example = page.strip_prefix("examples/").and_then(|it| it.split_once('/'));
    if let Some((name, _)) = example {
        for file in fs::read_dir(repository.join("examples").join(name)).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, work.join(path.file_name().unwrap())).unwrap();
        }
    } else {
        symlink(repository.join("examples"), work.join("examples")).unwrap();
    }
    work
}

/// Networks, processes and, without root, users of its own.
fn namespaces() -> Vec<&'static str> {
    let mut arguments = vec!["--net", "--pid", "--mount-proc", "--fork", "--kill-child"];
    if !rustix::process::geteuid().is_root() {
        arguments.extend(["--user", "--map-current-user", "--keep-caps"]);
    }
    arguments
}

/// Variables of the shells: the tested binary and the official clients come first.
fn environment(folder: &Path) -> Vec<(&'static str, String)> {
    let repository = repository();
    let binary = Path::new(env!("CARGO_BIN_EXE_postrider")).parent().unwrap();
    let sdk = binary.parent().unwrap().join("sdk");
    let path = std::env::var_os("PATH").unwrap();
    let path =
        format!("{}:{}:{}", binary.display(), sdk.join("python-2/bin").display(), path.display());
    vec![
        ("PATH", path),
        ("HOME", folder.display().to_string()),
        ("LANG", "C.UTF-8".to_owned()),
        ("NODE_PATH", sdk.join("javascript/node_modules").display().to_string()),
        ("REPOSITORY", repository.display().to_string()),
    ]
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Waits for a condition, and returns whether it came true.
#[expect(clippy::disallowed_methods, reason = "a deadline in real time")]
fn until(wait: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + wait;
    while !is_so() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
    true
}
