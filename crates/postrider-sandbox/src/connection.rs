//! A worker as its sandbox sees it: starts it, exchanges frames with it, and kills it.

use std::{
    fmt, io,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    process::{Child, Command},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    counts::Counters,
    frame,
    options::{Launch, SandboxOptions},
    reply::Reply,
    request::Request,
};

/// A worker is replaced after this much work, long before it has used the CPU time that it may use.
const MAX_BUSY: Duration = Duration::from_secs(20);
const MAX_RUNS: u32 = 20_000;

type Input = Box<dyn AsyncWrite + Send + Unpin>;
type Output = Box<dyn AsyncRead + Send + Unpin>;

/// A worker that has locked itself down. Dropping it kills the process.
pub(crate) struct Connection {
    /// None for a worker in a thread.
    child: Option<Child>,
    process: Option<u32>,
    input: Input,
    output: Output,
    reply_bytes: usize,
    busy: Duration,
    runs: u32,
    counters: Arc<Counters>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("child", &self.child).finish_non_exhaustive()
    }
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum NoReply {
    Timeout,
    /// The worker ended, or sent something that is no frame.
    Broken,
}

impl Connection {
    /// Starts a worker, and waits until it is ready or the sandbox is stopped.
    pub(crate) async fn start(
        options: &SandboxOptions,
        counters: &Arc<Counters>,
        stopped: &CancellationToken,
    ) -> Result<Self, String> {
        let started = Self::start_unprepared(options, counters);
        let mut connection = started.map_err(|error| match &options.launch {
            Launch::Program { path, .. } => format!("{}: {error}", path.display()),
            #[cfg(any(test, feature = "testing"))]
            Launch::Thread => error.to_string(),
        })?;
        let configure = Request::Configure(options.limits()).encode();
        let reply = tokio::select! {
            reply = connection.exchange(&configure, options.start_within) => reply,
            () = stopped.cancelled() => Err(NoReply::Broken),
        };
        let problem = match reply.as_deref().map(Reply::decode) {
            Ok(Ok(Reply::Ready)) => return Ok(connection),
            Ok(Ok(Reply::Refused(reason))) => format!("the worker cannot be confined: {reason}"),
            Err(NoReply::Timeout) => {
                format!("the worker was not ready within {:?}", options.start_within)
            },
            Ok(Ok(Reply::Returned { .. } | Reply::Failed(_)) | Err(_)) | Err(NoReply::Broken) => {
                "the program is not a worker, or ended at once".to_owned()
            },
        };
        connection.stop().await;
        Err(problem)
    }

    fn start_unprepared(options: &SandboxOptions, counters: &Arc<Counters>) -> io::Result<Self> {
        let (child, input, output) = match &options.launch {
            Launch::Program { path, arguments } => spawn(path, arguments)?,
            #[cfg(any(test, feature = "testing"))]
            Launch::Thread => {
                let (input, output) = crate::testing::thread()?;
                (None, Box::new(input) as Input, Box::new(output) as Output)
            },
        };
        let process = child.as_ref().and_then(Child::id);
        counters.add(process);
        Ok(Self {
            child,
            process,
            input,
            output,
            reply_bytes: Reply::longest(options.output_bytes, options.console_bytes),
            busy: Duration::ZERO,
            runs: 0,
            counters: Arc::clone(counters),
        })
    }

    /// Sends a request and returns the content of the reply. After an error the worker is useless.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, NoReply> {
        let started_at = Instant::now();
        let input = &mut self.input;
        let sent = async move {
            input.write_all(request).await?;
            input.flush().await
        };
        // Both at once, because a worker may write before it has read everything.
        let received = frame::read_limited(&mut self.output, self.reply_bytes);
        let exchanged = timeout(within, async { tokio::try_join!(sent, received) }).await;
        self.busy += started_at.elapsed();
        self.runs += 1;
        match exchanged {
            Ok(Ok(((), reply))) => Ok(reply),
            Ok(Err(_)) => Err(NoReply::Broken),
            Err(_) => Err(NoReply::Timeout),
        }
    }

    /// Whether the process can serve another run.
    pub(crate) fn is_usable(&mut self) -> bool {
        let lives = match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => true,
        };
        lives && self.busy < MAX_BUSY && self.runs < MAX_RUNS
    }

    /// Kills the process, waits for its end, and returns how it ended.
    pub(crate) async fn stop(mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        // Fails only if the process has ended already.
        drop(child.start_kill());
        child.wait().await.ok()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.counters.remove(self.process);
    }
}

fn spawn(
    path: &Path,
    arguments: &[std::ffi::OsString],
) -> io::Result<(Option<Child>, Input, Output)> {
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        // The C library would read the time zone of the machine.
        .env("TZ", "UTC0")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the worker has no pipes"));
    };
    Ok((Some(child), Box::new(input), Box::new(output)))
}
