//! Finds out what a text names.

use postrider::{
    ApplicationId, AttemptId, ConsumerId, EndpointId, EventTypeName, MessageId, RejectionId,
    SourceId, Uid,
    api::{LookupMatchOut, LookupOut, LookupType},
};
use postrider_core::{
    catalog::{Application, Consumer, Endpoint, EventType, Source},
    message::{Message, Rejection},
    time::Timestamp,
};
use postrider_store::{
    AttemptFilter, AttemptSearch, EndpointKey, IdOrUid, MessageFilter, MessageSearch, Reach,
    Records, Scan,
};

use crate::{
    api::{
        convert::to_wire, error::ApiError, operation::operations, path::id_or_uid, query::query,
        reply::Done,
    },
    operations::call::Call,
};
use postrider::api::Permission;

operations! {
    tag "Lookup";

    /// Find out what an id, a uid, an event id, a name or a URL belongs to
    Lookup "v1.lookup" = GET "/api/v1/lookup"
        query { LookupQuery }
        -> Done<LookupOut> = lookup,
        needs(Permission::Read);
}

query! {
    LookupQuery {
        /// An id, a uid, an event id, the name of an event type, or the beginning of a URL.
        text: Option<String>,
    }
}

/// Maximum number of matches of each type.
const MAX_MATCHES: usize = 50;

/// Maximum length of a text, which is that of a URL.
const MAX_TEXT: usize = 2_048;

async fn lookup(call: Call, Lookup { query }: Lookup) -> Result<Done<LookupOut>, ApiError> {
    let text = query.text.as_deref().map(str::trim).filter(|it| !it.is_empty());
    let text = text.ok_or_else(|| ApiError::invalid(&["query", "text"], "is required"))?;
    if text.len() > MAX_TEXT {
        let message = format!("must have at most {MAX_TEXT} bytes");
        return Err(ApiError::invalid(&["query", "text"], message));
    }
    let mut data = records(&call, text).await?;
    data.extend(endpoints(&call, text).await?);
    data.extend(messages(&call, text).await?);
    data.extend(attempt(&call, text).await?);
    data.extend(rejection(&call, text).await?);
    Ok(Done(LookupOut { data }))
}

/// Records of the organization, by their id, uid or name.
async fn records(call: &Call, text: &str) -> Result<Vec<LookupMatchOut>, ApiError> {
    let (store, organization) = (call.store(), call.organization());
    let mut found = Vec::new();
    if let Some(named) = id_or_uid::<ApplicationId>(text) {
        found.extend(store.get::<Application>(organization, &named).await?.map(of_application));
    }
    if let Some(named) = id_or_uid::<SourceId>(text) {
        found.extend(store.get::<Source>(organization, &named).await?.map(of_source));
    }
    if let Some(named) = id_or_uid::<ConsumerId>(text) {
        found.extend(store.get::<Consumer>(organization, &named).await?.map(of_consumer));
    }
    if let Ok(name) = text.parse::<EventTypeName>() {
        let named = IdOrUid::Id(name);
        found.extend(store.get::<EventType>(organization, &named).await?.map(of_event_type));
    }
    Ok(found)
}

async fn endpoints(call: &Call, text: &str) -> Result<Vec<LookupMatchOut>, ApiError> {
    let mut found = Vec::new();
    for key in endpoint_keys(text) {
        let organization = call.organization().clone();
        found.extend(call.store().endpoints_by_key(organization, key, MAX_MATCHES).await?);
    }
    found.truncate(MAX_MATCHES);
    Ok(found.into_iter().map(of_endpoint).collect())
}

/// The keys that the text may be: an id, a uid, or the beginning of a URL, of which the scheme may
/// be missing.
fn endpoint_keys(text: &str) -> Vec<EndpointKey> {
    if let Ok(id) = text.parse::<EndpointId>() {
        return vec![EndpointKey::Id(id)];
    }
    let mut keys: Vec<_> = text.parse().ok().map(EndpointKey::Uid).into_iter().collect();
    if text.contains("://") {
        keys.push(EndpointKey::UrlPrefix(text.to_owned()));
    } else if text.contains('.') {
        let prefixes = ["https://", "http://"].map(|scheme| format!("{scheme}{text}"));
        keys.extend(prefixes.map(EndpointKey::UrlPrefix));
    }
    keys
}

async fn messages(call: &Call, text: &str) -> Result<Vec<LookupMatchOut>, ApiError> {
    let (store, organization) = (call.store(), call.organization().clone());
    if let Ok(id) = text.parse::<MessageId>() {
        let message = at(id.millis());
        let search = MessageSearch { message, ..MessageSearch::default() };
        let scan = after(MessageId::from_parts(id.sequence().saturating_sub(1), u64::MAX));
        let found = store.search_messages(Reach::organization(organization), search, scan).await?;
        let found = found.items.into_iter().filter(|it| it.id == id);
        return Ok(found.map(of_message).collect());
    }
    let Ok(event_id) = text.parse::<Uid>() else { return Ok(Vec::new()) };
    let found = store.messages_by_event_id(organization, event_id, MAX_MATCHES).await?;
    Ok(found.into_iter().map(of_message).collect())
}

async fn attempt(call: &Call, text: &str) -> Result<Option<LookupMatchOut>, ApiError> {
    let Ok(id) = text.parse::<AttemptId>() else { return Ok(None) };
    let attempt = AttemptFilter { message: at(id.millis()), ..AttemptFilter::default() };
    let search = AttemptSearch { attempt, without_response: true, ..AttemptSearch::default() };
    let scan = after(AttemptId::from_parts(id.sequence().saturating_sub(1), u64::MAX));
    let reach = Reach::organization(call.organization().clone());
    let found = call.store().search_attempts(reach, search, scan).await?;
    let found = found.items.into_iter().find(|(it, _)| it.id == id);
    Ok(found.map(|(attempt, message)| LookupMatchOut {
        label: Some(attempt.url),
        app_id: Some(message.application),
        msg_id: Some(message.id),
        ..named(LookupType::Attempt, attempt.id.to_string(), attempt.at)
    }))
}

/// The filter of what was created in this millisecond.
fn at(millis: u64) -> MessageFilter {
    let time = |millis| Some(Timestamp::from_millis(millis));
    MessageFilter { after: time(millis), before: time(millis + 1), ..MessageFilter::default() }
}

/// The scan that continues after this id. Stores compare only the sequences of ids, or all of them.
/// So the scan for an id starts with the previous sequence.
const fn after<K>(id: K) -> Scan<K> {
    Scan { after: Some(id), ascending: true, limit: MAX_MATCHES }
}

async fn rejection(call: &Call, text: &str) -> Result<Option<LookupMatchOut>, ApiError> {
    let Ok(id) = text.parse::<RejectionId>() else { return Ok(None) };
    call.resources.rejections.flush().await?;
    let found = call.store().rejection_by_id(call.organization().clone(), id).await?;
    Ok(found.map(of_rejection))
}

fn named(r#type: LookupType, id: String, created_at: Timestamp) -> LookupMatchOut {
    LookupMatchOut {
        r#type,
        id,
        uid: None,
        label: None,
        app_id: None,
        msg_id: None,
        source_id: None,
        created_at: to_wire(created_at),
    }
}

fn of_application(it: Application) -> LookupMatchOut {
    LookupMatchOut {
        uid: it.uid.map(|uid| uid.to_string()),
        label: Some(it.name),
        app_id: Some(it.id),
        ..named(LookupType::Application, it.id.to_string(), it.created_at)
    }
}

fn of_source(it: Source) -> LookupMatchOut {
    LookupMatchOut {
        uid: it.uid.map(|uid| uid.to_string()),
        label: Some(it.name),
        app_id: Some(it.application),
        ..named(LookupType::Source, it.id.to_string(), it.created_at)
    }
}

fn of_consumer(it: Consumer) -> LookupMatchOut {
    LookupMatchOut {
        uid: it.uid.map(|uid| uid.to_string()),
        label: Some(it.description),
        ..named(LookupType::Consumer, it.id.to_string(), it.created_at)
    }
}

fn of_event_type(it: EventType) -> LookupMatchOut {
    LookupMatchOut {
        label: Some(it.description),
        ..named(LookupType::EventType, it.name.to_string(), it.created_at)
    }
}

fn of_endpoint(it: Endpoint) -> LookupMatchOut {
    LookupMatchOut {
        uid: it.uid.map(|uid| uid.to_string()),
        label: Some(it.url),
        app_id: Some(it.application),
        ..named(LookupType::Endpoint, it.id.to_string(), it.created_at)
    }
}

fn of_message(it: Message) -> LookupMatchOut {
    let created_at = it.created_at();
    LookupMatchOut {
        uid: it.event_id.map(|id| id.to_string()),
        label: Some(it.event_type.to_string()),
        app_id: Some(it.application),
        ..named(LookupType::Message, it.id.to_string(), created_at)
    }
}

fn of_rejection(it: Rejection) -> LookupMatchOut {
    let created_at = it.created_at();
    LookupMatchOut {
        label: Some(it.reason),
        source_id: Some(it.source.to_string()),
        ..named(LookupType::Rejection, it.id.to_string(), created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_be_the_beginning_of_a_url_without_its_scheme() {
        let keys = |text| endpoint_keys(text).into_iter().map(|key| format!("{key:?}"));
        let keys = |text| keys(text).collect::<Vec<_>>();
        assert_eq!(keys("https://a/b"), [r#"UrlPrefix("https://a/b")"#]);
        assert_eq!(
            keys("example.com/x"),
            [r#"UrlPrefix("https://example.com/x")"#, r#"UrlPrefix("http://example.com/x")"#]
        );
        assert_eq!(keys("mine").len(), 1);
        assert_eq!(keys("a b").len(), 0);
        let id = EndpointId::from_u128(7);
        assert_eq!(endpoint_keys(&id.to_string()), [EndpointKey::Id(id)]);
    }
}
