//! One run of a program.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bytes::Bytes;
use postrider_core::{
    kind::command::{Program, classify},
    outcome::Failure,
};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};

use super::{group::ProcessGroup, output::Output};
use crate::sender::{Call, Report};

/// The only variable that programs have without being told, and its value.
const PATH: (&str, &str) = ("PATH", "/usr/local/bin:/usr/bin:/bin");

/// How long the output is read after the program has ended. Processes that it started and that
/// left its process group may keep the pipes open.
const LINGER: Duration = Duration::from_secs(1);

/// Runs the program with the body of the message on standard input.
pub(super) async fn run(program: &Program, call: &Call) -> Report {
    match command(program, call).spawn() {
        Ok(child) => {
            let output = Output::default();
            let ended = wait(child, call.body.clone(), &output, program.timeout).await;
            report(program, ended, &output.text())
        },
        Err(error) => not_started(program, &error),
    }
}

fn command(program: &Program, call: &Call) -> Command {
    let message = &call.message;
    let mut command = Command::new(&program.program);
    command
        .args(&program.args)
        .env_clear()
        .env(PATH.0, PATH.1)
        .envs(program.env.iter().map(|(name, value)| (name, value.reveal())))
        .env("POSTRIDER_MESSAGE_ID", message.id.to_string())
        .env("POSTRIDER_EVENT_TYPE", message.event_type.to_string())
        .env("POSTRIDER_APPLICATION_ID", message.application.to_string())
        .env("POSTRIDER_ENDPOINT_ID", call.target.endpoint.to_string())
        .env("POSTRIDER_TIMESTAMP", message.created_at().to_rfc3339())
        .current_dir(&program.cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Waits until the program ends; `None` if that took too long. Nothing of its process group runs
/// afterwards.
async fn wait(
    mut child: Child,
    body: Bytes,
    output: &Output,
    limit: Duration,
) -> Option<io::Result<ExitStatus>> {
    let mut group = ProcessGroup::led_by(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut pipes = pin!(async {
        tokio::join!(feed(stdin, body), output.read(stdout), output.read(stderr));
    });
    let mut is_drained = false;
    let ended = tokio::time::timeout(limit, async {
        loop {
            tokio::select! {
                status = child.wait() => return status,
                () = &mut pipes, if !is_drained => is_drained = true,
            }
        }
    })
    .await;
    group.kill();
    if !is_drained {
        // What is still missing then is not waited for.
        drop(tokio::time::timeout(LINGER, pipes).await);
    }
    ended.ok()
}

/// Writes the body and closes the pipe.
async fn feed(stdin: Option<ChildStdin>, body: Bytes) {
    let Some(mut stdin) = stdin else { return };
    // A program need not read its input: its exit code decides.
    drop(stdin.write_all(&body).await);
}

fn report(program: &Program, ended: Option<io::Result<ExitStatus>>, output: &str) -> Report {
    let (failure, text) = match ended {
        Some(Ok(status)) => judge(status),
        Some(Err(error)) => {
            (Some(Failure::Unavailable), format!("cannot wait for the program: {error}"))
        },
        None => {
            let limit = program.timeout.as_millis();
            (Some(Failure::Timeout), format!("killed because it ran for more than {limit} ms"))
        },
    };
    let text = if output.is_empty() { text } else { format!("{text}\n{output}") };
    failure.map_or_else(|| Report::delivered(text.clone()), |it| Report::failed(it, text.clone()))
}

fn judge(status: ExitStatus) -> (Option<Failure>, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (classify(code), format!("exited with code {code}")),
        (None, Some(signal)) => (Some(Failure::Unavailable), format!("killed by signal {signal}")),
        (None, None) => (Some(Failure::Unavailable), "ended without an exit code".to_owned()),
    }
}

fn not_started(program: &Program, error: &io::Error) -> Report {
    let path = program.program.display();
    let is_lacking = matches!(
        error.kind(),
        io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock | io::ErrorKind::ExecutableFileBusy
    );
    if is_lacking {
        let reason = format!("{path} cannot be started now: {error}");
        return Report::failed(Failure::Unavailable, reason);
    }
    let reason = format!(
        "{path} cannot be started: {error}; check the file, its permissions, its interpreter and \
         `cwd`"
    );
    Report::failed(Failure::Misconfigured, reason)
}
