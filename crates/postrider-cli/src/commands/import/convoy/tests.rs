use super::*;

fn project() -> Project {
    let data = |json: &str| serde_json::from_str::<Value>(json).unwrap()["data"].take();
    Project {
        record: data(include_str!("fixtures/project.json")),
        endpoints: listed(&data(include_str!("fixtures/endpoints.json"))).to_vec(),
        subscriptions: listed(&data(include_str!("fixtures/subscriptions.json"))).to_vec(),
        event_types: listed(&data(include_str!("fixtures/event_types.json"))).to_vec(),
    }
}

#[test]
fn owners_become_applications_with_their_endpoints() {
    let records = convert(&project());
    let uids: Vec<_> = records.applications.iter().map(|it| it.application.uid.as_str()).collect();
    assert_eq!(uids, ["acme", "project-1"], "an endpoint without an owner belongs to the project");
    let endpoint = &records.applications[0].content.endpoints[0];
    assert_eq!(
        (endpoint.uid.as_str(), endpoint.url.as_str()),
        ("endpoint-1", "https://acme.example/hook")
    );
    assert_eq!(endpoint.rate_limit, Some(84));
    assert_eq!(endpoint.more["signing"], json!({ "profile": "convoy-advanced" }));
    let keys: Vec<_> = endpoint.secrets.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["new-secret", "old-secret"]);
    assert!(endpoint.secrets[1].expires_at.is_some());
    assert_eq!(endpoint.headers["X-Api-Key"], "sesame");
    let types = endpoint.event_types.as_deref().unwrap_or_default();
    assert_eq!(types, ["invoice.created", "invoice.paid"], "those of both subscriptions");
    let names: Vec<_> = records.environment.event_types.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["invoice.created", "invoice.paid"]);
}

#[test]
fn what_cannot_be_read_is_reported() {
    let records = convert(&project());
    let content = &records.applications[1].content;
    let endpoint = &content.endpoints[0];
    assert!(endpoint.disabled && endpoint.secrets.is_empty());
    let details: Vec<_> = content.hidden.iter().map(|it| it.detail.as_str()).collect();
    assert_eq!(details.len(), 3, "{details:?}");
    assert!(details[0].contains("its secret is hidden"), "{details:?}");
    assert!(details[1].contains("no subscription"), "{details:?}");
    assert!(details[2].contains("OAuth"), "{details:?}");
}

#[test]
fn a_project_that_signs_differently_has_a_custom_model() {
    let config = json!({ "header": "X-Acme-Signature",
                         "versions": [{ "hash": "SHA512", "encoding": "base64" }] });
    for (is_advanced, content) in [(false, "{body}"), (true, "{timestamp},{body}")] {
        let (signing, note) = signing::of(is_advanced, &config);
        assert_eq!((&signing["profile"], note), (&json!("custom"), None));
        let json = signing["model"].to_string();
        let model = postrider::provider::profile::SigningModel::from_json(&json).unwrap();
        let signature = model.sign.signature().unwrap();
        assert_eq!(signature.signature.to_string(), "header:x-acme-signature");
        assert_eq!(signature.content.to_string(), content);
    }
    let two = json!({ "versions": [{}, {}] });
    assert_eq!(signing::of(false, &two).0, json!({ "profile": "convoy" }));
    assert_eq!(signing::of(true, &two).0["model"]["sign"]["parse"]["key"], "v2");
    assert!(signing::of(true, &two).1.is_some());
}

#[test]
fn durations_are_numbers_or_texts() {
    for (duration, expected) in [
        (json!(60), 60),
        (json!("1m0s"), 60),
        (json!("1h2m3s"), 3_723),
        (json!("90"), 90),
        (json!(null), 0),
    ] {
        assert_eq!(seconds(&duration), expected, "{duration}");
    }
}
