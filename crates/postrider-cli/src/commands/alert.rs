//! `postrider alert`.

use anyhow::bail;
use clap::{Args, Subcommand};
use postrider_engine::{Clock, SentAlert};

use crate::{
    alerts,
    arguments::AllConfigArgs,
    config::load,
    failure::{self, Advice},
    output,
};

/// How to configure a receiver.
pub(super) const CONFIGURE: &str = "set `alerts.email_to`, `alerts.slack_url` or \
    `alerts.webhook_url` on the server; see docs/monitoring.md";

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    Test(TestAlert),
}

/// Sends a test alert to every configured receiver and prints the results
///
/// It reads the configuration of the server, and works while the server runs or not. The exit code
/// is 1 if a receiver did not get the alert.
#[derive(Args, Debug)]
pub(crate) struct TestAlert {
    #[command(flatten)]
    config: AllConfigArgs,
}

impl AlertCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Test(test) => test.run(),
        }
    }
}

impl TestAlert {
    fn run(self) -> anyhow::Result<()> {
        let config = load(&self.config.overrides())?.config;
        let Some(sender) = alerts::sender(&config, config.listen)? else {
            return Err(failure::usage(Advice {
                message: "no receiver of alerts is configured".to_owned(),
                hint: CONFIGURE.to_owned(),
                source: None,
            }));
        };
        let results =
            super::on_runtime(async { Ok(sender.test(Clock::system(0).message_id()).await) })?;
        let failed = results.iter().filter(|it| it.result.is_err()).count();
        for SentAlert { channel, address, result } in results {
            match result {
                Ok(said) => output::line(format_args!("{channel}: sent to {address}: {said}"))?,
                Err(reason) => {
                    output::line(format_args!("{channel}: not sent to {address}: {reason}"))?;
                },
            }
        }
        if failed > 0 {
            bail!("{failed} receivers did not get the test alert");
        }
        Ok(())
    }
}
