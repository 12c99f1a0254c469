use super::*;

fn records() -> Records {
    let parsed = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    let page = parsed(include_str!("fixtures/tenants.json"));
    let destinations = parsed(include_str!("fixtures/destinations.json"));
    let tenant = |record: &Value| Tenant {
        record: record.clone(),
        destinations: listed(&destinations).to_vec(),
    };
    let tenants: Vec<_> = listed(&page).iter().map(tenant).collect();
    convert(&json!(["user.created", "user.deleted"]), &tenants, "outpost")
}

#[test]
fn tenants_become_applications_with_their_webhooks() {
    let records = records();
    let [Customer { application, content }] = records.applications.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!((application.uid.as_str(), application.metadata["plan"].as_str()), ("acme", "team"));
    let [first, second] = content.endpoints.as_slice() else { panic!("{content:?}") };
    assert_eq!((first.uid.as_str(), first.url.as_str()), ("des_1", "https://acme.example/hook"));
    assert_eq!(first.event_types.as_ref().map(Vec::len), Some(2));
    assert_eq!(first.headers["x-api-key"], "sesame");
    assert_eq!(first.headers["x-outpost-source"], "billing");
    assert_eq!(first.metadata["team"], "platform");
    assert_eq!(first.more["signing"], json!({ "profile": "outpost" }));
    let keys: Vec<_> = first.secrets.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["whsec_new", "whsec_old"]);
    assert!(first.secrets[1].expires_at.is_some());
    assert_eq!((second.disabled, &second.event_types), (true, &None));
    let names: Vec<_> = records.environment.event_types.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["user.created", "user.deleted"]);
}

#[test]
fn what_cannot_be_read_is_reported() {
    let records = records();
    let hidden = &records.applications[0].content.hidden;
    let found: Vec<_> = hidden.iter().map(|it| format!("{} {}", it.record, it.detail)).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("acme/des_1 it has a filter"), "{found:?}");
    assert!(found[1].starts_with("acme/des_2 its secret is hidden"), "{found:?}");
    assert!(found[2].contains("`aws_sqs`"), "{found:?}");
    assert!(records.environment.hidden[0].detail.contains("--profile"));
}
