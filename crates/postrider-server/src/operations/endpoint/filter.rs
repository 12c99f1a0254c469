//! Filters of endpoints: their validation, and trials on stored messages.

use postrider::{
    ApplicationId, EndpointId,
    api::{
        Capability, FilterExampleOut, FilterTestIn, FilterTestOut, Permission, filter::MAX_TRIED,
    },
};
use postrider_core::{
    catalog::{Application, Endpoint},
    filter::{self, Filter, FilterError, Mismatch, Subject},
    message::Message,
};
use postrider_store::{IdOrUid, LIST_BYTES, MessageFilter, Scan, Weight};

use crate::{
    api::{
        access::Access,
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::{Idempotency, operations},
        problems::Problems,
        reply::Done,
    },
    operations::call::{self, Call},
};

const FIELD: &str = "filter";

/// Messages that a filter is tried on by default.
const DEFAULT_TRIED: u16 = 100;

/// Bytes of messages after which a trial ends.
const MAX_BYTES: usize = 16 << 20;

/// Messages of each result that a trial returns.
const EXAMPLES: usize = 5;

operations! {
    tag "Endpoint";

    /// Try a filter on the latest messages
    TestFilter "v1.endpoint.test-filter" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/filter/test"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<FilterTestIn> }
        -> Done<FilterTestOut> = test,
        idempotency(Idempotency::Unkeyed),
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

/// The filter, if it is valid; none if it is empty.
pub(super) fn checked(text: Option<String>, problems: &mut Problems<'_>) -> Option<String> {
    let text = text.filter(|it| !it.trim().is_empty())?;
    match Filter::new(&text) {
        Ok(_) => Some(text),
        Err(error) => {
            problems.add(&[FIELD], error.to_string());
            None
        },
    }
}

async fn test(call: Call, input: TestFilter) -> Result<Done<FilterTestOut>, ApiError> {
    let TestFilter { app_id, endpoint_id, body } = input;
    let entry = call.application(&app_id).await?;
    let stored = call::endpoint(&entry, &endpoint_id)?;
    let (text, limit) = parameters(body, &stored)?;
    // A disabled endpoint is prepared with trials too.
    let endpoint = Endpoint { disabled: false, filter: text, ..(*stored).clone() };
    let compiled = endpoint.filter.as_deref().map(Filter::new);
    let trial = Trial { application: &entry.application, endpoint: &endpoint, filter: compiled };
    let _reserved = call.resources.memory.reserve(call.principal.holder, 2 * LIST_BYTES)?;
    let mut out = FilterTestOut::default();
    let (mut after, mut bytes) = (None, 0);
    while out.messages < limit && bytes < MAX_BYTES {
        let limit = usize::try_from(limit - out.messages).unwrap_or(usize::MAX);
        let scan = Scan { after, ascending: false, limit };
        let with_body = MessageFilter { with_body: true, ..MessageFilter::default() };
        let found = call.store().messages(entry.application.id, with_body, scan).await?;
        bytes += found.items.iter().map(Weight::weight).sum::<usize>();
        for message in &found.items {
            trial.add(message, &mut out);
            // A large payload takes a while to read, and other requests wait for this thread.
            tokio::task::yield_now().await;
        }
        after = found.resume;
        if after.is_none() {
            break;
        }
    }
    Ok(Done(out))
}

/// The filter to try, and the number of messages.
fn parameters(body: FilterTestIn, stored: &Endpoint) -> Result<(Option<String>, u64), ApiError> {
    let mut problems = Problems::within(&["body"]);
    let limit = body.limit.unwrap_or(DEFAULT_TRIED);
    let is_valid = (1..=MAX_TRIED).contains(&limit);
    problems.require(is_valid, "limit", &format!("must be from 1 to {MAX_TRIED}"));
    let text = match body.filter {
        Some(text) => checked(Some(text), &mut problems),
        None => stored.filter.clone(),
    };
    problems.finish_with((text, u64::from(limit)))
}

struct Trial<'a> {
    application: &'a Application,
    endpoint: &'a Endpoint,
    filter: Option<Result<Filter, FilterError>>,
}

impl Trial<'_> {
    /// Counts the message with its result.
    fn add(&self, message: &Message, out: &mut FilterTestOut) {
        out.messages += 1;
        let subject = Subject::new(message, &self.application.metadata);
        let (count, examples, reason) =
            match filter::check(self.endpoint, self.filter.as_ref(), &subject) {
                Ok(()) => (&mut out.matching, &mut out.examples.matching, None),
                Err(Mismatch::Filter) => {
                    (&mut out.not_matching, &mut out.examples.not_matching, None)
                },
                Err(Mismatch::NotEvaluated(error)) => {
                    let examples = &mut out.examples.not_evaluated;
                    (&mut out.not_evaluated, examples, Some(error.to_string()))
                },
                Err(Mismatch::InvalidFilter(error)) => {
                    let examples = &mut out.examples.not_evaluated;
                    (&mut out.not_evaluated, examples, Some(error.to_string()))
                },
                Err(Mismatch::Disabled | Mismatch::EventType | Mismatch::Channels) => {
                    out.excluded += 1;
                    return;
                },
            };
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(example(message, reason));
        }
    }
}

fn example(message: &Message, reason: Option<String>) -> FilterExampleOut {
    FilterExampleOut {
        id: message.id,
        event_id: message.event_id.clone(),
        event_type: message.event_type.clone(),
        timestamp: to_wire(message.created_at()),
        reason,
    }
}
