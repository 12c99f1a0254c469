//! `postrider listen`: forwards webhooks from a server that providers can reach to a program on
//! this machine.

mod connection;
pub(super) mod forwarder;
pub(super) mod render;
pub(super) mod request_log;
mod session;
pub(super) mod state;
mod target;

use std::{process::ExitCode, time::Duration};

use clap::Args;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};
use url::Url;

use self::{
    connection::Failure,
    forwarder::Forwarder,
    request_log::RequestLog,
    session::Session,
    state::{State, StateFolder},
};
use super::target::http_url;
use crate::{
    client,
    failure::{Advice, usage},
    output,
};

/// Shortest and longest pause before a reconnect; it doubles each time.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// A connection that lasted this long resets the pause.
const STABLE: Duration = Duration::from_secs(30);

/// Forwards webhooks to a program on this machine
#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// URL of the program on this machine, such as localhost:3000/webhooks
    #[arg(long, value_name = "URL", value_parser = http_url)]
    forward: Url,
    /// URL of the server that receives the webhooks
    #[arg(
        long,
        value_name = "URL",
        env = "POSTRIDER_URL",
        default_value = "http://127.0.0.1:8071",
        value_parser = http_url
    )]
    server: Url,
    /// Follow this source (id, uid or name) instead of listening at a URL of your own
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Skip what the source received while no listener was connected
    #[arg(long, requires = "source")]
    skip_missed: bool,
    /// API token, required for --source and if the server's relay needs one; create it with
    /// `postrider token create`
    #[arg(long, env = "POSTRIDER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    folder: StateFolder,
}

impl Listen {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        super::on_runtime(self.listen())
    }

    async fn listen(self) -> anyhow::Result<ExitCode> {
        let token = client::token(self.token.as_deref());
        if self.source.is_some() && token.is_none() {
            return Err(usage(Advice {
                message: "`--source` needs a token".to_owned(),
                hint: "create one with `postrider token create` and set POSTRIDER_TOKEN to it"
                    .to_owned(),
                source: None,
            }));
        }
        let folder = self.folder.path()?;
        let mut state = State::open(&folder, &self.server, &self.forward, self.source.as_deref())?;
        if self.skip_missed {
            state.forget_position()?;
        }
        let session = Session {
            server: self.server,
            token,
            source: self.source,
            forwarder: Forwarder { forward: self.forward, log: RequestLog::within(&folder) },
        };
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            ended = keep_listening(&session, &mut state) => ended.map(|()| ExitCode::SUCCESS),
            _ = terminate.recv() => Ok(ExitCode::SUCCESS),
            _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
        }
    }
}

/// Listens, and reconnects whenever the connection is lost. Only if the first attempt fails it
/// gives up, because a wrong URL is then more likely than an outage.
async fn keep_listening(session: &Session, state: &mut State) -> anyhow::Result<()> {
    let mut random = StdRng::from_os_rng();
    let mut was_connected = false;
    let mut max_pause = MIN_PAUSE;
    loop {
        let started_at = Instant::now();
        let failure = match session.run(state, &mut was_connected).await {
            Failure::Permanent(error) => return Err(error),
            Failure::Transient(error) if !was_connected => return Err(error),
            Failure::Transient(error) => error,
        };
        if started_at.elapsed() > STABLE {
            max_pause = MIN_PAUSE;
        }
        let pause = max_pause.mul_f64(random.random_range(0.5..1.0));
        output::line(format_args!(
            "{}  disconnected: {failure:#}; reconnecting in {:.1} s",
            render::time(super::now()?),
            pause.as_secs_f64()
        ))?;
        sleep(pause).await;
        max_pause = (max_pause * 2).min(MAX_PAUSE);
    }
}

/// The log of forwarded requests, for other commands.
pub(super) fn request_log(folder: &StateFolder) -> anyhow::Result<RequestLog> {
    Ok(RequestLog::within(&folder.path()?))
}
