//! Runs the scenarios of the clients, each in its language.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::server;

/// The folder in which `install` installs the clients.
pub(crate) fn installed(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdk").join(name);
    assert!(
        path.join("installed").exists(),
        "{} is missing; run crates/postrider-cli/tests/sdk/install (as ./test does), which needs \
         Python 3.10 with venv, Node.js 20 and npm, PyPI and the npm registry",
        path.display()
    );
    path
}

pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name)
}

/// Runs a scenario against a new server.
#[track_caller]
fn check(command: &mut Command) {
    let server = server();
    let output = command
        .env("POSTRIDER_URL", &server.url)
        .env("POSTRIDER_TOKEN", &server.token)
        .output()
        .unwrap();
    let (out, error) = (&output.stdout, &output.stderr);
    assert!(
        output.status.success(),
        "{}{}\nThe server logged:\n{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error),
        server.log()
    );
}

#[track_caller]
fn check_python(line: u8) {
    let python = installed(&format!("python-{line}")).join("bin/python");
    check(Command::new(python).arg("-B").arg(source("python/scenario.py")));
}

#[track_caller]
fn check_javascript(line: u8) {
    // Node searches packages next to the script, so the scripts are copied to the packages.
    let folder = installed("javascript").join(format!("line-{line}"));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["scenario.mjs", "receiver.mjs", "sources.mjs", "operations.mjs", "coverage.mjs"] {
        std::fs::copy(source("javascript").join(name), folder.join(name)).unwrap();
    }
    let script = folder.join("scenario.mjs");
    check(Command::new("node").arg(script).env("POSTRIDER_SDK_LINE", line.to_string()));
}

#[test]
fn the_rust_client_works() {
    check(&mut Command::new(installed("rust").join("debug/scenario")));
}

#[test]
fn the_python_client_of_the_line_2_works() {
    check_python(2);
}

#[test]
fn the_python_client_of_the_line_2_works_with_destinations() {
    let python = installed("python-2").join("bin/python");
    let absent = if cfg!(feature = "full") { "" } else { "amazonS3,sqs,sns,rabbitMq" };
    let mut command = Command::new(python);
    command.arg("-B").arg(source("python/destinations.py"));
    check(command.env("POSTRIDER_TEST_ABSENT", absent));
}

#[test]
fn the_python_client_of_the_line_2_polls() {
    let python = installed("python-2").join("bin/python");
    check(Command::new(python).arg("-B").arg(source("python/polling.py")));
}

#[test]
fn the_operations_of_the_python_client_that_work_are_those_of_the_list() {
    let python = installed("python-2").join("bin/python");
    check(Command::new(python).arg("-B").arg(source("python/sweep.py")));
}

#[test]
fn the_python_client_of_the_line_1_works() {
    check_python(1);
}

#[test]
fn the_javascript_client_of_the_line_2_works() {
    check_javascript(2);
}

#[test]
fn the_javascript_client_of_the_line_1_works() {
    check_javascript(1);
}
