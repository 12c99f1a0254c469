//! One test for each page with commands.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::{
    page::{self, Action, Step},
    session::{Session, repository},
};

fn steps(path: &str) -> Vec<Step> {
    let text = fs::read_to_string(repository().join(path)).unwrap();
    page::read(&text).unwrap_or_else(|mistake| panic!("{path}: {mistake}"))
}

/// Runs a page from top to bottom, except for what needs a toolchain.
fn run(path: &str) {
    run_steps(path, steps(path).iter().filter(|it| it.toolchain.is_none()));
}

fn run_steps<'a>(path: &str, steps: impl IntoIterator<Item = &'a Step>) {
    let mut session = Session::start(path);
    for step in steps {
        if let Err(reason) = session.take(step) {
            panic!("{path}:{}: {reason}", step.line);
        }
    }
}

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        const PAGES: &[&str] = &[$($path),*];
        $(
            #[test]
            fn $name() {
                run($path);
            }
        )*
    };
}

pages! {
    readme: "README.md",
    contributing: "CONTRIBUTING.md",
    access: "docs/access.md",
    benchmarks: "docs/benchmarks.md",
    console: "docs/console.md",
    consumers: "docs/consumers.md",
    tour: "docs/contributing/tour.md",
    binary_size: "docs/decisions/binary-size.md",
    cost_of_a_message: "docs/decisions/cost-of-a-message.md",
    embedded_store: "docs/decisions/embedded-store.md",
    latency: "docs/decisions/latency.md",
    many_applications: "docs/decisions/many-applications.md",
    threads: "docs/decisions/threads.md",
    sandbox: "docs/decisions/sandbox.md",
    delivery: "docs/delivery.md",
    deployment: "docs/deployment.md",
    developing: "docs/developing.md",
    endpoint_authentication: "docs/endpoint-authentication.md",
    discord: "docs/endpoints/discord.md",
    email: "docs/endpoints/email.md",
    kafka: "docs/endpoints/kafka.md",
    live: "docs/endpoints/live.md",
    mqtt: "docs/endpoints/mqtt.md",
    mysql: "docs/endpoints/mysql.md",
    nats: "docs/endpoints/nats.md",
    postgres: "docs/endpoints/postgres.md",
    rabbitmq: "docs/endpoints/rabbitmq.md",
    redis: "docs/endpoints/redis.md",
    s3: "docs/endpoints/s3.md",
    slack: "docs/endpoints/slack.md",
    sns: "docs/endpoints/sns.md",
    sqlite: "docs/endpoints/sqlite.md",
    sqs: "docs/endpoints/sqs.md",
    teams: "docs/endpoints/teams.md",
    telegram: "docs/endpoints/telegram.md",
    filters: "docs/filters.md",
    high_availability: "docs/high-availability.md",
    install: "docs/install.md",
    quick_start: "docs/quick-start.md",
    publishing: "docs/publishing.md",
    verifying: "docs/verifying.md",
    troubleshooting: "docs/troubleshooting.md",
    upgrading: "docs/upgrading.md",
    restore_drill: "docs/restore-drill.md",
    configuring: "docs/configuring.md",
    performance: "docs/performance.md",
    errors: "docs/errors.md",
    listen: "docs/listen.md",
    operations: "docs/operations.md",
    declarative: "docs/declarative.md",
    mcp: "docs/mcp.md",
    metrics: "docs/metrics.md",
    migration: "docs/migration.md",
    from_convoy: "docs/migration/convoy.md",
    cut_over: "docs/migration/cut-over.md",
    from_hook0: "docs/migration/hook0.md",
    from_hookdeck: "docs/migration/hookdeck.md",
    from_outpost: "docs/migration/outpost.md",
    from_svix: "docs/migration/svix.md",
    monitoring: "docs/monitoring.md",
    opentelemetry: "docs/opentelemetry.md",
    shadow_mode: "docs/shadow-mode.md",
    signing_profiles: "docs/signing-profiles.md",
    ordering: "docs/ordering.md",
    polling: "docs/polling.md",
    portal: "docs/portal.md",
    receiving: "docs/receiving.md",
    schemas: "docs/schemas.md",
    signatures: "docs/signatures.md",
    transformations: "docs/transformations.md",
    examples: "examples/README.md",
    example_of_stripe: "examples/receive-stripe/README.md",
    shop: "examples/shop/README.md",
}

/// The Debian packages with the toolchains.
const TOOLCHAINS: &str = "default-jdk-headless golang-go kotlin libmono-system-net-http4.0-cil \
    mono-mcs mono-runtime";

#[test]
#[ignore = "needs the toolchains of Go, Java, Kotlin and C#"]
fn pages_with_toolchains() {
    let mut ran = Vec::new();
    for path in PAGES {
        let steps = steps(path);
        let needed = steps.iter().filter_map(|it| it.toolchain.as_deref());
        let needed = needed.collect::<BTreeSet<_>>();
        for command in &needed {
            let is_there =
                Command::new("sh").args(["-c", &format!("command -v {command}")]).output();
            assert!(
                is_there.unwrap().status.success(),
                "{path} needs {command}; run `scripts/install {TOOLCHAINS}`"
            );
        }
        if !needed.is_empty() {
            run_steps(path, &steps);
            ran.push(*path);
        }
    }
    assert_eq!(ran, ["docs/publishing.md", "docs/verifying.md"]);
}

/// The paths of all Markdown files below a folder of the repository.
fn markdown(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown(&path, into);
        } else if path.extension().is_some_and(|it| it == "md") {
            let path = path.strip_prefix(repository()).unwrap();
            into.push(path.to_str().unwrap().to_owned());
        }
    }
}

/// The paths of all pages in the repository.
pub(crate) fn all_pages() -> Vec<String> {
    let mut all = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for folder in ["docs", "examples"] {
        markdown(&repository().join(folder), &mut all);
    }
    all
}

#[test]
fn every_page_with_commands_has_a_test() {
    let has_commands = |path: &String| {
        let text = fs::read_to_string(repository().join(path)).unwrap();
        let steps = page::read(&text).unwrap_or_else(|mistake| panic!("{path}: {mistake}"));
        steps.iter().any(|it| matches!(it.action, Action::Run { .. } | Action::Skip(_)))
    };
    let expected = all_pages().into_iter().filter(has_commands).collect::<BTreeSet<_>>();
    let tested = PAGES.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(tested, expected);
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(repository().join("docs/SUMMARY.md")).unwrap();
    let is_listed = |path: &String| {
        let page = path.strip_prefix("docs/").unwrap();
        page == "SUMMARY.md" || summary.contains(&format!("({page})"))
    };
    let pages = all_pages().into_iter().filter(|it| it.starts_with("docs/"));
    assert_eq!(pages.filter(|it| !is_listed(it)).collect::<Vec<_>>(), [""; 0]);
}
