use super::*;

fn connections() -> Vec<Value> {
    let page: Value = serde_json::from_str(include_str!("fixtures/connections.json")).unwrap();
    items(&page["models"]).to_vec()
}

#[test]
fn sources_become_applications_and_destinations_endpoints() {
    let records = convert(&connections(), Some("project-secret"));
    let uids: Vec<_> = records.applications.iter().map(|it| it.application.uid.as_str()).collect();
    assert_eq!(uids, ["stripe", "shopify"]);
    let [first, second] = records.applications[0].content.endpoints.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!((first.uid.as_str(), first.url.as_str()), ("web_1", "https://api.example/stripe"));
    assert_eq!(first.rate_limit, Some(2));
    assert_eq!(first.more["signing"], json!({ "profile": "hookdeck" }));
    assert_eq!(first.secrets[0].key, "project-secret");
    assert_eq!(second.headers["Authorization"], "Bearer sesame");
    assert_eq!(second.more["paused"], true);
    assert!(second.secrets.is_empty());
    assert!(records.applications[1].content.endpoints.is_empty(), "a CLI has no URL");
}

#[test]
fn what_cannot_be_read_is_reported() {
    let records = convert(&connections(), None);
    let hidden = &records.applications[0].content.hidden;
    let details: Vec<_> = hidden.iter().map(|it| it.detail.as_str()).collect();
    assert_eq!(details.len(), 3, "{details:?}");
    assert!(details[0].contains("create a source"), "{details:?}");
    assert!(details[1].contains("has a filter"), "{details:?}");
    assert!(details[2].contains("--signing-secret"), "{details:?}");
    let custom = json!({ "source": { "name": "a" }, "id": "web_1", "destination": { "config": {
        "url": "https://example.com", "auth_type": "CUSTOM_SIGNATURE",
        "auth": { "key": "X-Mine", "signing_secret": "s" } } } });
    let records = convert(&[custom], None);
    let endpoint = &records.applications[0].content.endpoints[0];
    let json = endpoint.more["signing"]["model"].to_string();
    postrider::provider::profile::SigningModel::from_json(&json).unwrap();
    assert_eq!(endpoint.secrets[0].key, "s");
}
