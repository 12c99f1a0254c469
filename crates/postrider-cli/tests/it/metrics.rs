//! The metrics: their form, their documentation, and the dashboards and alert rules that use them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use http::Request;
use serde_json::{Value, json};

use crate::{
    port::free_port,
    receive,
    receiver::{Behavior, Receiver},
    server::{Server, until_async},
};

/// Metrics that exist only if something is used that these tests do not use.
const UNUSED: [&str; 4] = [
    "postrider_consumer_messages_total",
    "postrider_consumer_connected",
    "postrider_consumer_in_flight",
    "postrider_quota_refusals_total",
];

/// Metrics of one of the stores.
const OF_STORE: [&str; 7] = [
    "postrider_disk_free_bytes",
    "postrider_disk_size_bytes",
    "postrider_index_lag_commits",
    "postrider_index_complete_ratio",
    "postrider_database_connections",
    "postrider_database_max_connections",
    "postrider_database_connection_waiters",
];

/// A server that has delivered, failed, received and rejected.
struct World {
    server: Server,
    port: u16,
    _receiver: Receiver,
}

impl World {
    async fn start() -> Self {
        let receiver = Receiver::start().await;
        receiver.set_behavior("bad", Behavior::Status(500));
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let url = receiver.url("alerts");
        let server = Server::with_variables(&[
            ("POSTRIDER_METRICS_LISTEN", address.as_str()),
            ("POSTRIDER_METRICS_ENDPOINTS", "10"),
            ("POSTRIDER_ALERTS__WEBHOOK_URL", &url),
        ]);
        let world = Self { server, port, _receiver: receiver };
        world.make_traffic().await;
        world
    }

    async fn make_traffic(&self) {
        let Self { server, _receiver: receiver, .. } = self;
        // A payload is checked if its event type has a schema.
        let schema = json!({ "1": { "type": "object" } });
        let event_type = json!({ "name": "test.event", "description": "", "schemas": schema,
            "schemaValidation": "warn" });
        server.post("/event-type", event_type).await;
        server.application("acme").await;
        server.endpoint("acme", &receiver.url("good")).await;
        server.endpoint("acme", &receiver.url("bad")).await;
        let ask = json!({ "name": "A", "type": "stripe", "secrets": [{ "key": "whsec_right" }] });
        let source = server.ingest("/source", ask).await;
        let url = source["ingestUrl"].as_str().unwrap();
        for (id, secret) in [("evt_1", "whsec_right"), ("evt_2", "whsec_wrong")] {
            let event = format!("{{\"id\":\"{id}\",\"type\":\"invoice.paid\"}}");
            let (request, body) = receive::signed("stripe", secret, url, &event);
            receive::send(request, body).await;
        }
        self.publish().await;
        let is_there = |text: &Value, name: &str| text.as_str().unwrap().contains(name);
        let read = async || Value::from(self.scrape().await);
        let all = [
            "postrider_attempt_failures_total{cause=\"5xx\"}",
            "postrider_endpoint_breaker_open{",
            "postrider_endpoints{state=\"enabled\"}",
            "postrider_schema_checks_total{",
            "result=\"delivered\"",
        ];
        until_async(read, |text| all.iter().all(|name| is_there(text, name))).await;
    }

    async fn publish(&self) {
        self.server.publish("acme", json!({ "n": 1 })).await;
    }

    async fn scrape(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        receive::send(Request::get(url), "").await.text
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// A metric as the documentation or a server describes it.
#[derive(Debug, Default)]
struct Described {
    kind: String,
    labels: BTreeSet<String>,
}

/// The metrics of a scrape by their names, as they are documented.
fn scraped(text: &str) -> BTreeMap<String, Described> {
    let mut all = BTreeMap::<String, Described>::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            name.clone_into(&mut current);
            kind.clone_into(&mut all.entry(current.clone()).or_default().kind);
        } else if let Some((_, labels)) = line.split_once('{') {
            let labels = labels.rsplit_once('}').unwrap().0;
            let names = labels.split(',').filter_map(|it| it.split_once('=')).map(|it| it.0);
            let described = all.get_mut(&current).unwrap();
            described.labels.extend(names.filter(|it| *it != "le").map(str::to_owned));
        }
    }
    all
}

/// The rows of the tables in docs/metrics.md.
fn documented() -> BTreeMap<String, Described> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let described = rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(',').map(|it| it.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|it| !it.is_empty()).collect();
        (cells[1].trim_matches('`').to_owned(), Described { kind: cells[2].to_owned(), labels })
    });
    described.collect()
}

/// Whether a program succeeds with this input.
fn check(program: &str, arguments: &[&str], input: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; run scripts/install"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(said).unwrap()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_well_formed_and_documented() {
    let world = World::start().await;
    let text = world.scrape().await;
    assert_eq!(check("promtool", &["check", "metrics"], &text), Ok(()));
    let (scraped, documented) = (scraped(&text), documented());
    for (name, metric) in &scraped {
        let known = documented.get(name);
        let known = known.unwrap_or_else(|| panic!("{name} is missing in docs/metrics.md"));
        assert_eq!(known.kind, metric.kind, "{name}");
        assert!(metric.labels.is_subset(&known.labels), "labels of {name}: {:?}", metric.labels);
    }
    let optional = |name: &str| {
        UNUSED.contains(&name)
            || OF_STORE.contains(&name)
            || name.starts_with("postrider_transformation_")
    };
    let missing = documented.keys().filter(|name| !scraped.contains_key(*name) && !optional(name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new(), "docs/metrics.md");
    let has_disk = scraped.contains_key("postrider_disk_free_bytes");
    assert_ne!(has_disk, scraped.contains_key("postrider_database_connections"));
}

/// A Prometheus that reads the server; it is killed when this is dropped.
struct Prometheus {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: \
             postrider\n    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
        );
        let file = folder.path().join("prometheus.yaml");
        fs::write(&file, config).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus: {error}; run scripts/install"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let address = line.split("address=127.0.0.1:").nth(1)?;
            let port = address.split(|it: char| !it.is_ascii_digit()).next()?;
            line.contains("Listening").then(|| port.to_owned()).filter(|port| port != "0")
        });
        // Otherwise it would be killed when it writes.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://127.0.0.1:{}", address.unwrap());
        Self { child, url, _folder: folder }
    }

    /// The number of series that an expression results in; an error if it is not valid.
    async fn query(&self, expression: &str) -> Result<usize, String> {
        let query =
            percent_encoding::utf8_percent_encode(expression, percent_encoding::NON_ALPHANUMERIC);
        let url = format!("{}/api/v1/query?query={query}", self.url);
        let text = receive::send(Request::get(url), "").await.text;
        let response: Value = serde_json::from_str(&text).map_err(|_| text.clone())?;
        let result = response["data"]["result"].as_array();
        result.map(Vec::len).ok_or(text)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The expressions of all panels and variables, with values in place of the variables.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("packaging/grafana")).unwrap() {
        let path = entry.unwrap().path();
        let board: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let title = board["title"].as_str().unwrap().to_owned();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let name = format!("{title} / {}", panel["title"].as_str().unwrap());
                all.push((name, filled(target["expr"].as_str().unwrap())));
            }
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            let query = variable["definition"].as_str().unwrap_or_default();
            if let Some(inner) = query.strip_prefix("label_values(") {
                let (selector, _) = inner.rsplit_once(", ").unwrap();
                all.push((format!("{title} / {}", variable["name"]), filled(selector)));
            }
        }
    }
    all
}

fn filled(expression: &str) -> String {
    let variables = ["instance", "application", "endpoint"];
    let text = expression.replace("$__rate_interval", "1m");
    variables.iter().fold(text, |text, name| text.replace(&format!("${name}"), ".*"))
}

/// Whether an expression is about something that this server does not have.
fn is_unused(expression: &str) -> bool {
    let names = UNUSED.iter().chain(&OF_STORE);
    names.copied().any(|name| expression.contains(name))
        || expression.contains("postrider_transformation_")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_of_the_dashboards_has_data() {
    let world = World::start().await;
    let prometheus = Prometheus::start(world.port);
    let expressions = expressions();
    assert!(expressions.len() > 60, "{}", expressions.len());
    // Rates need two samples, between which something happened.
    let ready = "rate(postrider_attempts_total{result=\"delivered\"}[1m]) > 0";
    let published = async || {
        world.publish().await;
        Value::from(prometheus.query(ready).await.unwrap_or_default())
    };
    until_async(published, |series| series.as_u64() > Some(0)).await;
    for (panel, expression) in expressions {
        let series = prometheus.query(&expression).await;
        assert!(series.is_ok(), "{panel}: {expression}: {series:?}");
        if !is_unused(&expression) {
            let ask = async || Value::from(prometheus.query(&expression).await.unwrap_or_default());
            let what = format!("{panel}: {expression}");
            let found = until_async(ask, |series| series.as_u64() > Some(0)).await;
            assert!(found.as_u64() > Some(0), "{what}");
        }
    }
}

#[test]
fn the_alert_rules_use_documented_metrics() {
    let documented = documented();
    let rules = read("packaging/prometheus/alerts.yaml");
    let expressions = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let mut count = 0;
    for expression in expressions {
        let is_part = |it: char| !(it.is_ascii_alphanumeric() || it == '_');
        for word in expression
            .split(is_part)
            .filter(|it| it.starts_with("postrider_") || it.starts_with("process_"))
        {
            assert!(documented.contains_key(word), "{word} in {expression}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
