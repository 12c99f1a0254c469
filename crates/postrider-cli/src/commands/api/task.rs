//! `postrider task`.

use clap::{Subcommand, ValueEnum};
use http::Method;

use super::{ApiRequest, PageArgs, paths::TaskPath};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Lists background tasks
    List {
        /// Only those with this status
        #[arg(long)]
        status: Option<TaskStatus>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows a background task and its result
    Get(TaskPath),
    /// Cancels a background task, which ends at its next batch
    Cancel(TaskPath),
}

/// The status of a background task.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TaskStatus {
    Running,
    Finished,
    Failed,
}

impl TaskStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

const COLUMNS: &[&str] = &["id", "kind", "state", "progress", "startedBy", "createdAt", "error"];

impl TaskCommand {
    pub(crate) fn request(self) -> ApiRequest {
        let call = match self {
            Self::List { status, page } => {
                let call = Call::new(Method::GET, &["background-task"]);
                page.apply(call.query("status", status.map(|it| it.name().to_owned())))
            },
            Self::Get(task) => task.call(Method::GET, &[]),
            Self::Cancel(task) => task.call(Method::POST, &["cancel"]),
        };
        ApiRequest { call, columns: COLUMNS }
    }
}
