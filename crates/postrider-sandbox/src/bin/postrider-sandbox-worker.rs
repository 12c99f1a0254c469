//! A worker process for tests. With an argument, it locks itself down as a worker does and then
//! tries what a worker must not be able to do; with `parent`, it starts itself again as a worker.

use std::{fs, net::TcpStream, process::ExitCode, thread, time::Duration};

use postrider_sandbox::{Launch, Run, Sandbox, SandboxOptions, Script, WORKER_COMMAND};
use rustix::process::{Signal, getppid, kill_process};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None | Some(WORKER_COMMAND) => postrider_sandbox::worker(),
        Some("parent") => parent(),
        Some(attempt) => try_it(attempt),
    }
}

/// Runs a script that does not end, and prints the process that runs it.
fn parent() -> ExitCode {
    let longest = Duration::from_secs(3600);
    let options = SandboxOptions {
        interrupt_after: longest,
        kill_after: longest,
        warm: 0,
        ..SandboxOptions::new(Launch::this_program())
    };
    let sandbox = Sandbox::new(options);
    let run =
        |code| Run { owner: 1, script: Script::new(code), argument: "1".into(), read_only: &[] };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime starts").block_on(async {
        let first = sandbox.run(run("function handler() { return 1; }")).await;
        first.expect("this program is a worker");
        let process = format!("{}\n", sandbox.processes()[0]);
        rustix::io::write(rustix::stdio::stdout(), process.as_bytes()).expect("it is read");
        drop(sandbox.run(run("function handler() { for (;;) {} }")).await);
    });
    ExitCode::SUCCESS
}

/// Succeeds only if the attempt did.
fn try_it(attempt: &str) -> ExitCode {
    postrider_sandbox::testing::lock_down().expect("the platform can confine processes");
    let succeeded = match attempt {
        "nothing" => true,
        "read-file" => fs::read("/etc/hostname").is_ok(),
        "write-file" => fs::write("/tmp/postrider-sandbox-test", "a").is_ok(),
        "list-folder" => fs::read_dir("/").is_ok(),
        "stat-file" => fs::metadata("/etc/hostname").is_ok(),
        "connect" => TcpStream::connect("127.0.0.1:9").is_ok(),
        "start-program" => std::process::Command::new("/bin/true").spawn().is_ok(),
        "start-thread" => thread::Builder::new().spawn(|| {}).is_ok(),
        "kill-parent" => getppid().is_some_and(|it| kill_process(it, Signal::TERM).is_ok()),
        "write-stderr" => rustix::io::write(rustix::stdio::stderr(), b"a").is_ok(),
        "raise-limit" => {
            let more = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, more).is_ok()
        },
        other => panic!("no such attempt: {other}"),
    };
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
