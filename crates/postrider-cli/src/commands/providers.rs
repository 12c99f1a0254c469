//! `postrider providers`: who is known, how each signs, and what each expects.

mod describe;
mod page;

use std::process::ExitCode;

use clap::Args;
use postrider::provider::{self, Provider};
use serde_json::{Value, json};

use self::describe::{Row, details};
use super::provider::find;
use crate::{failure::unknown, output};

/// The most that a column takes.
const WIDTHS: [usize; 6] = [26, 14, 34, 26, 26, 10];
/// The width of a table that nobody's terminal limits.
const WIDE: usize = 200;

/// Lists the providers whose webhooks can be verified, or tells all about one.
#[derive(Args, Debug)]
pub(crate) struct Providers {
    /// Tell all about this one
    provider: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the page that documents all of them instead
    #[arg(long, conflicts_with_all = ["provider", "json"])]
    reference: bool,
}

impl Providers {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.reference {
            output::text(&page::reference())?;
            return Ok(ExitCode::SUCCESS);
        }
        let one = match self.provider.as_deref().map(find) {
            None => None,
            Some(Ok(one)) => Some(one),
            Some(Err(error)) => return Ok(unknown(&error)),
        };
        match (one, self.json) {
            (None, false) => output::text(&table(width()))?,
            (Some(one), false) => output::text(&all_about(one))?,
            (None, true) => {
                let all: Vec<_> = provider::all().iter().map(object).collect();
                output::line(serde_json::to_string_pretty(&json!({ "data": all }))?)?;
            },
            (Some(one), true) => output::line(serde_json::to_string_pretty(&object(one))?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn object(provider: &Provider) -> Value {
    serde_json::to_value(provider).expect("a provider was read from JSON")
}

fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDE, |(terminal_size::Width(width), _)| width.into())
}

/// One line per provider; what does not fit is cut off.
fn table(width: usize) -> String {
    let rows: Vec<_> = provider::all().iter().map(|it| Row::of(it).cells()).collect();
    let heads = Row::HEADS.map(str::to_owned);
    let all = || std::iter::once(&heads).chain(&rows);
    let widths: Vec<_> = WIDTHS
        .into_iter()
        .enumerate()
        .map(|(column, most)| {
            all().map(|row| row[column].chars().count()).max().unwrap_or(0).min(most)
        })
        .collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, &wide)| format!("{:wide$}", shortened(cell, wide)));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", shortened(line.trim_end(), width))
    };
    let lines: String = all().map(line).collect();
    format!("{lines}{} providers; `postrider providers NAME` tells all about one\n", rows.len())
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn all_about(provider: &Provider) -> String {
    let details = details(provider);
    let wide = details.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let indent = format!("\n{}", " ".repeat(wide + 2));
    let line = |(label, content): (String, String)| {
        format!("{label:wide$}  {}", content.replace('\n', &indent))
    };
    let lines: Vec<_> = details.into_iter().map(line).collect();
    format!("{} ({})\n\n{}\n", provider.name, provider.id, lines.join("\n"))
}
