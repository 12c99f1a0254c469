//! The arguments of imports from Convoy, Outpost, Hook0 and Hookdeck.

use std::process::ExitCode;

use clap::Args;

use super::{
    arguments::{FromApiArgs, ImportArgs},
    convoy,
    credential::text_or_file,
    hook0, hookdeck, outpost,
    snapshot::Snapshot,
};
use crate::{
    commands::{self, api::ApiArgs},
    failure::{Advice, usage},
};

pub(super) const CONVOY_EXAMPLES: &str = "\
Example:
  postrider import convoy --from https://us.getconvoy.cloud --from-token @convoy-key \\
      --project 01HCB7CQMJN1GJFQ4T9VJDTF3E --shadow --dry-run

docs/migration/convoy.md describes what is imported.";

pub(super) const OUTPOST_EXAMPLES: &str = "\
Example:
  postrider import outpost --from http://outpost:3333/api/v1 --from-token @outpost-key --shadow

docs/migration/outpost.md describes what is imported.";

pub(super) const HOOK0_EXAMPLES: &str = "\
Example:
  postrider import hook0 --from https://app.hook0.com/api/v1 --from-token @hook0-token \\
      --application 6b1f0c2e-1f60-4a26-9a3d-0f0a4ea9c6b7 --label tenant --shadow

docs/migration/hook0.md describes what is imported.";

pub(super) const HOOKDECK_EXAMPLES: &str = "\
Example:
  postrider import hookdeck --from https://api.hookdeck.com/2025-07-01 --from-token @hookdeck-key \\
      --signing-secret @hookdeck-signing-secret --shadow

docs/migration/hookdeck.md describes what is imported.";

#[derive(Args, Debug)]
pub(crate) struct ConvoyArgs {
    #[command(flatten)]
    from: FromApiArgs,
    /// Id of the project
    #[arg(long, value_name = "ID")]
    project: String,
    #[command(flatten)]
    import: ImportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct OutpostArgs {
    #[command(flatten)]
    from: FromApiArgs,
    /// Signing profile of all endpoints
    #[arg(long, default_value = "outpost", value_parser = ["outpost", "outpost-timestamped"])]
    profile: String,
    #[command(flatten)]
    import: ImportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Hook0Args {
    #[command(flatten)]
    from: FromApiArgs,
    /// Id of an application; can be repeated
    #[arg(long, value_name = "ID", required = true)]
    application: Vec<String>,
    /// Label whose values are your customers, each of which becomes an application
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Signing profile of all endpoints
    #[arg(long, default_value = "hook0", value_parser = ["hook0", "hook0-v0"])]
    profile: String,
    #[command(flatten)]
    import: ImportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct HookdeckArgs {
    #[command(flatten)]
    from: FromApiArgs,
    /// Signing secret of the project, which the API does not show, or @FILE
    #[arg(long, value_name = "SECRET|@FILE")]
    signing_secret: Option<String>,
    #[command(flatten)]
    import: ImportArgs,
}

impl ConvoyArgs {
    pub(super) fn run(self, target: &ApiArgs) -> anyhow::Result<ExitCode> {
        let Self { from, project, import } = self;
        let api = from.api()?;
        finish(import, target, async move { convoy::read(&api, &project).await })
    }
}

impl OutpostArgs {
    pub(super) fn run(self, target: &ApiArgs) -> anyhow::Result<ExitCode> {
        let Self { from, profile, import } = self;
        let (api, ids) = (from.api()?, import.app.clone());
        finish(import, target, async move { outpost::read(&api, &ids, &profile).await })
    }
}

impl Hook0Args {
    pub(super) fn run(self, target: &ApiArgs) -> anyhow::Result<ExitCode> {
        let Self { from, application, label, profile, import } = self;
        let api = from.api()?;
        finish(import, target, async move {
            let (label, profile) = (label.as_deref(), profile.as_str());
            let selection = hook0::Selection { applications: &application, label, profile };
            hook0::read(&api, &selection).await
        })
    }
}

impl HookdeckArgs {
    pub(super) fn run(self, target: &ApiArgs) -> anyhow::Result<ExitCode> {
        let Self { from, signing_secret, import } = self;
        let api = from.api()?;
        let secret = signing_secret.map(|it| text_or_file(&it)).transpose()?;
        finish(import, target, async move { hookdeck::read(&api, secret.as_deref()).await })
    }
}

/// Reads the other system, and imports what was read.
fn finish(
    import: ImportArgs,
    target: &ApiArgs,
    read: impl Future<Output = anyhow::Result<Snapshot>>,
) -> anyhow::Result<ExitCode> {
    if import.messages.is_some() {
        return Err(usage(Advice {
            message: "--messages is only for `import svix`".to_owned(),
            hint: "import without it: the history stays in the other system".to_owned(),
            source: None,
        }));
    }
    commands::on_runtime(async {
        let snapshot = read.await?;
        import.run(&snapshot, target).await
    })
}
