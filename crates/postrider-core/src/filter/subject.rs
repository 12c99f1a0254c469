//! What filters know about a message.

use std::{
    borrow::Cow,
    cell::{Cell, OnceCell},
};

use crate::{
    catalog::Metadata,
    filter::{json::Json, names::Variable},
    message::{Format, Message},
};

/// Most steps that all filters take together for one message. This is some ten milliseconds.
const MAX_STEPS: u64 = 1_000_000;

/// A message as filters see it. Each part is prepared once, when the first filter uses it.
#[derive(Debug)]
pub struct Subject<'m> {
    pub(super) message: &'m Message,
    metadata: &'m Metadata,
    event_type: OnceCell<Json<'m>>,
    channels: OnceCell<Json<'m>>,
    tags: OnceCell<Json<'m>>,
    application: OnceCell<Json<'m>>,
    headers: OnceCell<Json<'m>>,
    payload: OnceCell<Result<Json<'m>, &'static str>>,
    steps: Cell<u64>,
}

impl<'m> Subject<'m> {
    /// The message, and the metadata of its application.
    pub fn new(message: &'m Message, metadata: &'m Metadata) -> Self {
        Self {
            message,
            metadata,
            event_type: OnceCell::new(),
            channels: OnceCell::new(),
            tags: OnceCell::new(),
            application: OnceCell::new(),
            headers: OnceCell::new(),
            payload: OnceCell::new(),
            steps: Cell::new(MAX_STEPS),
        }
    }

    /// The steps that are left for all filters together.
    pub(super) fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Counts steps of a filter.
    pub(super) fn spend(&self, steps: u64) {
        self.steps.set(self.steps.get().saturating_sub(steps));
    }

    /// The value of a variable, or why it has none.
    pub(super) fn variable(&self, variable: Variable) -> Result<&Json<'m>, &'static str> {
        let message = self.message;
        Ok(match variable {
            Variable::Type => self.event_type.get_or_init(|| {
                let text: &'m str = message.event_type.as_str();
                Json::Text(Cow::Borrowed(text))
            }),
            Variable::Channels => self.channels.get_or_init(|| Json::texts(&message.channels)),
            Variable::Tags => self.tags.get_or_init(|| Json::texts(&message.tags)),
            Variable::Metadata => self.application.get_or_init(|| metadata(self.metadata)),
            Variable::Headers => self.headers.get_or_init(|| headers(&message.format)),
            Variable::Payload => {
                let parsed = self.payload.get_or_init(|| payload(message));
                return parsed.as_ref().map_err(|reason| *reason);
            },
        })
    }
}

fn metadata(metadata: &Metadata) -> Json<'_> {
    let entry = |(key, value): (_, _)| {
        let (key, value): (&String, &String) = (key, value);
        (Cow::Borrowed(key.as_str()), Json::Text(Cow::Borrowed(value.as_str())))
    };
    Json::map(metadata.iter().map(entry).collect())
}

/// The headers by lower-case name. Repeated headers are joined as in HTTP.
fn headers(format: &Format) -> Json<'_> {
    let Format::Raw { headers } = format else { return Json::Map(Vec::new()) };
    let mut entries: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(headers.len());
    let named = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let mut named: Vec<_> = named.collect();
    named.sort_by(|left, right| left.0.cmp(&right.0));
    for (name, value) in named {
        match entries.last_mut() {
            Some((last, values)) if *last == name => {
                let values = values.to_mut();
                values.push_str(", ");
                values.push_str(value);
            },
            _ => entries.push((Cow::Owned(name), Cow::Borrowed(value))),
        }
    }
    Json::map(entries.into_iter().map(|(name, value)| (name, Json::Text(value))).collect())
}

fn payload(message: &Message) -> Result<Json<'_>, &'static str> {
    let Some(body) = &message.body else { return Err("the payload is no longer stored") };
    serde_json::from_slice(body).map_err(|error| reason(&error.to_string()))
}

/// Why the payload cannot be parsed. The parser tells its limits only in its messages.
fn reason(error: &str) -> &'static str {
    if error.starts_with("recursion limit") {
        "the payload has more than 127 levels"
    } else if error.starts_with("number out of range") {
        "the payload has a number that is too large"
    } else {
        "the payload is not JSON"
    }
}
