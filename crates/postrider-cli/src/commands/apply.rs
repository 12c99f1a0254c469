//! `postrider apply`: makes the records of a server as files declare them.

mod files;
mod report;

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use http::{Method, StatusCode};
use postrider::api::{
    ErrorOut, ValidationErrorOut,
    declaration::{ApplyIn, ApplyOut, DEFAULT_SET},
};
use postrider_core::declaration::files::Declared;
use serde_json::{Value, json};

use super::api::ApiArgs;
use crate::{
    client::Call,
    failure::{Advice, usage},
    output,
};

/// Exit code of `--check` if there are differences.
const DIFFERENT: u8 = 2;

/// Creates and changes records, so that they are as files declare them
///
/// The files contain lists of event types, connectors, applications with their endpoints, sources
/// and consumers, with the fields of the API. The command shows what would change, asks, and makes
/// all changes in one transaction.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches")]
pub(crate) struct Apply {
    #[command(flatten)]
    api: ApiArgs,
    /// File, or folder with .yaml, .yml and .toml files; can be repeated
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Name of the set of records that the files declare
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SET)]
    name: String,
    /// Remove records of this set that the files do not declare any more
    #[arg(long)]
    prune: bool,
    /// Only show what would change; exits with 2 if anything would
    #[arg(long)]
    check: bool,
    /// Keep the stored secrets where a variable or a file of a reference does not exist
    #[arg(long)]
    keep_secrets: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  postrider apply -f webhooks/
  postrider apply -f webhooks/ --check --keep-secrets
  postrider apply -f webhooks/ --prune --yes

Exit codes: 0 applied, or nothing to do; 1 failed; 2 wrong usage, or with --check: there are
differences.";

impl Apply {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let declared = files::read(&self.files, self.keep_secrets)?;
        let planned = self.call(&declared, true, None)?;
        report::print(&planned, self.api.wants_json(), self.check)?;
        if planned.changes.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        if self.check {
            return Ok(ExitCode::from(DIFFERENT));
        }
        if !self.yes && !confirmed()? {
            return Ok(ExitCode::FAILURE);
        }
        let applied = self.call(&declared, false, Some(planned.revision))?;
        if self.api.wants_json() {
            output::line(serde_json::to_string_pretty(&applied)?)?;
        } else {
            output::line(report::summary(&applied))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn call(
        &self,
        declared: &Declared,
        dry_run: bool,
        revision: Option<String>,
    ) -> anyhow::Result<ApplyOut> {
        let records: serde_json::Map<String, Value> = declared
            .records
            .iter()
            .map(|(kind, records)| (kind.list().to_owned(), json!(records)))
            .collect();
        let options = ApplyIn {
            set: Some(self.name.clone()),
            dry_run,
            prune: self.prune,
            revision,
            ..ApplyIn::default()
        };
        let mut body = serde_json::to_value(options)?;
        // The server finds problems of the records, with their places.
        body["records"] = Value::Object(records);
        let call =
            Call::new(Method::POST, &["environment", "apply"]).body(serde_json::to_vec(&body)?);
        let client = self.api.client()?;
        let (status, body) = super::on_runtime(client.ask(call))?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body)
                .context("the server's response is not as expected");
        }
        Err(refused(status, &body, declared))
    }
}

/// The error of the server, with the places of its problems in the files.
fn refused(status: StatusCode, body: &[u8], declared: &Declared) -> anyhow::Error {
    if status == StatusCode::UNPROCESSABLE_ENTITY
        && let Ok(found) = serde_json::from_slice::<ValidationErrorOut>(body)
    {
        let problems = found.detail.iter().map(|it| report::problem(declared, &it.loc, &it.msg));
        let message = problems.collect::<Vec<_>>().join("\n  ");
        return Advice {
            message: format!("the records are not valid; nothing was applied:\n  {message}"),
            hint: "correct the files; docs/declarative.md describes them".to_owned(),
            source: None,
        }
        .into();
    }
    let detail = serde_json::from_slice::<ErrorOut>(body).map(|it| it.detail);
    let detail = detail.unwrap_or_else(|_| format!("the server responded with {status}"));
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "use a token of an administrator: `postrider token create`"
        },
        StatusCode::CONFLICT => "run the command again; it shows what would change now",
        _ => "nothing was applied",
    };
    Advice { message: detail, hint: hint.to_owned(), source: None }.into()
}

/// Asks on a terminal, and fails without one.
fn confirmed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(usage(Advice {
            message: "the changes have to be confirmed, and there is no terminal".to_owned(),
            hint: "give --yes to apply them, or --check to only look at them".to_owned(),
            source: None,
        }));
    }
    let mut stderr = io::stderr();
    write!(stderr, "Apply these changes? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
