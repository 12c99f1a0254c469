//! `postrider providers`: lists providers and describes how each signs.

mod describe;
mod page;

use std::process::ExitCode;

use clap::Args;
use postrider::provider::{self, Provider};
use serde_json::json;

use self::describe::{Row, details, to_json};
use super::provider::find;
use crate::{failure::usage_error, output};

/// Maximum widths of the columns.
const MAX_WIDTHS: [usize; 6] = [26, 14, 34, 26, 26, 10];
/// Width of the table if standard output is not a terminal.
const DEFAULT_WIDTH: usize = 200;

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Providers {
    /// Describe this provider
    provider: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the reference page of all providers instead
    #[arg(long, conflicts_with_all = ["provider", "json"])]
    reference: bool,
}

const EXAMPLES: &str = "\
Examples:
  postrider providers
  postrider providers stripe";

impl Providers {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.reference {
            output::text(&page::reference())?;
            return Ok(ExitCode::SUCCESS);
        }
        let one = match self.provider.as_deref().map(find) {
            None => None,
            Some(Ok(one)) => Some(one),
            Some(Err(error)) => return Ok(usage_error(&error)),
        };
        match (one, self.json) {
            (None, false) => output::text(&table(terminal_width()))?,
            (Some(one), false) => output::text(&description(one))?,
            (None, true) => {
                let all: Vec<_> = provider::all().iter().map(to_json).collect();
                output::line(serde_json::to_string_pretty(&json!({ "data": all }))?)?;
            },
            (Some(one), true) => output::line(serde_json::to_string_pretty(&to_json(one))?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn terminal_width() -> usize {
    let size = terminal_size::terminal_size();
    size.map_or(DEFAULT_WIDTH, |(terminal_size::Width(width), _)| width.into())
}

/// One line per provider, truncated to the width.
fn table(width: usize) -> String {
    let rows: Vec<_> = provider::all().iter().map(|it| Row::of(it).cells()).collect();
    let headings = Row::HEADINGS.map(str::to_owned);
    let all = || std::iter::once(&headings).chain(&rows);
    let widths: Vec<_> = MAX_WIDTHS
        .into_iter()
        .enumerate()
        .map(|(column, max)| {
            all().map(|row| row[column].chars().count()).max().unwrap_or(0).min(max)
        })
        .collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, &width)| format!("{:width$}", truncated(cell, width)));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", truncated(line.trim_end(), width))
    };
    let lines: String = all().map(line).collect();
    let count = rows.len();
    format!("{lines}{count} providers; `postrider providers NAME` describes one\n")
}

fn truncated(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn description(provider: &Provider) -> String {
    let details = details(provider);
    let width = details.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let indent = format!("\n{}", " ".repeat(width + 2));
    let line = |(label, content): (String, String)| {
        format!("{label:width$}  {}", content.replace('\n', &indent))
    };
    let lines: Vec<_> = details.into_iter().map(line).collect();
    format!("{} ({})\n\n{}\n", provider.name, provider.id, lines.join("\n"))
}
