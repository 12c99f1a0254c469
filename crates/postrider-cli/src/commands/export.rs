//! `postrider export`: the records of a server as files for `postrider apply`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use http::Method;
use postrider::api::declaration::{DeclarationOut, DeclaredKind};
use postrider_core::declaration::export::{References, nest, yaml};
use serde_json::{Map, Value};

use super::api::ApiArgs;
use crate::{client::Call, output};

/// Writes the records of a server as files for `postrider apply`
///
/// Secrets are left out: in their place are references to variables of the environment.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    #[command(flatten)]
    api: ApiArgs,
    /// Folder to write the files to; if absent, all records are printed
    #[arg(short, long = "file", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Format of the files
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
    /// Write secrets instead of references to variables
    #[arg(long)]
    with_secrets: bool,
}

const EXAMPLES: &str = "\
Examples:
  postrider export -f webhooks/
  postrider export --format toml > webhooks.toml";

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Toml,
}

type Lists = BTreeMap<DeclaredKind, Vec<Map<String, Value>>>;

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let secrets = self.with_secrets.then(|| "true".to_owned());
        let call =
            Call::new(Method::GET, &["environment", "records"]).query("with_secrets", secrets);
        let client = self.api.client()?;
        let body = super::on_runtime(client.call(call))?;
        let found: DeclarationOut =
            serde_json::from_slice(&body).context("the server's response is not as expected")?;
        for skipped in &found.skipped {
            warn(&format!("not exported: {skipped}"));
        }
        let mut lists = lists(found, self.with_secrets);
        nest(&mut lists);
        lists.retain(|_, records| !records.is_empty());
        match &self.folder {
            None => output::text(&self.text(&lists)?),
            Some(folder) => self.write(folder, lists),
        }
    }

    fn text(&self, lists: &Lists) -> anyhow::Result<String> {
        let named = lists.iter().map(|(kind, records)| {
            let records = records.iter().cloned().map(Value::Object).collect();
            (kind.list().to_owned(), Value::Array(records))
        });
        let value = Value::Object(named.collect());
        match self.format {
            Format::Yaml => Ok(yaml(&value)),
            Format::Toml => {
                toml::to_string_pretty(&value).context("TOML cannot express a record; use YAML")
            },
        }
    }

    /// Writes one file for each list, and refuses to replace files.
    fn write(&self, folder: &Path, lists: Lists) -> anyhow::Result<()> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut files = Vec::new();
        for (kind, records) in lists {
            let extension = if self.format == Format::Yaml { "yaml" } else { "toml" };
            let path = folder.join(format!("{}.{extension}", file_name(kind)));
            if path.exists() {
                bail!("{} exists; export to another folder, or remove it first", path.display());
            }
            files.push((path, self.text(&BTreeMap::from([(kind, records)]))?));
        }
        for (path, text) in files {
            postrider_store::private::write(&path, text.as_bytes())
                .with_context(|| path.display().to_string())?;
            output::line(format!("wrote {}", path.display()))?;
        }
        Ok(())
    }
}

const fn file_name(kind: DeclaredKind) -> &'static str {
    match kind {
        DeclaredKind::EventType => "event-types",
        DeclaredKind::Connector => "connectors",
        DeclaredKind::Application => "applications",
        DeclaredKind::Source => "sources",
        DeclaredKind::Endpoint => "endpoints",
        DeclaredKind::Consumer => "consumers",
    }
}

fn lists(found: DeclarationOut, with_secrets: bool) -> Lists {
    let lists = [
        (DeclaredKind::EventType, found.event_types),
        (DeclaredKind::Connector, found.connectors),
        (DeclaredKind::Application, found.applications),
        (DeclaredKind::Source, found.sources),
        (DeclaredKind::Endpoint, found.endpoints),
        (DeclaredKind::Consumer, found.consumers),
    ];
    let mut references = References::default();
    let mut replaced = |kind, records: Vec<Map<String, Value>>| {
        let replace = |it| if with_secrets { it } else { references.replace(kind, it) };
        records.into_iter().map(replace).collect::<Vec<_>>()
    };
    lists.into_iter().map(|(kind, records)| (kind, replaced(kind, records))).collect()
}

#[expect(clippy::print_stderr, reason = "warnings of a command")]
fn warn(text: &str) {
    eprintln!("warning: {text}");
}
