//! An import from beginning to end.

use std::{cell::RefCell, path::PathBuf, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::{
    messages::{self, Transfer},
    model::{Application, ApplicationContent, Environment, Fields, Finding, Kind},
    progress::Meter,
    report::{Outcome, Report},
    source::Source,
    state::StateFile,
    target::{Collection, Target},
};
use crate::{commands, failure::Advice};

/// Applications that are imported at the same time.
const CONCURRENCY: usize = 4;

/// What to import.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Only these applications, by uid or id in the source; all if empty.
    pub applications: Vec<String>,
    /// Messages that are not older.
    pub messages: Option<Duration>,
    pub dry_run: bool,
    pub state: PathBuf,
}

/// Imports, and notes in the report what happened, also if an error ends the import.
pub(crate) async fn run(
    source: &impl Source,
    target: &Target,
    plan: &Plan,
    report: &RefCell<Report>,
) -> anyhow::Result<()> {
    target.check().await?;
    let environment = source.environment().await?;
    import_types(target, &environment, report).await?;
    let applications = chosen(source.applications().await?, &plan.applications)?;
    let existing: Vec<_> = stream::iter(&applications)
        .map(|application| import_application(source, target, application, report))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    let existing: Vec<_> = existing.into_iter().flatten().collect();
    for endpoint in &environment.operational_endpoints {
        let outcome = target.put_endpoint(&Collection::operational(), endpoint).await?;
        report.borrow_mut().add(Kind::OperationalEndpoint, &endpoint.uid, outcome);
    }
    // A setting may forbid endpoints that exist in the source, so settings come last.
    import_settings(target, &environment.settings, report).await?;
    report.borrow_mut().hide(environment.hidden);
    import_messages(source, target, &existing, plan, report).await?;
    report.borrow_mut().finish();
    Ok(())
}

fn chosen(all: Vec<Application>, names: &[String]) -> anyhow::Result<Vec<Application>> {
    if names.is_empty() {
        return Ok(all);
    }
    let is_named = |it: &Application, name: &String| it.uid == *name || it.source_id == *name;
    if let Some(name) = names.iter().find(|name| !all.iter().any(|it| is_named(it, name))) {
        return Err(Advice {
            message: format!("the source has no application `{name}`"),
            hint: "set --app to the uid or id of an application of the source".to_owned(),
            source: None,
        }
        .into());
    }
    Ok(all.into_iter().filter(|it| names.iter().any(|name| is_named(it, name))).collect())
}

async fn import_types(
    target: &Target,
    environment: &Environment,
    report: &RefCell<Report>,
) -> anyhow::Result<()> {
    for event_type in &environment.event_types {
        let outcome = target.put_event_type(event_type).await?;
        report.borrow_mut().add(Kind::EventType, &event_type.name, outcome);
    }
    for connector in &environment.connectors {
        let outcome = target.put_connector(connector).await?;
        report.borrow_mut().add(Kind::Connector, &connector.uid, outcome);
    }
    Ok(())
}

async fn import_settings(
    target: &Target,
    settings: &Fields,
    report: &RefCell<Report>,
) -> anyhow::Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    let present = target.settings().await?;
    for (name, value) in settings {
        match target.put_setting(name, value, &present).await? {
            // Hosted systems have settings that mean nothing here.
            Outcome::Failed(error) => {
                report.borrow_mut().hide([Finding::new(Kind::Setting, name, error)]);
            },
            outcome @ (Outcome::Created | Outcome::Updated(_) | Outcome::Unchanged) => {
                report.borrow_mut().add(Kind::Setting, name, outcome);
            },
        }
    }
    Ok(())
}

/// Imports an application; returns it unless the target refused it.
async fn import_application<'a>(
    source: &impl Source,
    target: &Target,
    application: &'a Application,
    report: &RefCell<Report>,
) -> anyhow::Result<Option<&'a Application>> {
    let uid = &application.uid;
    let content = source.content(application).await?;
    let outcome = target.put_application(application).await?;
    let is_missing = matches!(outcome, Outcome::Failed(_));
    report.borrow_mut().add(Kind::Application, uid, outcome);
    let ApplicationContent { endpoints, integrations, hidden } = content;
    report.borrow_mut().hide(hidden);
    if is_missing {
        return Ok(None);
    }
    for endpoint in &endpoints {
        let outcome = target.put_endpoint(&Collection::of(uid), endpoint).await?;
        report.borrow_mut().add(Kind::Endpoint, format!("{uid}/{}", endpoint.uid), outcome);
    }
    for integration in &integrations {
        let outcome = target.put_integration(uid, integration).await?;
        report.borrow_mut().add(Kind::Integration, format!("{uid}/{}", integration.name), outcome);
    }
    Ok(Some(application))
}

async fn import_messages(
    source: &impl Source,
    target: &Target,
    applications: &[&Application],
    plan: &Plan,
    report: &RefCell<Report>,
) -> anyhow::Result<()> {
    let Some(age) = plan.messages.filter(|_| !plan.dry_run) else { return Ok(()) };
    let state = StateFile::open(&plan.state, &source.location(), &target.location())?;
    let (state, meter) = (RefCell::new(state), RefCell::new(Meter::new()));
    let now = Timestamp::from_duration(SignedDuration::try_from(commands::now()?)?)?;
    let since = now.saturating_sub(SignedDuration::try_from(age)?)?;
    let transfer = Transfer { source, target, state: &state, report, meter: &meter };
    let result = stream::iter(applications)
        .map(|application| messages::transfer(&transfer, application, (since, now)))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<Vec<()>>()
        .await;
    let imported = report.borrow().messages();
    meter.borrow_mut().finish(imported);
    state.borrow().write()?;
    result.map(drop)
}
