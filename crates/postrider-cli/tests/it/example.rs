//! Runs `examples/receive-stripe` as its README says.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    port::free_port,
    server::{MAX_WAIT, signal, wait},
};

/// The code blocks to run, in order.
fn blocks(readme: &str) -> Vec<String> {
    let parts = readme.split("```sh\n").skip(1);
    parts.filter_map(|it| it.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}

/// A shell that runs the README's commands, with other ports; its jobs end with it.
struct Session {
    folder: TempDir,
    shell: std::process::Child,
}

impl Session {
    fn start() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/receive-stripe");
        let folder = tempfile::tempdir().unwrap();
        fs::copy(source.join("service.py"), folder.path().join("service.py")).unwrap();
        let readme = fs::read_to_string(source.join("README.md")).unwrap();
        // Readers take longer to type the next block than the server to start.
        let ready = "until curl -sf \"$POSTRIDER_URL/api/v1/health\"; do sleep 0.1; done\n";
        let script = blocks(&readme).join(ready).replace("9000", &free_port().to_string());
        assert!(script.contains("postrider trigger"), "the blocks were found");
        let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{script}\nwait\n");
        let binary = Path::new(env!("CARGO_BIN_EXE_postrider")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var_os("PATH").unwrap().display());
        let port = free_port();
        let output = fs::File::create(folder.path().join("output")).unwrap();
        let shell = Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder.path())
            .env("PATH", path)
            .env("POSTRIDER_LISTEN", format!("127.0.0.1:{port}"))
            .env("POSTRIDER_URL", format!("http://127.0.0.1:{port}"))
            .env("POSTRIDER_RETRY_JITTER", "0")
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { folder, shell }
    }

    /// Waits until the output matches, and returns all of it.
    #[expect(clippy::disallowed_methods, reason = "a deadline in real time")]
    fn until(&self, is_so: impl Fn(&str) -> bool) -> String {
        let path = self.folder.path().join("output");
        let output = || fs::read_to_string(&path).unwrap();
        let deadline = Instant::now() + MAX_WAIT;
        while !is_so(&output()) {
            assert!(Instant::now() < deadline, "it only said: {}", output());
            thread::park_timeout(Duration::from_millis(20));
        }
        output()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The shell's trap kills its jobs.
        signal(self.shell.id(), "TERM");
        wait(&mut self.shell);
    }
}

#[test]
fn a_signed_event_of_stripe_is_delivered_at_the_third_attempt() {
    let walk = Session::start();
    // If the request fails, the session's output tells why.
    let seen = walk.until(|output| {
        let done = |kind: &str| {
            let is_third = |it: &str| it.starts_with("try 3") && it.ends_with("done");
            output.lines().any(|it| is_third(it) && it.contains(kind))
        };
        done("payment_intent.succeeded")
            && done("invoice.paid")
            && output.contains("no signature matches")
    });
    let tries = |kind| seen.lines().filter(|it| it.starts_with("try") && it.contains(kind)).count();
    assert_eq!((tries("payment_intent.succeeded"), tries("invoice.paid")), (3, 3), "{seen}");
}
