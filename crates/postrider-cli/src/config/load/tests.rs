use std::time::Duration;

use super::*;

fn loaded(
    file: &str,
    variables: &[(&str, &str)],
    overrides: &Overrides,
) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postrider.toml");
    fs::write(&path, file).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    load_from(overrides, &path, variables)
}

fn from_file(text: &str) -> Config {
    loaded(text, &[], &Overrides::default()).unwrap().config
}

#[track_caller]
fn check_error(file: &str, variables: &[(&str, &str)], set: &[&str], expected: &str) {
    let set = set.iter().map(|it| (*it).to_owned()).collect();
    let error = loaded(file, variables, &Overrides { set, ..Overrides::default() }).unwrap_err();
    let message = error.to_string();
    // The folder of the test differs from run to run.
    let message = message.split_once("postrider.toml").map_or(message.as_str(), |(_, it)| it);
    assert_eq!(message, expected);
}

#[test]
fn the_default_configuration_works() {
    let config = load_from(&Overrides::default(), Path::new("/nowhere/at/all"), []).unwrap().config;
    assert_eq!(config.listen.to_string(), "127.0.0.1:8071");
    assert_eq!(config.request_timeout, Duration::from_secs(15));
    assert_eq!(config.retry_schedule.0.len(), 9);
    assert!(config.jwt_secret.is_none() && config.proxy.is_none());
    assert!(config.allow_networks.is_empty());
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "listen = '127.0.0.1:1'\nrequest_timeout = '1s'\nretry_jitter = 0.1";
    let variables = [("POSTRIDER_LISTEN", "127.0.0.1:2"), ("POSTRIDER_REQUEST_TIMEOUT", "2s")];
    let overrides = Overrides { listen: Some("127.0.0.1:3".to_owned()), ..Overrides::default() };
    let Loaded { config, origins, .. } = loaded(file, &variables, &overrides).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.request_timeout, Duration::from_secs(2));
    assert!((config.retry_jitter.0 - 0.1).abs() < 1e-9);
    assert_eq!(origins["listen"], Source::Flag("--listen"));
    assert_eq!(origins["request_timeout"].to_string(), "POSTRIDER_REQUEST_TIMEOUT");
    assert!(origins["retry_jitter"].to_string().ends_with("postrider.toml:3"));
    assert!(!origins.contains_key("data_dir"));
}

#[test]
fn files_with_secrets_are_known() {
    for (file, variables, expected) in [
        ("jwt_secret = 'a'", vec![], Some("jwt_secret")),
        ("main_secret = ['a', 'b']", vec![], Some("main_secret")),
        ("proxy = 'http://me:a@proxy'", vec![], Some("proxy")),
        ("proxy = 'http://proxy'", vec![], None),
        ("database_url = 'postgres://me:a@host/db'", vec![], Some("database_url")),
        ("database_url = 'postgres://me@host/db'", vec![], None),
        ("jwt_secret = 'a'", vec![("POSTRIDER_JWT_SECRET", "b")], None),
        ("shards = 2", vec![], None),
    ] {
        let found = loaded(file, &variables, &Overrides::default()).unwrap().secret_files();
        let keys: Vec<_> = found.iter().map(|(_, key)| key.as_str()).collect();
        assert_eq!(keys, expected.into_iter().collect::<Vec<_>>(), "{file}");
    }
}

#[test]
fn every_secret_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let text = path.to_str().unwrap();
    for (key, content) in [
        ("database_url", "postgres://me:a@host/db"),
        ("jwt_secret", "a"),
        ("main_secret", "a"),
        ("proxy", "http://me:a@proxy"),
        ("sso.client_secret", "a"),
        ("alerts.smtp_url", "smtps://me:a@smtp"),
        ("alerts.slack_url", "https://hooks.slack.com/services/a"),
        ("alerts.webhook_url", "https://example.com/a"),
        ("alerts.webhook_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ] {
        fs::write(&path, format!("{content}\n")).unwrap();
        let name = file_variable(key).unwrap();
        let found = loaded("", &[(&name, text)], &Overrides::default()).unwrap();
        assert_eq!(found.origins[key].to_string(), format!("{name} ({text})"));
        assert_eq!(found.secret_files(), [(path.clone(), key.to_owned())]);
    }
    let with_files: Vec<_> = keys().into_iter().filter_map(|it| file_variable(&it.path)).collect();
    assert_eq!(with_files.len(), 9, "{with_files:?}");
}

#[test]
fn a_file_has_a_secret_in_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "new, with a comma\n\nold\n").unwrap();
    let variables = [("POSTRIDER_MAIN_SECRET_FILE", path.to_str().unwrap())];
    let config = loaded("", &variables, &Overrides::default()).unwrap().config;
    let secrets = config.main_secret.unwrap();
    let secrets: Vec<_> = secrets.all().map(|it| it.0.as_str()).collect();
    assert_eq!(secrets, ["new, with a comma", "old"]);
}

#[test]
fn mistakes_with_files_of_secrets_are_named() {
    let twice = [("POSTRIDER_JWT_SECRET", "a"), ("POSTRIDER_JWT_SECRET_FILE", "/x")];
    let error =
        "POSTRIDER_JWT_SECRET and POSTRIDER_JWT_SECRET_FILE are both set; remove one of them";
    check_error("", &twice, &[], error);
    let missing = [("POSTRIDER_JWT_SECRET_FILE", "/nowhere/at/all")];
    let error = "POSTRIDER_JWT_SECRET_FILE: /nowhere/at/all cannot be read";
    check_error("", &missing, &[], error);
    let empty = [("POSTRIDER_JWT_SECRET_FILE", "/dev/null")];
    let error = "POSTRIDER_JWT_SECRET_FILE (/dev/null): `jwt_secret` is hidden, expected a non-empty \
                 text, or several";
    check_error("", &empty, &[], error);
    let misspelt = [("POSTRIDER_MAIN_SECRET_FIEL", "/x")];
    let error = "unknown variable POSTRIDER_MAIN_SECRET_FIEL; did you mean \
                 `POSTRIDER_MAIN_SECRET_FILE`?";
    check_error("", &misspelt, &[], error);
    let open = [("POSTRIDER_LISTEN_FILE", "/x")];
    let error = "unknown variable POSTRIDER_LISTEN_FILE; did you mean `POSTRIDER_LISTEN`?";
    check_error("", &open, &[], error);
    // As with other variables, an empty one sets nothing.
    let unset = [("POSTRIDER_JWT_SECRET_FILE", "")];
    assert!(loaded("", &unset, &Overrides::default()).unwrap().config.jwt_secret.is_none());
}

#[test]
fn the_variables_in_the_files_for_deployments_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let known: BTreeSet<_> = keys()
        .into_iter()
        .flat_map(|key| [Some(variable(&key.path)), file_variable(&key.path)])
        .flatten()
        .chain(OTHER_VARIABLES.map(str::to_owned))
        .collect();
    for (file, count) in [
        ("packaging/systemd/postrider.service", 2),
        ("packaging/compose/embedded.yaml", 1),
        ("packaging/compose/postgres.yaml", 5),
        ("packaging/helm/postrider/templates/_helpers.tpl", 11),
        ("packaging/image/Dockerfile", 2),
        ("docs/deployment.md", 4),
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let is_part = |it: char| it.is_ascii_uppercase() || it == '_';
        let names = text.split(|it: char| !is_part(it)).filter(|it| it.starts_with(PREFIX));
        let names: BTreeSet<_> = names.map(str::to_owned).collect();
        let unknown: Vec<_> = names.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} has unknown variables: {unknown:?}");
        assert!(names.len() >= count, "{file}: {names:?}");
    }
}

#[test]
fn schedules_are_texts_or_lists_and_may_include_the_first_attempt() {
    let seconds =
        |waits: &[u64]| -> Vec<_> { waits.iter().map(|it| Duration::from_secs(*it)).collect() };
    for (text, expected) in [
        ("retry_schedule = '5s,5m'", &[5, 300][..]),
        ("retry_schedule = '0s, 5s, 5m'", &[5, 300]),
        ("retry_schedule = ['5s', '5m']", &[5, 300]),
        ("retry_schedule = '0s,0s,1s'", &[0, 1]),
        ("retry_schedule = ''", &[]),
        ("retry_schedule = []", &[]),
    ] {
        assert_eq!(from_file(text).retry_schedule.0, seconds(expected), "{text}");
    }
}

#[test]
fn nested_keys_are_sections_in_the_file_and_double_underscores_in_variables() {
    let variables = [("POSTRIDER_LIMITS__BATCH", "7"), ("POSTRIDER_RETENTION__PAYLOAD", "1d")];
    let config = loaded("[limits]\nbatch = 5\nqueued = 6", &variables, &Overrides::default())
        .unwrap()
        .config;
    assert_eq!((config.limits.batch.get(), config.limits.queued.get()), (7, 6));
    assert_eq!(config.retention.payload, Duration::from_secs(86_400));
}

#[test]
fn networks_are_lists_and_may_be_single_addresses() {
    let variables = [("POSTRIDER_ALLOW_NETWORKS", "127.0.0.0/8,::1/128,10.0.0.1")];
    let config = loaded("", &variables, &Overrides::default()).unwrap().config;
    let networks: Vec<_> = config.allow_networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["127.0.0.0/8", "::1/128", "10.0.0.1/32"]);
}

#[test]
fn ports_are_numbers_and_ranges() {
    for (file, expected) in [
        ("", "80,443,1024-65535"),
        ("allow_ports = '443, 8443-8450'", "443,8443-8450"),
        ("allow_ports = [443, '8443-8450']", "443,8443-8450"),
        ("allow_ports = 443", "443"),
    ] {
        let config = loaded(file, &[], &Overrides::default()).unwrap().config;
        assert_eq!(config.allow_ports.to_string(), expected, "{file}");
    }
    check_error(
        "allow_ports = 'http'",
        &[],
        &[],
        ":1: `allow_ports` is \"http\", expected ports and ranges such as 80,443,1024-65535",
    );
}

#[test]
fn errors_name_the_key_the_position_the_value_and_what_is_expected() {
    check_error("a = [", &[], &[], ":1: unclosed array, expected `]`");
    check_error(
        "\nlisten = 'here'",
        &[],
        &[],
        ":2: `listen` is \"here\", expected an address and a port, such as 127.0.0.1:8071",
    );
    check_error(
        "retry_shedule = '5s'",
        &[],
        &[],
        ":1: unknown key `retry_shedule`; did you mean `retry_schedule`?",
    );
    check_error(
        "[limits]\n\nbatches = 1",
        &[],
        &[],
        ":3: unknown key `limits.batches`; did you mean `limits.batch`?",
    );
    check_error("xyzzy = 1", &[], &[], ":1: unknown key `xyzzy`");
    check_error(
        "",
        &[("POSTRIDER_LISTN", "127.0.0.1:1")],
        &[],
        "unknown variable POSTRIDER_LISTN; did you mean `POSTRIDER_LISTEN`?",
    );
    check_error(
        "",
        &[("POSTRIDER_REQUEST_TIMEOUT", "15")],
        &[],
        "POSTRIDER_REQUEST_TIMEOUT: `request_timeout` is \"15\", expected a duration with its \
         unit, such as 15s or 2h30m",
    );
    check_error(
        "",
        &[],
        &["retry_jitter=2"],
        "--set: `retry_jitter` is \"2\", expected a number from 0 to 1",
    );
    check_error("", &[], &["shards"], "--set shards: expected KEY=VALUE");
    check_error(
        "",
        &[],
        &["request_timeout=0s"],
        "--set: `request_timeout` is \"0s\", expected a duration above zero",
    );
    check_error(
        "",
        &[("POSTRIDER_PROXY", "ftp://user:pass@proxy")],
        &[],
        "POSTRIDER_PROXY: `proxy` is hidden, expected a URL such as http://proxy:3128 or \
         socks5://proxy:1080",
    );
}

#[test]
fn a_named_file_must_exist() {
    let overrides = Overrides { file: Some("/nowhere/at/all".into()), ..Overrides::default() };
    let error = load_from(&overrides, Path::new("unused"), []).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/at/all cannot be read");
}

#[test]
fn variables_of_client_commands_are_not_configuration_keys() {
    let variables = [("POSTRIDER_URL", "http://x"), ("POSTRIDER_TOKEN", "t")];
    assert!(loaded("", &variables, &Overrides::default()).is_ok());
}

const ORDERS: &str = "[[endpoints]]
uid = 'orders'
application = 'acme'
kind = 'redis'
event_types = ['order.paid']
rate = 5
[endpoints.config]
url = { from_env = 'POSTRIDER_ORDERS_URL' }
stream = 'orders'
";

#[test]
fn endpoints_are_read_with_texts_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "whsec_c2VjcmV0\n").unwrap();
    let web = format!(
        "[[endpoints]]\nuid = 'web'\napplication = 'acme'\norganization = 'org_x'\n\
         url = 'https://example.com'\ndisabled = true\nsecret.from_file = '{}'\n",
        secret.display()
    );
    let variables = [("POSTRIDER_ORDERS_URL", "redis://u:pass@redis.example")];
    let file = format!("shards = 2\n{ORDERS}\n{web}");
    let loaded = loaded(&file, &variables, &Overrides::default()).unwrap();
    let [orders, web] = &*loaded.declared.endpoints else { panic!("{loaded:?}") };
    assert!(orders.origin.to_string().ends_with("postrider.toml:2"), "{}", orders.origin);
    let endpoint = &orders.endpoint.endpoint;
    assert_eq!(orders.endpoint.organization.as_str(), "org_main");
    assert_eq!(orders.endpoint.disabled, None);
    assert_eq!(endpoint.throttle_rate.0, Some(5));
    let config = &endpoint.config.as_ref().unwrap().0;
    assert_eq!(config["url"], "redis://u:pass@redis.example");
    assert_eq!(web.endpoint.organization.as_str(), "org_x");
    assert_eq!(web.endpoint.endpoint.secret.as_deref(), Some("whsec_c2VjcmV0"));
    assert_eq!(web.endpoint.disabled, Some(true));
    // Neither contains a credential itself.
    assert!(loaded.secret_files().is_empty());
    assert!(!format!("{loaded:?}").contains("pass"));
}

#[test]
fn a_file_with_a_credential_of_an_endpoint_is_known() {
    let file = ORDERS.replace("{ from_env = 'POSTRIDER_ORDERS_URL' }", "'redis://u:pass@redis'");
    let files = loaded(&file, &[], &Overrides::default()).unwrap().secret_files();
    assert_eq!(files[0].1, "[[endpoints]] \"orders\"");
}

#[test]
fn mistakes_in_endpoints_name_the_entry_and_the_field() {
    let url = [("POSTRIDER_ORDERS_URL", "redis://redis.example")];
    let cases = [
        (
            ORDERS.to_owned(),
            false,
            8,
            "`config.url`: the environment variable \
            POSTRIDER_ORDERS_URL is not set; set it",
        ),
        (
            ORDERS.replace("rate = 5", "rate = 'x'"),
            true,
            6,
            "`rate`: invalid type: string \"x\", \
            expected u16",
        ),
        (ORDERS.replace("rate", "rat"), true, 6, "`rat`: unknown field `rat`, "),
        (ORDERS.replace("'redis'", "'ftp'"), true, 4, "`kind`: unknown variant `ftp`"),
        (ORDERS.replace("stream =", "streem ="), true, 9, "`config.streem`: unknown field"),
        (ORDERS.replace("stream = 'orders'", ""), true, 7, "`config`: missing field `stream`"),
        (ORDERS.replace("'orders'\n", "'{{'\n"), true, 9, "`config.stream`: "),
        (ORDERS.replace("kind = 'redis'", ""), true, 7, "`config`: must be absent"),
        (format!("{ORDERS}{ORDERS}"), true, 11, "`uid`: is used twice in the application acme"),
    ];
    for (file, is_set, line, expected) in cases {
        let file = file.replacen("'{{'", "'orders'", usize::from(expected.contains("stream`: ")));
        let variables: &[_] = if is_set { &url } else { &[] };
        let error = loaded(&file, variables, &Overrides::default()).unwrap_err().to_string();
        let (_, error) = error.split_once("postrider.toml:").unwrap();
        let start = format!("{line}: [[endpoints]] \"orders\": {expected}");
        assert!(error.starts_with(&start), "{error}\n{start}");
    }
    for (file, expected) in [
        ("endpoints = 1", ":1: `endpoints` is of the type integer"),
        ("endpoints = [1]", ":1: `endpoints` is of the type array"),
        ("[[endpoints]]\nuid = 'a'\nx = nan", ":3: [[endpoints]] \"a\": `x`: must be a number"),
        ("[[endpoints]]\nkind = 'http'", ":1: [[endpoints]]: missing field `uid`"),
    ] {
        let error = loaded(file, &[], &Overrides::default()).unwrap_err().to_string();
        let (_, error) = error.split_once("postrider.toml").unwrap();
        assert!(error.starts_with(expected), "{error}");
    }
}

const QUEUE: &str = "[[consumers]]
uid = 'orders'
kind = 'nats'
max_in_flight = 10
[consumers.config]
url = { from_env = 'ORDERS_URL' }
stream = 'ORDERS'
[consumers.mapping]
application = '$.body.customer'
event_type = 'order.{{ body.kind }}'
channels = ['$.subject']
";

#[test]
fn consumers_are_read_with_texts_from_elsewhere() {
    let variables = [("ORDERS_URL", "nats://u:pass@nats.example")];
    let loaded = loaded(QUEUE, &variables, &Overrides::default()).unwrap();
    let [orders] = &*loaded.declared.consumers else { panic!("{loaded:?}") };
    assert!(orders.origin.to_string().ends_with("postrider.toml:1"), "{}", orders.origin);
    let consumer = &orders.consumer.consumer;
    assert_eq!(orders.consumer.organization.as_str(), "org_main");
    assert_eq!((orders.consumer.disabled, consumer.max_in_flight), (None, Some(10)));
    assert_eq!(consumer.config.0["url"], "nats://u:pass@nats.example");
    let mapping = consumer.mapping.as_ref().unwrap();
    assert_eq!(mapping.event_type, "order.{{ body.kind }}");
    assert_eq!(mapping.channels, ["$.subject"]);
    assert!(loaded.secret_files().is_empty());
    assert!(!format!("{loaded:?}").contains("pass"));
}

#[test]
fn mistakes_in_consumers_name_the_entry_and_the_field() {
    let file = QUEUE.replace("{ from_env = 'ORDERS_URL' }", "'nats://nats.example'");
    for (file, line, expected) in [
        (file.replace("max_in_flight", "maxInFlight"), 4, "`maxInFlight`: unknown field"),
        (file.replace("'nats'", "'mqtt'"), 3, "`kind`: unknown variant `mqtt`"),
        (file.replace("stream =", "streem ="), 7, "`config.streem`: unknown field"),
        (file.replace("event_type", "event"), 10, "`mapping.event`: unknown field"),
        (format!("{file}{file}"), 13, "`uid`: is used twice in the organization org_main"),
    ] {
        let error = loaded(&file, &[], &Overrides::default()).unwrap_err().to_string();
        let (_, error) = error.split_once("postrider.toml:").unwrap();
        let start = format!("{line}: [[consumers]] \"orders\": {expected}");
        assert!(error.starts_with(&start), "{error}\n{start}");
    }
    let file = file.replace("nats://", "nats://u:pass@");
    let files = loaded(&file, &[], &Overrides::default()).unwrap().secret_files();
    assert_eq!(files[0].1, "[[consumers]] \"orders\"");
}
