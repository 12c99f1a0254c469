//! A worker process for tests. With an argument, it locks itself down as a worker does and then
//! tries what a worker must not be able to do.

use std::{fs, net::TcpStream, process::ExitCode, thread};

use rustix::process::{Signal, getppid, kill_process};

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        None => postrider_sandbox::worker(),
        Some(attempt) => try_it(&attempt),
    }
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
