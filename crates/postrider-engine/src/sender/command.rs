//! Runs programs, with the message on standard input.

mod group;
mod output;
mod run;

use std::{os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        command::{CommandRegistry, Program},
    },
    outcome::Failure,
    target::Target,
};

use self::run::run;
use super::{Call, Report, Sender};

/// For starting a program and for what it leaves behind, in addition to its own time limit.
const MARGIN: Duration = Duration::from_secs(10);

/// Runs the programs that the configuration file of this server defines.
#[derive(Debug)]
pub struct CommandSender {
    registry: CommandRegistry,
}

impl CommandSender {
    pub const fn new(registry: CommandRegistry) -> Self {
        Self { registry }
    }

    #[expect(clippy::result_large_err, reason = "a report is made once for each delivery")]
    fn program(&self, target: &Target) -> Result<Arc<Program>, Report> {
        let name = if let Destination::Command(config) = &target.destination {
            &config.command
        } else {
            let reason = "internal error: this is not a command";
            return Err(Report::failed(Failure::Protocol, reason));
        };
        self.registry.program(name).ok_or_else(|| {
            let reason = format!(
                "the configuration file of this server defines no command {name}; add it to \
                 `[[endpoints]]` on every node, or delete the endpoint"
            );
            Report::failed(Failure::Misconfigured, reason)
        })
    }
}

#[async_trait]
impl Sender for CommandSender {
    async fn send(&self, call: Call) -> Report {
        match self.program(&call.target) {
            Ok(program) => run(&program, &call).await,
            Err(report) => report,
        }
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let program = match self.program(&target) {
            Ok(program) => program,
            Err(report) => return report,
        };
        let path = program.program.display();
        let file = tokio::fs::metadata(&program.program).await;
        match file {
            Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => {
                Report::delivered(format!("{path} can be executed; it was not started"))
            },
            Ok(_) => {
                let reason = format!("{path} is not an executable file; correct it");
                Report::failed(Failure::Misconfigured, reason)
            },
            Err(error) => {
                let reason = format!("{path} cannot be found: {error}; install it");
                Report::failed(Failure::Misconfigured, reason)
            },
        }
    }

    fn time_limit(&self, target: &Target) -> Option<Duration> {
        self.program(target).ok().map(|program| program.timeout + MARGIN)
    }
}
