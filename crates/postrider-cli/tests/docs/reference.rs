//! Pages that describe a list in the sources: commands and error codes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use crate::{pages::all_pages, session::repository};

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

#[test]
fn the_page_of_the_commands_is_their_help() {
    let binary = env!("CARGO_BIN_EXE_postrider");
    let output = Command::new(binary).args(["manual", "--markdown"]).env_clear().output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help == page("docs/cli.md"), "run `postrider manual --markdown > docs/cli.md`");
}

/// The help of each command, by its name.
fn commands(page: &str) -> BTreeMap<&str, &str> {
    let sections = page.split("\n##").skip(1).filter_map(|it| it.split_once('\n'));
    sections.map(|(name, help)| (name.trim_start_matches('#').trim(), help)).collect()
}

/// What is wrong with a command in prose.
fn fault(commands: &BTreeMap<&str, &str>, text: &str) -> Option<String> {
    let is_name = |it: &&str| it.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let words = text.split(' ').take_while(|it| is_name(it) && !it.starts_with('-'));
    let words = words.collect::<Vec<_>>();
    let named = (1..=words.len()).rev().map(|count| words[..count].join(" "));
    let name = named.into_iter().find(|it| commands.contains_key(&**it))?;
    let help = commands[&*name];
    if help.contains("\nCommands:") && words.len() > name.split(' ').count() {
        return Some(format!("`{name}` has no such command: {text}"));
    }
    let flags = text.split(' ').filter(|it| it.starts_with("--") && it.len() > 2);
    let flags = flags.map(|it| it.split(['=', '`', ',']).next().unwrap());
    let unknown = flags.into_iter().find(|flag| !help.contains(flag));
    unknown.map(|flag| format!("`{name}` has no {flag}: {text}"))
}

#[test]
fn commands_in_prose_exist_with_their_flags() {
    let reference = page("docs/cli.md");
    let commands = commands(&reference);
    let mut faults = Vec::new();
    for path in all_pages().iter().filter(|it| *it != "docs/cli.md") {
        let text = page(path);
        // Every second part is between backticks; blocks are run instead.
        let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        let spans = spans.filter(|it| it.starts_with("postrider "));
        faults
            .extend(spans.filter_map(|it| fault(&commands, it)).map(|it| format!("{path}: {it}")));
    }
    assert_eq!(faults, [""; 0]);
}

/// Whether the binary accepts a configuration, or what it says about it.
fn check_settings(settings: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postrider.toml");
    fs::write(&file, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    let command = command.args(["config", "--config"]).arg(&file).env_clear();
    let variables = quoted(settings, "from_env = ");
    let value = |name: &str| {
        let scheme = if name.contains("NATS") { "nats" } else { "postgres" };
        format!("{scheme}://postrider:password@service.example.com")
    };
    command.envs(variables.map(|name| (name, value(name))));
    let output = command.current_dir(&folder).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8(output.stderr).unwrap())
}

#[test]
fn settings_in_pages_are_valid() {
    for path in all_pages() {
        let text = page(&path);
        for rest in text.split("\n```toml\n").skip(1) {
            let settings = rest.split("\n```").next().unwrap();
            check_settings(settings)
                .unwrap_or_else(|reason| panic!("{path}: {reason}\n{settings}"));
        }
    }
}

/// The text of all sources below a folder.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The words in quotes that follow each occurrence of a text.
fn quoted<'a>(text: &'a str, before: &str) -> impl Iterator<Item = &'a str> {
    let rests = text.split(before).skip(1).collect::<Vec<_>>();
    rests.into_iter().filter_map(|rest| rest.strip_prefix('"')?.split('"').next())
}

/// The first cells of the tables below a heading.
fn listed(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

#[test]
fn every_code_of_an_error_is_explained() {
    let mut server = String::new();
    sources(&repository().join("crates/postrider-server/src"), &mut server);
    let error = page("crates/postrider-server/src/api/error.rs");
    let codes = error.split("pub const fn code").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let codes = quoted(codes, "=> ").chain(quoted(&server, "code: "));
    let codes = codes.chain(quoted(&server, "pub(crate) const CONFLICT: &str = "));
    let codes = codes.map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(listed(&page("docs/errors.md"), "\n## Codes of the API"), codes);
}

#[test]
fn every_explanation_of_a_delivery_is_in_the_troubleshooting() {
    let source = page("crates/postrider/src/api/filter.rs");
    let body = source.split("enum EndpointExplanationResult {").nth(1).unwrap();
    let variants = body.split('}').next().unwrap().lines().filter_map(|line| {
        let name = line.trim().strip_suffix(',')?;
        Some(name.get(..1)?.to_lowercase() + name.get(1..)?)
    });
    let listed = listed(&page("docs/troubleshooting.md"), "\n## 2. Is there a delivery");
    assert_eq!(listed, variants.collect::<BTreeSet<_>>());
}

#[test]
fn every_cause_of_a_failed_attempt_is_explained() {
    let causes = page("crates/postrider-core/src/cause.rs");
    let causes = causes.lines().filter_map(|line| {
        line.trim().strip_prefix("(Failure::")?.split('"').nth(1).map(str::to_owned)
    });
    let listed = listed(&page("docs/errors.md"), "\n## Causes of failed attempts");
    assert_eq!(listed, causes.collect::<BTreeSet<_>>());
}
