//! `postrider manual`.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::Args;

use crate::output;

/// Writes the manual pages, one for each command
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Manual {
    /// Folder for the pages; it is created if it does not exist
    #[arg(required_unless_present = "markdown")]
    folder: Option<PathBuf>,
    /// Print one page of Markdown with all commands instead
    #[arg(long, conflicts_with = "folder")]
    markdown: bool,
}

const EXAMPLES: &str = "\
Examples:
  postrider manual ~/.local/share/man/man1
  postrider manual --markdown > docs/cli.md";

impl Manual {
    pub(crate) fn run(self, commands: clap::Command) -> anyhow::Result<()> {
        match self.folder {
            Some(folder) => {
                let written = fs::create_dir_all(&folder)
                    .and_then(|()| clap_mangen::generate_to(commands, &folder));
                written.with_context(|| format!("cannot write to {}", folder.display()))
            },
            None => output::text(&markdown(commands)),
        }
    }
}

/// What precedes the commands.
const INTRODUCTION: &str = "\
# Command line

`postrider COMMAND --help` prints the same as this page, which is generated from it.
Regenerate it with `postrider manual --markdown > docs/cli.md`.
";

/// The help of all commands as one page.
fn markdown(commands: clap::Command) -> String {
    let mut commands = commands.term_width(100);
    commands.build();
    let mut sections = vec![INTRODUCTION.to_owned()];
    add_section(&commands, "##", &mut sections);
    sections.concat()
}

/// Adds a command and those below it.
fn add_section(command: &clap::Command, heading: &str, sections: &mut Vec<String>) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    // The values in the environment are those of this machine.
    let mut shown = command.clone().term_width(100).mut_args(|it| it.hide_env_values(true));
    let help = shown.render_long_help().to_string();
    let lines = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    sections.push(format!("\n{heading} {name}\n\n```text\n{}\n```\n", lines.trim_end()));
    let below = command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
    for command in below {
        add_section(command, "###", sections);
    }
}
