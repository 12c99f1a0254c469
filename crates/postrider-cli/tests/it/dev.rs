//! `postrider dev`, the first command that new users run.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
};

use crate::server::{MAX_WAIT, postrider, signal, wait};

/// A running `postrider dev` and the lines that it prints.
struct Dev {
    child: Child,
    lines: Receiver<String>,
}

impl Dev {
    fn start(folder: &Path) -> Self {
        let mut command = postrider(&["dev", "--listen", "127.0.0.1:0", "--data"]);
        let mut child = command
            .arg(folder.join("data"))
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                sender.send(line.unwrap()).unwrap();
            }
        });
        Self { child, lines }
    }

    /// Waits for the next line with this prefix.
    fn line(&self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(MAX_WAIT).unwrap();
            if line.starts_with(start) {
                return line;
            }
        }
    }

    fn terminate(&mut self) {
        signal(self.child.id(), "TERM");
        assert!(wait(&mut self.child).success());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs the line in a shell.
fn paste(line: &str) {
    let status = Command::new("sh")
        .args(["-c", &line.replace("curl ", "curl --silent --fail --output /dev/null ")])
        .status()
        .unwrap();
    assert!(status.success(), "{line}");
}

#[test]
fn the_curl_command_publishes_an_event_to_the_inbox_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let mut dev = Dev::start(folder.path());
        let url = dev.line("Postrider listens on ");
        let line = dev.line("curl ");
        dev.line("Deliveries to the inbox");
        paste(&line);
        let printed = dev.line("demo.greeting  inbox  200  ");
        assert!(printed.contains("  signature verified  msg_"), "{printed}");
        assert!(printed.ends_with(r#"{"hello": "world"}"#), "{printed}");
        let url = url.split_whitespace().find(|it| it.starts_with("http")).unwrap();
        let id = printed.split_whitespace().find(|it| it.starts_with("msg_")).unwrap();
        assert!(page(&format!("{}/inbox", url.trim_end_matches(','))).contains(id));
        let token = line.split("Bearer ").nth(1).unwrap().split('\'').next().unwrap();
        for list in [&["app", "list"][..], &["endpoint", "list", "demo"]] {
            let mut command = postrider(list);
            command.args(["--json", "--url", url.trim_end_matches(','), "--token", token]);
            let output = command.output().unwrap();
            let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
        }
        assert_eq!(relay_status(url.trim_end_matches(',')), "404", "the relay is disabled");
        dev.terminate();
    }
}

/// The page at a URL.
fn page(url: &str) -> String {
    let output = Command::new("curl").args(["--silent", "--fail", url]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The status of a request to an unknown listener; 403 if the relay is disabled.
fn relay_status(url: &str) -> String {
    let url = format!("{url}/in/c_4tVb0KXk9zQm1LrYwS7fGhJn2pD/");
    let status = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"];
    let output = Command::new("curl").args(status).args(["--data", "{}", &url]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
