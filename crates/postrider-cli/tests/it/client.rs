//! The library's typed client against the real server.

use jiff::Timestamp;
use postrider::{
    api::{
        AppPortalAccessIn, ApplicationIn, ApplicationPatch, EndpointHeadersIn,
        EndpointHeadersPatchIn, EndpointIn, EndpointPatch, EndpointSecretRotateIn, EndpointUpdate,
        EventExampleIn, EventTypeIn, EventTypePatch, EventTypeUpdate, MessageStatus, Ordering,
        Patch, RecoverIn,
        ingest::{
            IngestSourceConsumerPortalAccessIn, IngestSourceIn, IngestSourcePatch,
            SourceSecretRotateIn,
        },
    },
    client::{AttemptQuery, Client, Error, EventTypeQuery, MessageQuery, Page},
    provider::{self, UnsignedRequest},
};
use serde_json::json;

use crate::{receiver::Receiver, server::Server};

fn client(server: &Server) -> Client {
    Client::new(&server.url, &server.token).unwrap()
}

fn named(name: &str, uid: &str) -> ApplicationIn {
    ApplicationIn { name: name.into(), uid: Some(uid.into()), ..ApplicationIn::default() }
}

#[tokio::test]
async fn applications_are_created_changed_listed_and_deleted() {
    let server = Server::start();
    let client = client(&server);
    client.health().await.unwrap();
    let applications = client.application();
    let acme = applications.create(&named("Acme", "acme")).await.unwrap();
    assert_eq!(applications.get_or_create(&named("Other", "acme")).await.unwrap().id, acme.id);
    assert_eq!(applications.get("acme").await.unwrap(), acme);
    assert_eq!(applications.usage("acme").await.unwrap().endpoints.used, 0);
    let renamed = applications.update("acme", &named("Acme Ltd", "acme")).await.unwrap();
    assert_eq!((renamed.id, renamed.name.as_str()), (acme.id, "Acme Ltd"));
    let patch = ApplicationPatch { uid: Patch::Clear, ..ApplicationPatch::default() };
    let id = acme.id.to_string();
    assert_eq!(applications.patch(&id, &patch).await.unwrap().uid, None);
    applications.create(&named("Second", "second")).await.unwrap();
    let first = Page { limit: Some(1), order: Some(Ordering::Descending), ..Page::default() };
    let page = applications.list(&first).await.unwrap();
    assert_eq!((page.data[0].name.as_str(), page.done), ("Second", false));
    let rest = applications.list(&Page { iterator: page.iterator, ..first }).await.unwrap();
    assert_eq!(rest.data[0].id, acme.id);
    applications.delete(&id).await.unwrap();
    let gone = applications.get(&id).await.unwrap_err();
    assert_eq!(gone.status().unwrap().as_u16(), 404);
    assert!(!gone.is_transient());
}

#[tokio::test]
async fn endpoints_have_secrets_headers_and_counts() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    let client = client(&server);
    client.application().create(&named("Acme", "acme")).await.unwrap();
    let endpoints = client.endpoint("acme");
    let url = receiver.url("hook");
    let wanted = EndpointIn { url: url.clone(), uid: Some("main".into()), ..EndpointIn::default() };
    let endpoint = endpoints.create(&wanted).await.unwrap();
    let listed = endpoints.list(&Page::default()).await.unwrap().data;
    assert_eq!(listed.as_slice(), std::slice::from_ref(&endpoint));
    let secret = endpoints.secret("main").await.unwrap().key;
    endpoints.rotate_secret("main", &EndpointSecretRotateIn::default()).await.unwrap();
    assert_ne!(endpoints.secret("main").await.unwrap().key, secret);
    let headers = [("x-one".to_owned(), "1".to_owned())].into();
    endpoints.set_headers("main", &EndpointHeadersIn { headers }).await.unwrap();
    let headers = [("x-two".to_owned(), Some("2".to_owned()))].into();
    let patch = EndpointHeadersPatchIn { headers, ..EndpointHeadersPatchIn::default() };
    endpoints.patch_headers("main", &patch).await.unwrap();
    assert_eq!(endpoints.headers("main").await.unwrap().headers.len(), 2);
    let event_types = client.event_type();
    let event_type = EventTypeIn { name: "invoice.paid".into(), ..EventTypeIn::default() };
    event_types.create(&event_type).await.unwrap();
    let event_type = "invoice.paid".to_owned();
    let payload = serde_json::value::to_raw_value(&json!({ "n": 1 })).unwrap();
    let example = EventExampleIn { event_type, example_index: None, payload: Some(payload) };
    let sent = endpoints.send_example("main", &example).await.unwrap();
    let calls = receiver.until("hook", |calls| !calls.is_empty()).await;
    assert_eq!((calls[0].id(), calls[0].header("x-two")), (sent.id.to_string().as_str(), "2"));
    let since = Timestamp::UNIX_EPOCH;
    let recovery = RecoverIn { since, until: None, retry: false };
    endpoints.recover("main", &recovery).await.unwrap();
    endpoints.stats("main", None, None).await.unwrap();
    let off = EndpointPatch { disabled: Some(true), ..EndpointPatch::default() };
    assert!(endpoints.patch("main", &off).await.unwrap().disabled);
    let update = EndpointUpdate { url, uid: Some("main".into()), ..EndpointUpdate::default() };
    assert!(!endpoints.update("main", &update).await.unwrap().disabled);
    assert_eq!(endpoints.get("main").await.unwrap().id, endpoint.id);
    endpoints.delete("main").await.unwrap();
}

#[tokio::test]
async fn messages_and_their_attempts_can_be_read() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    let client = client(&server);
    client.application().create(&named("Acme", "acme")).await.unwrap();
    let wanted = EndpointIn { url: receiver.url("hook"), ..EndpointIn::default() };
    let endpoint = client.endpoint("acme").create(&wanted).await.unwrap().id.to_string();
    let once = client.with_idempotency_key("k1").unwrap();
    let sent = once.message("acme").publish("invoice.paid", &json!({ "n": 1 })).await.unwrap();
    let again = once.message("acme").publish("invoice.paid", &json!({ "n": 1 })).await.unwrap();
    assert_eq!(sent.id, again.id);
    receiver.until("hook", |calls| !calls.is_empty()).await;
    let messages = client.message("acme");
    let id = sent.id.to_string();
    assert_eq!(messages.get(&id).await.unwrap().payload.get(), r#"{"n":1}"#);
    let query =
        MessageQuery { event_types: vec!["invoice.paid".into()], ..MessageQuery::default() };
    assert_eq!(messages.list(&query).await.unwrap().data.len(), 1);
    let attempts = client.attempt("acme");
    let good = AttemptQuery { status: Some(MessageStatus::Success), ..AttemptQuery::default() };
    let found = attempts.list_by_message(&id, &good).await.unwrap().data;
    let found = if found.is_empty() { settled(&client, &id).await } else { found };
    let attempt = found[0].id.to_string();
    assert_eq!(attempts.list_by_endpoint(&endpoint, &good).await.unwrap().data.len(), 1);
    assert_eq!(attempts.get(&id, &attempt).await.unwrap().response_status_code, 200);
    assert_eq!(attempts.list_messages(&endpoint, &Page::default()).await.unwrap().data.len(), 1);
    assert_eq!(attempts.list_destinations(&id, &Page::default()).await.unwrap().data.len(), 1);
    attempts.resend(&id, &endpoint).await.unwrap();
    receiver.until("hook", |calls| calls.len() == 2).await;
    attempts.expunge_content(&id, &attempt).await.unwrap();
    messages.expunge_content(&id).await.unwrap();
}

/// Waits for the attempts, which are recorded after the receiver got the request.
async fn settled(client: &Client, id: &str) -> Vec<postrider::api::MessageAttemptOut> {
    let good = AttemptQuery { status: Some(MessageStatus::Success), ..AttemptQuery::default() };
    let deadline = tokio::time::Instant::now() + crate::server::MAX_WAIT;
    loop {
        let found = client.attempt("acme").list_by_message(id, &good).await.unwrap().data;
        if !found.is_empty() {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "the attempt is not recorded");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn event_types_are_archived_and_deleted() {
    let server = Server::start();
    let client = client(&server);
    let event_types = client.event_type();
    let event_type = EventTypeIn { name: "invoice.paid".into(), ..EventTypeIn::default() };
    event_types.create(&event_type).await.unwrap();
    let described = EventTypeUpdate { description: "Paid".into(), ..EventTypeUpdate::default() };
    event_types.update("invoice.paid", &described).await.unwrap();
    let patch = EventTypePatch { deprecated: Some(true), ..EventTypePatch::default() };
    assert!(event_types.patch("invoice.paid", &patch).await.unwrap().deprecated);
    event_types.archive("invoice.paid").await.unwrap();
    assert!(event_types.get("invoice.paid").await.unwrap().archived);
    let all = EventTypeQuery { include_archived: Some(true), ..EventTypeQuery::default() };
    assert_eq!(event_types.list(&all).await.unwrap().data.len(), 1);
    event_types.expunge("invoice.paid").await.unwrap();
    assert!(event_types.list(&all).await.unwrap().data.is_empty());
}

#[tokio::test]
async fn sources_are_created_used_and_deleted() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    let client = client(&server);
    let sources = client.source();
    let wanted: IngestSourceIn = serde_json::from_value(json!({
        "name": "GitHub", "uid": "hub", "type": "github", "config": { "secret": "s1" },
    }))
    .unwrap();
    let source = sources.create(&wanted).await.unwrap();
    assert_eq!(sources.list(&Page::default()).await.unwrap().data[0].id, source.id);
    let endpoint = EndpointIn { url: receiver.url("hook"), ..EndpointIn::default() };
    client.endpoint(&source.app_id.to_string()).create(&endpoint).await.unwrap();
    let rotation: SourceSecretRotateIn = serde_json::from_value(json!({ "secret": "s2" })).unwrap();
    sources.rotate_secret("hub", &rotation).await.unwrap();
    assert_eq!(sources.secrets("hub").await.unwrap().secrets.len(), 2);
    let url = sources.rotate_token("hub").await.unwrap().ingest_url;
    for (secret, status) in [("s1", 200), ("s2", 200), ("s3", 401)] {
        assert_eq!(post_as_github(&url, secret).await, status, "signed with {secret}");
    }
    receiver.until("hook", |calls| calls.len() == 2).await;
    let deadline = tokio::time::Instant::now() + crate::server::MAX_WAIT;
    // Rejected requests are recorded after the response.
    while sources.log("hub", &Page::default()).await.unwrap().data.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the rejected request is not listed");
    }
    let rename: IngestSourcePatch = serde_json::from_value(json!({ "name": "Hub" })).unwrap();
    assert_eq!(sources.patch("hub", &rename).await.unwrap().name, "Hub");
    assert_eq!(sources.upsert("hub", &wanted).await.unwrap().name, "GitHub");
    assert_eq!(sources.get("hub").await.unwrap().id, source.id);
    sources.dashboard("hub", &IngestSourceConsumerPortalAccessIn::default()).await.unwrap();
    sources.delete("hub").await.unwrap();
    assert_eq!(post_as_github(&url, "s2").await, 404);
}

/// Posts an event, signed as GitHub does; returns the status of the response.
async fn post_as_github(url: &str, secret: &str) -> u16 {
    let github = provider::find("github").unwrap();
    let event_id = Some(format!("delivery-{secret}"));
    let body = format!(r#"{{"of": "{secret}"}}"#).into_bytes();
    let draft = UnsignedRequest { url: url.into(), event_id, body, ..UnsignedRequest::default() };
    let settings = provider::Settings::new([secret]);
    let signed = provider::sign(github, &settings, draft, 1_700_000_000).unwrap();
    let mut request = http::Request::post(url);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let request = request.body(http_body_util::Full::new(bytes::Bytes::from(signed.body))).unwrap();
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    client.build_http().request(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn errors_contain_the_servers_message() {
    let server = Server::start();
    let good = client(&server);
    good.application().create(&named("Acme", "acme")).await.unwrap();
    let conflict = good.application().create(&named("Acme", "acme")).await.unwrap_err();
    assert!(matches!(&conflict, Error::Refused { code, .. } if code == "conflict"), "{conflict}");
    let nameless = good.application().create(&named("", "no name")).await.unwrap_err();
    let Error::Invalid(items) = &nameless else { panic!("{nameless}") };
    assert!(items.iter().any(|it| it.loc == ["body", "uid"]), "{nameless}");
    let stranger = Client::new(&server.url, "nonsense").unwrap();
    let refused = stranger.application().list(&Page::default()).await.unwrap_err();
    assert_eq!(refused.status().unwrap().as_u16(), 401);
    let unused_port = Client::new("http://127.0.0.1:9", &server.token).unwrap();
    let unreachable = unused_port.health().await.unwrap_err();
    assert!(matches!(unreachable, Error::Unreachable { .. }) && unreachable.is_transient());
    assert!(Client::new("ftp://example.com", "t").is_err());
    let access = AppPortalAccessIn::default();
    let access = good.authentication().app_portal_access("acme", &access).await.unwrap();
    let customer = Client::new(&server.url, &access.token).unwrap();
    customer.endpoint("acme").list(&Page::default()).await.unwrap();
    customer.authentication().logout().await.unwrap();
    let ended = customer.endpoint("acme").list(&Page::default()).await.unwrap_err();
    assert_eq!(ended.status().unwrap().as_u16(), 401);
}

#[tokio::test]
async fn an_id_that_would_change_the_path_is_not_sent() {
    let server = Server::start();
    let client = client(&server);
    client.application().create(&named("Acme", "acme")).await.unwrap();
    for name in ["..", ".", "...", ""] {
        let refused = client.endpoint("acme").delete(name).await.unwrap_err();
        assert!(matches!(&refused, Error::Path(it) if it == name), "{refused}");
        assert!(!refused.is_transient());
    }
    for name in ["%2e%2e", "../..", "a/../.."] {
        let refused = client.endpoint("acme").delete(name).await.unwrap_err();
        assert_eq!(refused.status().unwrap().as_u16(), 422, "{name}");
    }
    client.application().get("acme").await.unwrap();
}
