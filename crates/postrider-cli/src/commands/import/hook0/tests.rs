use super::*;

fn records(label: Option<&str>) -> Records {
    let parsed = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    let application = Application {
        record: parsed(include_str!("fixtures/application.json")),
        subscriptions: items(&parsed(include_str!("fixtures/subscriptions.json"))).to_vec(),
        event_types: items(&parsed(include_str!("fixtures/event_types.json"))).to_vec(),
    };
    convert(&[application], &Selection { applications: &[], label, profile: "hook0" })
}

#[test]
fn a_label_names_the_customers() {
    let records = records(Some("tenant"));
    let uids: Vec<_> = records.applications.iter().map(|it| it.application.uid.as_str()).collect();
    assert_eq!(uids, ["acme", "other"]);
    let first = &records.applications[0].content;
    let endpoint = &first.endpoints[0];
    assert_eq!(endpoint.url, "https://acme.example/hook");
    assert_eq!(endpoint.headers["x-api-key"], "sesame");
    assert_eq!(endpoint.secrets[0].key, "d48488f1-cddc-4d9b-8f90-d20cca61f0ee");
    assert_eq!(endpoint.more["signing"], json!({ "profile": "hook0" }));
    assert_eq!((endpoint.disabled, &endpoint.channels), (false, &None));
    assert!(first.hidden.is_empty(), "{:?}", first.hidden);
    let second = &records.applications[1].content;
    let endpoint = &second.endpoints[0];
    assert!(endpoint.disabled);
    let filter = r#""env:prod" in channels && "region:eu" in channels"#;
    assert_eq!(endpoint.more["filter"], filter);
    assert_eq!(second.hidden.len(), 3, "{:?}", second.hidden);
    assert_eq!(records.environment.event_types.len(), 2);
}

#[test]
fn without_a_label_an_application_stays_one() {
    let records = records(None);
    let [customer] = records.applications.as_slice() else { panic!("{records:?}") };
    assert_eq!(customer.application.name, "Billing");
    assert_eq!(customer.content.endpoints.len(), 2);
    let channels = customer.content.endpoints[0].channels.as_deref();
    assert_eq!(channels, Some(&["tenant:acme".to_owned()][..]));
}
