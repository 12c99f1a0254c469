//! Settings of an organization, and import and export of event types.

use http::Method;
use postrider_server::ApplicationGrant;
use serde_json::{Value, json};

use crate::world::{ORGANIZATION, World, token};

const SETTINGS: &str = "/api/v1/management/environment-settings";
const IMPORT: &str = "/api/v1/event-type/import/openapi";

#[tokio::test(start_paused = true)]
async fn settings_are_replaced_changed_and_apply_to_one_organization() {
    let world = World::new();
    let default = json!({
        "enforceHttps": false,
        "requireEndpointChannel": false,
        "requireEndpointFilterTypes": false,
        "readOnly": false,
        "disableEndpointOnFailure": true,
        "endpointsPerAppLimit": null,
        "schemaValidation": "off",
    });
    assert_eq!(world.get(SETTINGS).await.expect(200), default);
    let changed = world.patch(SETTINGS, json!({ "enforceHttps": true })).await.expect(200);
    assert_eq!(changed["enforceHttps"], true);
    let changed = world.patch(SETTINGS, json!({ "endpointsPerAppLimit": 1 })).await.expect(200);
    assert_eq!(
        (&changed["enforceHttps"], &changed["endpointsPerAppLimit"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(world.get("/api/v1/environment/settings").await.expect(200), changed);
    let other = token(&world.engine, "org_other", None);
    let elsewhere = world.call_as(&other, Method::GET, SETTINGS, None).await.expect(200);
    assert_eq!(elsewhere, default);

    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoints = "/api/v1/app/a/endpoint";
    let error = world.post(endpoints, json!({ "url": "http://example.com" })).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "url"]));
    world.post(endpoints, json!({ "url": "https://example.com" })).await.expect(201);
    let error = world.post(endpoints, json!({ "url": "https://example.com" })).await.expect(422);
    assert!(error["detail"][0]["msg"].as_str().unwrap().contains("endpointsPerAppLimit"));

    let replaced = world.put(SETTINGS, json!({ "requireEndpointChannel": true })).await.expect(200);
    assert_eq!(replaced["enforceHttps"], false);
    let error = world.post(endpoints, json!({ "url": "http://example.com" })).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "channels"]));
    let error = world.put(SETTINGS, json!({ "showSvixBrandFooter": true })).await.expect(422);
    let message = error["detail"][0]["msg"].as_str().unwrap();
    assert_eq!(message, "cannot be set: the portal does not name its maker");
}

#[tokio::test(start_paused = true)]
async fn the_theme_of_the_portal_is_a_setting_that_applications_can_read() {
    let world = World::new();
    let palette = json!({ "primary": "#28bb93", "backgroundPrimary": "#fafafa" });
    let theme = json!({ "displayName": "Events of Acme", "colorPaletteLight": palette });
    world.patch(SETTINGS, theme).await.expect(200);
    let id = world.post("/api/v1/app", json!({ "name": "A" })).await.id();
    let own = token(&world.engine, ORGANIZATION, Some(ApplicationGrant::full(id.parse().unwrap())));
    let path = "/api/v1/environment/settings";
    let read = world.call_as(&own, Method::GET, path, None).await.expect(200);
    assert_eq!(
        (&read["displayName"], &read["colorPaletteLight"]),
        (&json!("Events of Acme"), &palette)
    );
    assert_eq!(read.get("customColor"), None);
    world.patch(SETTINGS, json!({ "displayName": null })).await.expect(200);
    let read = world.get(path).await.expect(200);
    assert_eq!((read.get("displayName"), &read["colorPaletteLight"]), (None, &palette));
}

#[tokio::test(start_paused = true)]
async fn applications_of_a_read_only_organization_change_nothing() {
    let world = World::new();
    let id = world.post("/api/v1/app", json!({ "name": "A" })).await.id();
    let own = token(&world.engine, ORGANIZATION, Some(ApplicationGrant::full(id.parse().unwrap())));
    let path = format!("/api/v1/app/{id}/endpoint");
    let endpoint = json!({ "url": "https://example.com" });
    world.call_as(&own, Method::POST, &path, Some(&endpoint)).await.expect(201);
    world.patch(SETTINGS, json!({ "readOnly": true })).await.expect(200);
    let error = world.call_as(&own, Method::POST, &path, Some(&endpoint)).await.expect(403);
    assert_eq!(error["detail"], "applications can only read (setting `readOnly`)");
    world.call_as(&own, Method::GET, &path, None).await.expect(200);
    world.post(&path, endpoint).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn an_exported_environment_can_be_imported_elsewhere() {
    let world = World::new();
    let event_type = json!({
        "name": "a.b", "description": "B", "schemas": { "1": { "type": "object" } },
        "featureFlags": ["beta"], "groupName": "a",
    });
    world.post("/api/v1/event-type", event_type).await.expect(201);
    world
        .post("/api/v1/event-type", json!({ "name": "a.c", "description": "C" }))
        .await
        .expect(201);
    world.delete("/api/v1/event-type/a.c").await.expect(204);
    world.patch(SETTINGS, json!({ "enforceHttps": true })).await.expect(200);
    let exported = world.post("/api/v1/environment/export", json!({})).await.expect(200);
    assert_eq!(exported["version"], 1);
    assert_eq!(exported["eventTypes"].as_array().unwrap().len(), 2);

    let other = token(&world.engine, "org_other", None);
    let call = async |method, path: &str, body: Option<&Value>| {
        world.call_as(&other, method, path, body).await
    };
    call(Method::POST, "/api/v1/environment/import", Some(&exported)).await.expect(204);
    let copy = call(Method::POST, "/api/v1/environment/export", None).await.expect(200);
    assert_eq!(copy["settings"], exported["settings"]);
    let essence = |environment: &Value| {
        let event_types = environment["eventTypes"].as_array().unwrap().iter();
        event_types
            .map(|it| (it["name"].clone(), it["schemas"].clone(), it["archived"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(essence(&copy), essence(&exported));

    let wrong = json!({
        "eventTypes": [{ "name": "x.y", "description": "" }, { "name": "not a name", "description": "" }],
    });
    let error = call(Method::POST, "/api/v1/environment/import", Some(&wrong)).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "eventTypes", "1", "name"]));
    call(Method::GET, "/api/v1/event-type/x.y", None).await.expect(404);
    let wrong = json!({ "connectors": [{}] });
    call(Method::POST, "/api/v1/environment/import", Some(&wrong)).await.expect(422);
    let wrong = json!({ "settings": { "enforceHttps": "yes" } });
    let error = call(Method::POST, "/api/v1/environment/import", Some(&wrong)).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "settings", "enforceHttps"]));
}

#[tokio::test(start_paused = true)]
async fn event_types_are_imported_from_an_openapi_document() {
    let world = World::new();
    let schema = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
    let body = json!({ "content": { "application/json": { "schema": schema } } });
    let spec = json!({
        "openapi": "3.1.0",
        "webhooks": { "pet.new": { "post": { "description": "A pet", "requestBody": body } } },
    });
    let dry = json!({ "spec": spec, "dryRun": true });
    let tried = world.post(IMPORT, dry.clone()).await.expect(200);
    let described = json!({
        "name": "pet.new", "description": "A pet", "deprecated": false, "schemas": { "1": schema },
    });
    assert_eq!(tried, json!({ "data": { "modified": [], "to_modify": [described] } }));
    world.get("/api/v1/event-type/pet.new").await.expect(404);

    let done = world.post(IMPORT, json!({ "spec": spec })).await.expect(200);
    assert_eq!(done, json!({ "data": { "modified": ["pet.new"] } }));
    let stored = world.get("/api/v1/event-type/pet.new").await.expect(200);
    assert_eq!(stored["schemas"], json!({ "1": schema }));
    let again = world.post(IMPORT, dry).await.expect(200);
    assert_eq!(again, json!({ "data": { "modified": [], "to_modify": [] } }));

    let yaml = "openapi: 3.1.0\nwebhooks:\n  pet.sold:\n    post:\n      summary: Sold\n";
    let only = json!({ "specRaw": yaml, "replaceAll": true });
    let done = world.post(IMPORT, only).await.expect(200);
    assert_eq!(done["data"]["modified"], json!(["pet.sold", "pet.new"]));
    assert_eq!(world.get("/api/v1/event-type/pet.new").await.expect(200)["archived"], true);
    world.post(IMPORT, json!({ "spec": spec })).await.expect(200);
    assert_eq!(world.get("/api/v1/event-type/pet.new").await.expect(200)["archived"], false);

    let document = world.post("/api/v1/event-type/export/openapi", json!({})).await.expect(200);
    assert_eq!(document["webhooks"]["pet.sold"]["post"]["description"], "Sold");
    let again = world.post(IMPORT, json!({ "spec": document, "dryRun": true })).await.expect(200);
    assert_eq!(again["data"]["to_modify"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_cannot_be_imported_is_refused_with_the_place() {
    let world = World::new();
    world.post(IMPORT, json!({})).await.expect(400);
    world.post(IMPORT, json!({ "spec": {}, "specRaw": "a" })).await.expect(400);
    let check = async |body: Value, place: Value, message: &str| {
        let error = world.post(IMPORT, body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], place);
        let found = error["detail"][0]["msg"].as_str().unwrap();
        assert!(found.starts_with(message), "{found}");
    };
    let nothing = "has neither webhooks";
    check(json!({ "spec": {} }), json!(["body", "spec"]), nothing).await;
    let no_yaml = "is neither YAML nor JSON of an object: ";
    check(json!({ "specRaw": "a: [" }), json!(["body", "specRaw"]), no_yaml).await;
    let wrong = json!({ "spec": { "webhooks": { "a": {} } } });
    check(wrong, json!(["body", "spec", "webhooks", "a"]), "has no operation").await;
    let schema = json!({ "type": "nothing" });
    let body = json!({ "content": { "application/json": { "schema": schema } } });
    let wrong = json!({ "spec": { "webhooks": { "a": { "post": { "requestBody": body } } } } });
    let place = json!(["body", "spec", "webhooks", "a", "schemas", "1"]);
    check(wrong, place, "is not a valid JSON schema").await;
}
