use std::collections::BTreeMap;

use postrider_core::catalog::{Application, AtRest, Ordering, SealedSecret, Source};
use postrider_store::{Expected, IdOrUid, MemoryStore, Records};

use super::*;

const ORGANIZATION: &str = "org_a";

fn directory(store: &Arc<MemoryStore>, applications: usize, sources: usize) -> Directory {
    let limits = Limits {
        remembered_applications: applications,
        remembered_sources: sources,
        ..Limits::default()
    };
    let store = Arc::clone(store) as Arc<dyn Store>;
    let agent = HeaderValue::from_static("test");
    Directory::new(store, Vault::new("main"), SignatureHeaders::Standard, agent, &limits)
}

fn application(number: u128, uid: Option<&str>) -> Application {
    Application {
        managed_by: None,
        id: ApplicationId::from_u128(number),
        organization: ORGANIZATION.parse().unwrap(),
        uid: uid.map(|it| it.parse().unwrap()),
        name: String::new(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: ApplicationMode::Live,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

fn endpoint(application: u128, number: u128) -> Endpoint {
    Endpoint {
        managed_by: None,
        id: EndpointId::from_u128(number),
        application: ApplicationId::from_u128(application),
        uid: None,
        kind: postrider::api::EndpointKind::Http,
        config: AtRest::default(),
        url: "https://example.com/".to_owned(),
        description: String::new(),
        event_types: None,
        channels: None,
        headers: AtRest::default(),
        metadata: BTreeMap::new(),
        disabled: false,
        throttle_rate: None,
        strict_rate: false,
        transformation: None,
        filter: None,
        ordering: Ordering::Any,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: postrider_core::catalog::Authentication::default(),
        secret: SealedSecret(Vec::new()),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: postrider_core::retry::AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        signing: None,
        retired_secrets: Vec::new(),
        disablement: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

fn source(application: u128, number: u8) -> Source {
    Source {
        managed_by: None,
        id: postrider::SourceId::from_u128(number.into()),
        organization: ORGANIZATION.parse().unwrap(),
        application: ApplicationId::from_u128(application),
        owns_application: false,
        uid: None,
        name: String::new(),
        kind: String::new(),
        provider: String::new(),
        model: None,
        is_open: true,
        disabled: false,
        metadata: BTreeMap::new(),
        token: SealedSecret(Vec::new()),
        token_digest: [number; 32],
        secrets: Vec::new(),
        parameters: BTreeMap::new(),
        public_url: None,
        response: None,
        dedupe_window: std::time::Duration::ZERO,
        dedupe_by_body: false,
        tolerance: None,
        max_body: None,
        forward_headers: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

async fn save(store: &MemoryStore, application: Application, create: bool) {
    store.save(&application, if create { Expected::New } else { Expected::Any }).await.unwrap();
}

async fn named(directory: &Directory, uid: &str) -> Option<ApplicationId> {
    let organization = ORGANIZATION.parse().unwrap();
    let uid = IdOrUid::Uid(uid.parse().unwrap());
    directory.find(&organization, &uid).await.unwrap().map(|it| it.application.id)
}

#[tokio::test]
async fn evicted_applications_are_read_again() {
    let store = Arc::new(MemoryStore::default());
    for number in 0..500 {
        save(&store, application(number, Some(&format!("app-{number}"))), true).await;
        store.save(&endpoint(number, number), Expected::New).await.unwrap();
    }
    let directory = directory(&store, 200, 20);
    for _ in 0..3 {
        for number in 0..500 {
            let id = ApplicationId::from_u128(number);
            let entry = directory.entry(id).await.unwrap().unwrap();
            assert_eq!((entry.application.id, entry.endpoints.len()), (id, 1));
            assert_eq!(named(&directory, &format!("app-{number}")).await, Some(id));
        }
    }
    let known = (0..500).filter(|it| directory.known(ApplicationId::from_u128(*it)).is_some());
    let known = known.count();
    assert!((50..=100).contains(&known), "{known}: endpoints are not counted");
}

#[tokio::test]
async fn a_uid_finds_the_application_that_has_it_now() {
    let store = Arc::new(MemoryStore::default());
    save(&store, application(1, Some("shop")), true).await;
    let directory = directory(&store, 100, 100);
    let (first, second) = (ApplicationId::from_u128(1), ApplicationId::from_u128(2));
    assert_eq!(named(&directory, "shop").await, Some(first));
    save(&store, application(1, Some("old-shop")), false).await;
    directory.refresh(first).await.unwrap();
    assert_eq!(named(&directory, "shop").await, None);
    save(&store, application(2, Some("shop")), true).await;
    directory.refresh(second).await.unwrap();
    assert_eq!(named(&directory, "shop").await, Some(second));
    assert_eq!(named(&directory, "old-shop").await, Some(first));
    store.remove::<Application>(&ORGANIZATION.parse().unwrap(), &second).await.unwrap();
    assert!(directory.refresh(second).await.unwrap().is_none());
    assert_eq!(named(&directory, "shop").await, None);
}

#[tokio::test]
async fn an_application_is_only_found_by_its_own_organization() {
    let store = Arc::new(MemoryStore::default());
    save(&store, application(1, Some("shop")), true).await;
    let directory = directory(&store, 100, 100);
    let other = "org_b".parse().unwrap();
    let id = ApplicationId::from_u128(1);
    for named in [IdOrUid::Id(id), IdOrUid::Uid("shop".parse().unwrap())] {
        assert!(directory.find(&other, &named).await.unwrap().is_none());
        let own = ORGANIZATION.parse().unwrap();
        assert!(directory.find(&own, &named).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_entry_from_before_a_change_is_not_current() {
    let store = Arc::new(MemoryStore::default());
    for number in 1..=19 {
        save(&store, application(number, None), true).await;
    }
    let directory = directory(&store, 16, 1);
    let id = ApplicationId::from_u128(1);
    let old = directory.entry(id).await.unwrap().unwrap();
    let displace = async || {
        // What is asked for again and again displaces what is not.
        for number in (2..=19).cycle().take(200) {
            directory.entry(ApplicationId::from_u128(number)).await.unwrap();
        }
        assert!(directory.known(id).is_none());
    };
    displace().await;
    assert!(Arc::ptr_eq(&directory.current(&old).unwrap(), &old), "nothing was changed");
    save(&store, Application { throttle_rate: Some(1), ..application(1, None) }, false).await;
    let new = directory.refresh(id).await.unwrap().unwrap();
    assert!(directory.current(&old).is_none_or(|it| Arc::ptr_eq(&it, &new)));
    displace().await;
    assert!(directory.current(&old).is_none());
    assert!(Arc::ptr_eq(&directory.current(&new).unwrap(), &new));
    directory.forget_all();
    assert!(directory.current(&new).is_none());
}

#[tokio::test]
async fn sources_are_bounded_and_follow_changes_of_their_application() {
    let store = Arc::new(MemoryStore::default());
    for number in 0..4 {
        save(&store, application(number, None), true).await;
    }
    for number in 0..40 {
        let source = source(u128::from(number % 4), number);
        store.save(&source, Expected::New).await.unwrap();
    }
    let directory = directory(&store, 100, 10);
    let listed = || -> usize {
        let sources = directory.sources.read().unwrap();
        sources.listed()
    };
    for number in 0..40 {
        assert!(directory.source([number; 32]).await.unwrap().is_some());
        assert!(listed() <= 10);
    }
    assert!(directory.source([99; 32]).await.unwrap().is_none());
    assert!(directory.known_source(&[39; 32]).is_some());
    let disabled = Source { disabled: true, ..source(3, 39) };
    store.save(&disabled, Expected::Any).await.unwrap();
    directory.refresh(ApplicationId::from_u128(3)).await.unwrap();
    assert!(directory.source([39; 32]).await.unwrap().unwrap().source.disabled);
}
