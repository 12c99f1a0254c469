//! Sources with the official Rust client.

use svix::{
    Svix,
    models::{
        CronConfig, GithubConfig, IngestEndpointHeadersIn, IngestEndpointIn,
        IngestEndpointSecretIn, IngestEndpointTransformationPatch, IngestEndpointUpsertIn,
        IngestSourceConsumerPortalAccessIn, IngestSourceIn, IngestSourceInConfig,
        IngestSourceOutConfig, MetaConfig, SvixConfig, TelnyxConfig,
    },
};

use super::{receiver::Receiver, refused};

fn uid() -> String {
    "rust".to_owned()
}

fn main_endpoint() -> String {
    "main".to_owned()
}

fn source(config: IngestSourceInConfig) -> IngestSourceIn {
    IngestSourceIn { name: "Rust".to_owned(), uid: None, metadata: None, config }
}

pub(crate) async fn set_up_and_take_down(svix: &Svix, receiver: &Receiver) {
    every_type(svix).await;
    one_source(svix).await;
    its_endpoint(svix, receiver).await;
    let sources = svix.ingest().source();
    let access = IngestSourceConsumerPortalAccessIn { expiry: None, read_only: Some(true) };
    let authentication = svix.ingest().authentication();
    let access = authentication.consumer_portal_access(uid(), access, None).await.unwrap();
    assert!(access.url.contains("#key="));
    sources.delete(uid()).await.unwrap();
    refused(404, sources.get(uid()).await);
}

/// Creates a source of each type and reads it back.
async fn every_type(svix: &Svix) {
    let sources = svix.ingest().source();
    let key = "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=".to_owned();
    let types = [
        IngestSourceInConfig::GenericWebhook,
        IngestSourceInConfig::Beehiiv(SvixConfig::new("whsec_c2VjcmV0".to_owned())),
        IngestSourceInConfig::OpenAi(SvixConfig::new("whsec_c2VjcmV0".to_owned())),
        IngestSourceInConfig::Meta(MetaConfig::new("s".to_owned(), "v".to_owned())),
        IngestSourceInConfig::Telnyx(TelnyxConfig::new(key.clone())),
    ];
    for config in types {
        let wanted = serde_json::to_value(&config).unwrap()["type"].clone();
        let made = sources.create(source(config), None).await.unwrap();
        assert_eq!(serde_json::to_value(&made.config).unwrap()["type"], wanted);
        if let IngestSourceOutConfig::Telnyx(telnyx) = &made.config {
            assert_eq!(telnyx.public_key, key);
        }
        sources.delete(made.id).await.unwrap();
    }
    let cron = CronConfig::new("x".to_owned(), "* * * * *".to_owned());
    refused(422, sources.create(source(IngestSourceInConfig::Cron(cron)), None).await);
}

async fn one_source(svix: &Svix) {
    let sources = svix.ingest().source();
    let config = GithubConfig { secret: Some("s".to_owned()) };
    let config = IngestSourceInConfig::Github(config);
    let wanted = IngestSourceIn { uid: Some(uid()), ..source(config) };
    let made = sources.create(wanted.clone(), None).await.unwrap();
    assert!(made.id.starts_with("src_") && made.ingest_url.unwrap().contains("/in/"));
    refused(409, sources.create(wanted.clone(), None).await);
    let renamed = IngestSourceIn { name: "Rust 2".to_owned(), ..wanted };
    let replaced = sources.upsert(uid(), renamed).await.unwrap();
    assert_eq!((&replaced.id, &*replaced.name), (&made.id, "Rust 2"));
    let rotated = sources.rotate_token(uid(), None).await.unwrap();
    let shown = sources.get(uid()).await.unwrap();
    assert_eq!(shown.ingest_url, Some(rotated.ingest_url));
    assert_eq!(sources.list(None).await.unwrap().data, [shown]);
}

async fn its_endpoint(svix: &Svix, receiver: &Receiver) {
    let endpoints = svix.ingest().endpoint();
    let endpoint = IngestEndpointIn {
        uid: Some(main_endpoint()),
        ..IngestEndpointIn::new(receiver.url("main"))
    };
    let made = endpoints.create(uid(), endpoint, None).await.unwrap();
    assert_eq!(endpoints.list(uid(), None).await.unwrap().data, [made.clone()]);
    let update = IngestEndpointUpsertIn {
        uid: Some(main_endpoint()),
        ..IngestEndpointUpsertIn::new(receiver.url("main"))
    };
    let replaced = endpoints.upsert(uid(), main_endpoint(), update).await.unwrap();
    assert_eq!(endpoints.get(uid(), main_endpoint()).await.unwrap().id, replaced.id);
    let old = endpoints.get_secret(uid(), main_endpoint()).await.unwrap().key;
    let rotate = IngestEndpointSecretIn::new();
    endpoints.rotate_secret(uid(), main_endpoint(), rotate, None).await.unwrap();
    assert_ne!(endpoints.get_secret(uid(), main_endpoint()).await.unwrap().key, old);
    let headers = IngestEndpointHeadersIn::new([("x-a".to_owned(), "1".to_owned())].into());
    endpoints.set_headers(uid(), main_endpoint(), headers.clone()).await.unwrap();
    let shown = endpoints.get_headers(uid(), main_endpoint()).await.unwrap();
    assert_eq!(shown.headers, headers.headers);
    let transformation = endpoints.transformation();
    assert_eq!(transformation.get(uid(), main_endpoint()).await.unwrap().code, None);
    let patch = IngestEndpointTransformationPatch {
        enabled: Some(true),
        ..IngestEndpointTransformationPatch::new()
    };
    refused(422, transformation.patch(uid(), main_endpoint(), patch).await);
    endpoints.delete(uid(), main_endpoint()).await.unwrap();
}
