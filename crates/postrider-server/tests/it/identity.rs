//! The events of every provider are distinguished as its documentation defines it, and their
//! repetitions are recognized.

use std::{collections::BTreeMap, time::Duration};

use http::Request;
use postrider::provider::{
    self, Expression, KeyFormat, Provider, Scheme, Selector, Settings, SignedRequest,
    UnsignedRequest, sample,
};
use postrider_core::catalog::{Source, SourceSecret};
use postrider_store::{Expected, Records};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::world::{ORGANIZATION, Reply, World, application_id};

/// Providers for which two identical requests are two events: nothing in them identifies a
/// repetition, or a repetition was requested.
const NEVER_REPEATED: [&str; 8] = [
    "dropbox",
    "github",
    "gitlab",
    "gitlab-signing-token",
    "huggingface",
    "nango",
    "sharepoint",
    "vapi",
];

/// Two events that are different according to the provider's documentation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    why: String,
    /// The sample that both are made from.
    event: String,
    /// What is changed in both.
    #[serde(default)]
    both: Change,
    /// What is changed in the second.
    second: Change,
    /// The second is signed a second later.
    #[serde(default)]
    later: bool,
    /// The id of the second, where it is put into the signature.
    id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Change {
    json: Map<String, Value>,
    form: Map<String, Value>,
    headers: BTreeMap<String, String>,
    text: BTreeMap<String, String>,
}

impl Change {
    fn apply(&self, provider: &Provider, draft: &mut UnsignedRequest) {
        for (name, value) in &self.headers {
            put_header(provider, draft, name, value);
        }
        if !self.json.is_empty() {
            let mut body: Value = serde_json::from_slice(&draft.body).unwrap();
            self.json.iter().for_each(|(path, value)| put(&mut body, path, value));
            draft.body = body.to_string().into_bytes();
        }
        let mut form: Vec<(String, String)> =
            form_urlencoded::parse(&draft.body).into_owned().collect();
        if !self.form.is_empty() {
            self.form.iter().for_each(|(name, value)| put_field(&mut form, name, value));
            let mut body = form_urlencoded::Serializer::new(String::new());
            draft.body = body.extend_pairs(form).finish().into_bytes();
        }
        for (old, new) in &self.text {
            let body = String::from_utf8(draft.body.clone()).unwrap();
            assert!(body.contains(old), "{old} is not in {body}");
            draft.body = body.replace(old, new).into_bytes();
        }
    }
}

fn put(document: &mut Value, path: &str, value: &Value) {
    let (step, rest) = path.split_once('.').map_or((path, None), |(it, rest)| (it, Some(rest)));
    let inner = if document.is_array() {
        &mut document[step.parse::<usize>().unwrap()]
    } else {
        &mut document[step]
    };
    match rest {
        Some(rest) => put(inner, rest, value),
        None => *inner = value.clone(),
    }
}

/// `field`, or `field.path` into the JSON that it holds.
fn put_field(form: &mut Vec<(String, String)>, name: &str, value: &Value) {
    let (name, path) = name.split_once('.').map_or((name, None), |(it, path)| (it, Some(path)));
    let old = form.iter().find(|(it, _)| it == name).map(|(_, it)| it.clone());
    let new = match path {
        Some(path) => {
            let mut document: Value = serde_json::from_str(&old.unwrap()).unwrap();
            put(&mut document, path, value);
            document.to_string()
        },
        None => value.as_str().unwrap().to_owned(),
    };
    form.retain(|(it, _)| it != name);
    form.push((name.to_owned(), new));
}

/// Headers of types and ids are the draft's, which says so by other means.
fn put_header(provider: &Provider, draft: &mut UnsignedRequest, name: &str, value: &str) {
    let model = &provider.model;
    if let Some((terms, at)) = in_header(model.event_ids(), name) {
        draft.event_id = Some(with_part(draft.event_id.take(), ':', terms, at, value));
    } else if let Some((terms, at)) = in_header(model.event_type.iter(), name) {
        draft.event_type = Some(with_part(draft.event_type.take(), '.', terms, at, value));
    } else {
        draft.headers.retain(|(it, _)| it != name);
        draft.headers.push((name.to_owned(), value.to_owned()));
    }
}

fn in_header<'a>(
    mut expressions: impl Iterator<Item = &'a Expression>,
    name: &str,
) -> Option<(usize, usize)> {
    let is_header = |it: &Selector| matches!(it, Selector::Header(_));
    let terms = &expressions.find(|it| it.terms.iter().all(is_header))?.terms;
    let at = terms.iter().position(|it| matches!(it, Selector::Header(it) if it == name))?;
    Some((terms.len(), at))
}

fn with_part(old: Option<String>, separator: char, terms: usize, at: usize, value: &str) -> String {
    let old = old.unwrap_or_default();
    let mut parts: Vec<_> = old.splitn(terms, separator).collect();
    parts.resize(terms, "");
    parts[at] = value;
    parts.join(&separator.to_string())
}

/// A source of a provider, and its sender.
struct Posting<'a> {
    world: &'a World,
    provider: &'static Provider,
    application: String,
    token: String,
    signing: Settings,
}

impl<'a> Posting<'a> {
    async fn new(world: &'a World, provider: &'static Provider) -> Self {
        let application = world.post("/api/v1/app", json!({ "name": provider.id })).await.id();
        let token = format!("a0token0of0{}", provider.id);
        let (signing, verifying) = settings(provider);
        let source = source(world, provider, &application, &token, &verifying);
        world.engine.store().save(&source, Expected::New).await.unwrap();
        Self { world, provider, application, token, signing }
    }

    fn draft(&self, event: &str, seed: u64) -> UnsignedRequest {
        let now = self.world.engine.clock().now().as_seconds();
        let mut draft = sample::event(self.provider, Some(event), seed, now)
            .unwrap_or_else(|| panic!("{} has no {event}", self.provider.id));
        draft.url = format!("http://portal.example/in/{}", self.token);
        draft
    }

    fn signed(&self, draft: UnsignedRequest, later: u64) -> SignedRequest {
        let now = self.world.engine.clock().now().as_seconds() + later;
        provider::sign(self.provider, &self.signing, draft, now).unwrap()
    }

    async fn post(&self, signed: &SignedRequest) -> Reply {
        let reply = self.send(signed).await;
        let log = format!("{}: {}", self.provider.id, reply.text);
        assert!(reply.status.is_success(), "{} {log}", reply.status);
        reply
    }

    /// The reply, unless the request is rejected.
    async fn try_post(&self, signed: &SignedRequest) -> Option<Reply> {
        Some(self.send(signed).await).filter(|it| it.status.is_success())
    }

    async fn send(&self, signed: &SignedRequest) -> Reply {
        let path = signed.url.strip_prefix("http://portal.example").unwrap();
        let mut request = Request::builder().method(signed.method.as_str()).uri(path);
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        self.world.send(request.body(signed.body.clone().into()).unwrap()).await
    }

    /// The ids of the messages, the newest first.
    async fn messages(&self) -> Vec<String> {
        let path = format!("/api/v1/app/{}/msg", self.application);
        let list = self.world.get(&path).await.expect(200);
        let ids = list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap());
        ids.map(ToOwned::to_owned).collect()
    }

    /// The number of messages that the two events of the pair become.
    async fn count(&self, pair: &Pair, seed: u64) -> usize {
        let before = self.messages().await.len();
        let mut first = self.draft(&pair.event, seed);
        pair.both.apply(self.provider, &mut first);
        let mut second = first.clone();
        pair.second.apply(self.provider, &mut second);
        second.event_id = pair.id.clone().or(second.event_id);
        self.post(&self.signed(first, 0)).await;
        self.post(&self.signed(second, pair.later.into())).await;
        self.messages().await.len() - before
    }
}

fn source(
    world: &World,
    provider: &Provider,
    application: &str,
    token: &str,
    verifying: &Settings,
) -> Source {
    let seal = |text: &str| world.engine.vault().seal_text(text, [9; 24]);
    let now = world.engine.clock().now();
    let secrets = verifying.secrets.iter();
    Source {
        managed_by: None,
        id: world.engine.clock().source_id(),
        organization: ORGANIZATION.parse().unwrap(),
        application: application_id(application),
        owns_application: false,
        uid: None,
        name: provider.id.clone(),
        kind: "generic-webhook".to_owned(),
        provider: provider.id.clone(),
        model: None,
        is_open: verifying.accept_unsigned,
        disabled: false,
        metadata: BTreeMap::new(),
        token: seal(token),
        token_digest: Sha256::digest(token).into(),
        secrets: secrets.map(|it| SourceSecret { secret: seal(it), until: None }).collect(),
        parameters: verifying
            .parameters
            .iter()
            .map(|(name, it)| (name.clone(), seal(it)))
            .collect(),
        public_url: None,
        response: None,
        dedupe_window: Duration::from_secs(7 * 24 * 60 * 60),
        dedupe_by_body: false,
        tolerance: None,
        max_body: None,
        forward_headers: None,
        created_at: now,
        updated_at: now,
    }
}

/// Settings for signing and for verifying.
fn settings(provider: &Provider) -> (Settings, Settings) {
    let (private, public) = match provider.id.as_str() {
        "adyen" => ["00112233445566778899aabbccddeeff"; 2].map(ToOwned::to_owned).into(),
        "alipay-plus" | "google-pubsub" | "wechat-pay" | "wix" => pair("rsa"),
        "ebay" | "plaid" => pair("p256"),
        "neon-auth" => pair("ed25519"),
        _ => secrets(provider.model.verify.first()),
    };
    let mut settings = [private, public].map(|it| Settings::new([it]));
    let certificate = key(if provider.id == "paypal" { "paypal" } else { "sns" }, "crt");
    let parameters = [
        ("private_key", key("rsa", "pem")),
        ("certificate", certificate),
        ("public_key", "key_1".to_owned()),
        ("email", "push@example.iam.gserviceaccount.com".to_owned()),
    ];
    for settings in &mut settings {
        settings.accept_unsigned = !provider.is_signed();
        let parameters = parameters.clone().map(|(name, it)| (name.to_owned(), it.into()));
        settings.parameters.extend(parameters);
    }
    settings.into()
}

fn secrets(scheme: Option<&Scheme>) -> (String, String) {
    let text = match scheme {
        Some(Scheme::Hmac(it) | Scheme::Digest(it)) => match it.key {
            KeyFormat::Hex => "00112233445566778899aabbccddeeff",
            KeyFormat::Base64 => "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            KeyFormat::Whsec => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            KeyFormat::Utf8 | KeyFormat::Whpk | KeyFormat::Pem | KeyFormat::SpkiBase64 => "s3cret",
        },
        Some(Scheme::Ed25519(_)) => return pair("ed25519"),
        Some(Scheme::Ecdsa(_)) => return pair("p256"),
        Some(Scheme::Rsa(_)) => return pair("rsa"),
        _ => "s3cret",
    };
    (text.to_owned(), text.to_owned())
}

fn pair(name: &str) -> (String, String) {
    (key(name, "pem"), key(name, "pub"))
}

fn key(name: &str, of: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../postrider/tests/keys");
    std::fs::read_to_string(format!("{folder}/{name}.{of}")).unwrap()
}

fn pairs() -> BTreeMap<String, Vec<Pair>> {
    serde_json::from_str(include_str!("second_events.json")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn two_events_of_every_provider_are_two_messages() {
    let (world, pairs, mut faults) = (World::new(), pairs(), Vec::new());
    for provider in provider::all() {
        let posting = Posting::new(&world, provider).await;
        for (seed, pair) in (1..).zip(&pairs[&provider.id]) {
            let count = posting.count(pair, seed).await;
            if count != 2 {
                faults.push(format!("{}: {count} of {}", provider.id, pair.why));
            }
        }
    }
    assert_eq!(pairs.len(), provider::all().len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_repetition_of_every_provider_is_one_message_and_is_logged() {
    let (world, mut repeated) = (World::new(), Vec::new());
    for provider in provider::all() {
        let posting = Posting::new(&world, provider).await;
        let event = sample::event_types(provider)[0];
        let signed = posting.signed(posting.draft(event, 1), 0);
        assert!(!posting.post(&signed).await.headers.contains_key("postrider-duplicate-of"));
        let again = posting.post(&signed).await;
        let messages = posting.messages().await;
        if messages.len() == 1 {
            assert_eq!(again.headers["postrider-duplicate-of"], messages[0], "{}", provider.id);
            repeated.push(provider.id.as_str());
        }
    }
    let is_never = |it: &&Provider| !repeated.contains(&it.id.as_str());
    let never: Vec<_> = provider::all().iter().filter(is_never).map(|it| it.id.as_str()).collect();
    assert_eq!(never, NEVER_REPEATED);
}

/// The request with another id, or none, in the places that the signature does not cover.
fn with_other_ids(provider: &Provider, signed: &SignedRequest, id: Option<&str>) -> SignedRequest {
    let places: Vec<_> = provider.model.event_ids().flat_map(|it| &it.terms).collect();
    let is_id = |name: &str| {
        places.iter().any(|it| matches!(it, Selector::Header(it) if it.eq_ignore_ascii_case(name)))
    };
    let mut other = signed.clone();
    other.headers.retain(|(name, _)| id.is_some() || !is_id(name));
    for (name, value) in &mut other.headers {
        if is_id(name) {
            id.unwrap_or_default().clone_into(value);
        }
    }
    other
}

/// Providers that sign nothing and identify events in headers: a recorded request contains the
/// secret, so that an attacker needs no replay.
const NOTHING_SIGNED: [&str; 3] = ["cloudevents", "google-channels", "supabase"];

#[tokio::test(start_paused = true)]
async fn a_replayed_request_with_another_id_or_none_is_no_new_event() {
    let (world, mut believed) = (World::new(), Vec::new());
    for provider in provider::all() {
        let posting = Posting::new(&world, provider).await;
        let event = sample::event_types(provider)[0];
        let signed = posting.signed(posting.draft(event, 1), 0);
        posting.post(&signed).await;
        let replays = [Some("11111111-2222-4333-8444-555555555555"), Some("x:y"), None];
        let replays = replays.map(|id| with_other_ids(provider, &signed, id));
        if replays.iter().all(|it| it.headers == signed.headers) {
            continue;
        }
        let mut is_new = false;
        for replay in &replays {
            if let Some(reply) = posting.try_post(replay).await {
                is_new |= !reply.headers.contains_key("postrider-duplicate-of");
            }
        }
        if is_new {
            believed.push(provider.id.as_str());
        }
        assert_eq!(is_new, posting.messages().await.len() > 1, "{}", provider.id);
    }
    assert_eq!(believed, NOTHING_SIGNED);
}

/// A requested redelivery is accepted; the same content with another id is a replay.
#[tokio::test(start_paused = true)]
async fn a_requested_redelivery_is_accepted_each_time_and_a_replay_is_not() {
    let world = World::new();
    for id in ["github", "gitlab"] {
        let posting = Posting::new(&world, provider::find(id).unwrap()).await;
        let signed = posting.signed(posting.draft(sample::event_types(posting.provider)[0], 1), 0);
        let replay = with_other_ids(posting.provider, &signed, Some("another"));
        for redeliveries in 1..=3 {
            posting.post(&signed).await;
            let reply = posting.post(&replay).await;
            assert!(reply.headers.contains_key("postrider-duplicate-of"), "{id}");
            assert_eq!(posting.messages().await.len(), redeliveries, "{id}");
        }
    }
}

/// Some providers sign each attempt with its own time, and identify the event in a header.
#[tokio::test(start_paused = true)]
async fn a_repetition_that_is_signed_later_is_recognized_by_its_id() {
    let world = World::new();
    for id in ["zendesk", "recurly", "contentful"] {
        let posting = Posting::new(&world, provider::find(id).unwrap()).await;
        let draft = posting.draft(sample::event_types(posting.provider)[0], 1);
        let first = posting.post(&posting.signed(draft.clone(), 0)).await;
        assert!(!first.headers.contains_key("postrider-duplicate-of"), "{id}");
        let later = posting.post(&posting.signed(draft, 7)).await;
        assert!(later.headers.contains_key("postrider-duplicate-of"), "{id}");
    }
}
