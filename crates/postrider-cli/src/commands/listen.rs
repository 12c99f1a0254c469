//! `postrider listen`: gets webhooks to a program on this machine, from a server that
//! providers can reach.

pub(super) mod desk;
mod line;
pub(super) mod record;
mod session;
pub(super) mod shown;
pub(super) mod state;
mod target;
mod wire;

use std::{process::ExitCode, time::Duration};

use clap::Args;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};
use url::Url;

use self::{
    desk::Desk,
    line::Failure,
    record::Record,
    session::Session,
    state::{Folder, State},
};
use super::target::http_url;
use crate::{
    client,
    failure::{Advice, usage},
    output,
};

/// Shortest and longest wait before the next try to connect.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A connection that held so long was a good one: the next wait is the shortest again.
const HELD: Duration = Duration::from_secs(30);

/// Passes webhooks on to a program on this machine.
#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// URL of the program on this machine, such as localhost:3000/webhooks
    #[arg(long, value_name = "URL", value_parser = http_url)]
    forward: Url,
    /// URL of the server that receives
    #[arg(
        long,
        value_name = "URL",
        env = "POSTRIDER_URL",
        default_value = "http://127.0.0.1:8071",
        value_parser = http_url
    )]
    server: Url,
    /// Follow this source, by its id, uid or name, instead of getting a URL of one's own
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Pass over what the source received while nobody listened
    #[arg(long, requires = "source")]
    skip_missed: bool,
    /// Token, for --source and for servers whose relay is not open to everyone; made with
    /// `postrider token create`
    #[arg(long, env = "POSTRIDER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    folder: Folder,
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
                hint: "make one with `postrider token create`, and set POSTRIDER_TOKEN to it"
                    .to_owned(),
                source: None,
            }));
        }
        let folder = self.folder.path()?;
        let mut state = State::open(&folder, &self.server, &self.forward, self.source.as_deref())?;
        if self.skip_missed {
            state.forget_place()?;
        }
        let session = Session {
            server: self.server,
            token,
            source: self.source,
            desk: Desk { forward: self.forward, record: Record::within(&folder) },
        };
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            ended = stay(&session, &mut state) => ended.map(|()| ExitCode::SUCCESS),
            _ = terminate.recv() => Ok(ExitCode::SUCCESS),
            _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
        }
    }
}

/// Listens, and connects again whenever the connection is lost. A server that cannot be
/// reached at first is more likely a mistake than a break.
async fn stay(session: &Session, state: &mut State) -> anyhow::Result<()> {
    let mut random = StdRng::from_os_rng();
    let mut was_connected = false;
    let mut wait = FIRST_WAIT;
    loop {
        let began = Instant::now();
        let failure = match session.run(state, &mut was_connected).await {
            Failure::Final(error) => return Err(error),
            Failure::Passing(error) if !was_connected => return Err(error),
            Failure::Passing(error) => error,
        };
        if began.elapsed() > HELD {
            wait = FIRST_WAIT;
        }
        let pause = wait.mul_f64(random.random_range(0.5..1.0));
        output::line(format_args!(
            "{}  disconnected: {failure:#}; trying again in {:.1} s",
            shown::time(super::now()?),
            pause.as_secs_f64()
        ))?;
        sleep(pause).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Where the record is, for other commands.
pub(super) fn record(folder: &Folder) -> anyhow::Result<Record> {
    Ok(Record::within(&folder.path()?))
}
