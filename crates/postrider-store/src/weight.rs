//! The size of records, messages and attempts in memory, so that one call returns a bounded amount.

use std::sync::Arc;

use postrider::EventTypeName;
use postrider_core::{
    access::{ApiKey, ApiKeyUse, TokenPolicy},
    catalog::{
        Application, AtRest, Authentication, AutoConfig, Connector, Consumer, DeadLetter, Endpoint,
        EventType, Integration, Signing, Source, Task, TaskResult, Work,
    },
    delivery::Attempt,
    kind::Fields,
    message::{Format, Message, Rejection},
    queue::partitions::Partitions,
    schema_report::{Mismatch, SchemaReport},
};

use crate::contract::catalog::Version;

/// Bytes of items after which a list ends, as if the limit had been reached.
///
/// The item that exceeds it is the last one, so every call makes progress.
pub const LIST_BYTES: usize = 1 << 20;

/// Something whose size is not known from its type.
pub trait Weight {
    /// Bytes that its texts and bodies have, without the fixed part.
    fn weight(&self) -> usize;
}

/// The number of leading items that one call may return.
pub(crate) fn fitting<'a, T: Weight + 'a>(items: impl Iterator<Item = &'a T>) -> usize {
    let mut bytes = 0;
    let fits = |it: &&T| {
        let fits = bytes < LIST_BYTES;
        bytes += it.weight();
        fits
    };
    items.take_while(fits).count()
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> usize {
    texts.into_iter().map(String::len).sum()
}

fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> usize {
    pairs.into_iter().map(|(name, value)| name.len() + value.len()).sum()
}

fn names<'a>(names: impl IntoIterator<Item = &'a EventTypeName>) -> usize {
    names.into_iter().map(|it| it.as_str().len()).sum()
}

fn listed(headers: &[(String, String)]) -> usize {
    pairs(headers.iter().map(|(name, value)| (name, value)))
}

impl Weight for Message {
    fn weight(&self) -> usize {
        let headers = match &self.format {
            Format::Json => 0,
            Format::Raw { headers } => listed(headers),
        };
        let body = self.body.as_ref().map_or(0, bytes::Bytes::len);
        let trace = self.trace.as_ref().map_or(0, |it| size_of_val(&**it) + it.state.len());
        body + headers + texts(&self.channels) + texts(&self.tags) + trace
    }
}

impl Weight for (Attempt, Arc<Message>) {
    fn weight(&self) -> usize {
        let (attempt, message) = self;
        let response = attempt.response.as_ref();
        let response = response.map_or(0, |it| it.body.len() + listed(&it.headers));
        attempt.url.len() + response + message.weight()
    }
}

impl Weight for Rejection {
    fn weight(&self) -> usize {
        self.body.len() + self.target.len() + self.reason.len() + listed(&self.headers)
    }
}

impl Weight for ApiKey {
    fn weight(&self) -> usize {
        self.name.len()
    }
}

impl Weight for ApiKeyUse {
    fn weight(&self) -> usize {
        0
    }
}

impl Weight for TokenPolicy {
    fn weight(&self) -> usize {
        self.cutoffs.iter().filter_map(|it| it.session.as_ref()).map(String::len).sum()
    }
}

/// Records with their versions.
impl<T: Weight> Weight for (T, Version) {
    fn weight(&self) -> usize {
        self.0.weight()
    }
}

impl Weight for Application {
    fn weight(&self) -> usize {
        let integrations: usize = self.integrations.iter().map(Weight::weight).sum();
        let auto_configs: usize = self.auto_configs.iter().map(Weight::weight).sum();
        self.name.len() + pairs(&self.metadata) + integrations + auto_configs
    }
}

impl Weight for Integration {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.name.len() + texts(&self.feature_flags)
    }
}

impl Weight for AutoConfig {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.hint.len() + texts(&self.feature_flags)
    }
}

impl Weight for Endpoint {
    fn weight(&self) -> usize {
        let certificates = self.trusted_certificates.as_ref().map_or(0, String::len);
        let filters =
            names(self.event_types.iter().flatten()) + texts(self.channels.iter().flatten());
        let filter = self.filter.as_ref().map_or(0, String::len);
        let code =
            self.transformation.as_ref().and_then(|it| it.code.as_ref()).map_or(0, String::len);
        let own = self.url.len() + self.description.len() + certificates + filter + code;
        let hidden = at_rest(&self.headers, |it| pairs(it)) + at_rest(&self.config, fields);
        let signing = self.signing.as_ref().map_or(0, |it| it.weight());
        own + filters + hidden + signing + pairs(&self.metadata) + self.authentication.weight()
    }
}

impl Weight for Signing {
    fn weight(&self) -> usize {
        let secrets: usize = self.secrets.iter().map(|it| it.secret.0.len()).sum();
        self.model.as_ref().map_or(0, String::len) + secrets
    }
}

impl Weight for Authentication {
    fn weight(&self) -> usize {
        let Self { credentials, oauth, grant, claim: _, identity } = self;
        let identity = identity.as_ref().map_or(0, |it| it.certificates.len() + it.key.0.len());
        // They are never stored in clear text.
        at_rest(credentials, |_| 0) + at_rest(oauth, |_| 0) + at_rest(grant, |_| 0) + identity
    }
}

fn at_rest<T>(it: &AtRest<T>, weight: impl Fn(&T) -> usize) -> usize {
    match it {
        AtRest::Sealed(sealed) => sealed.0.len(),
        AtRest::Clear(clear) => weight(clear),
    }
}

/// In clear text only if there are none.
fn fields(fields: &Fields) -> usize {
    fields.keys().map(String::len).sum()
}

impl Weight for EventType {
    fn weight(&self) -> usize {
        self.description.len() + texts(&self.schemas) + texts(&self.feature_flags)
    }
}

impl Weight for Source {
    fn weight(&self) -> usize {
        let sealed: usize = self.parameters.values().map(|it| it.0.len()).sum();
        let response = self.response.as_ref();
        let response = response.map_or(0, |it| it.body.len() + pairs(&it.headers));
        let own =
            self.name.len() + texts(&self.model) + texts(self.forward_headers.iter().flatten());
        own + sealed + response + pairs(&self.metadata)
    }
}

impl Weight for Connector {
    fn weight(&self) -> usize {
        let own = self.name.len() + self.description.len() + self.instructions.len();
        let lists = texts(self.feature_flags.iter().flatten())
            + self.allowed_event_types.as_ref().map_or(0, names);
        own + self.transformation.len() + lists + texts(&self.logo)
    }
}

impl Weight for SchemaReport {
    fn weight(&self) -> usize {
        let of = |it: &Mismatch| {
            let problems = it.problems.iter().map(|it| it.pointer.len() + it.message.len());
            it.application.len() + texts(&it.event_id) + problems.sum::<usize>()
        };
        self.findings.recent.iter().map(of).sum()
    }
}

impl Weight for Consumer {
    fn weight(&self) -> usize {
        let mapping = self.mapping.as_ref().map_or(0, |it| texts(it.texts()));
        let own = self.description.len() + self.address.len();
        own + mapping + at_rest(&self.config, fields)
    }
}

impl Weight for Partitions {
    fn weight(&self) -> usize {
        size_of_val(self) * (1 + self.partitions.len() + self.readers.len())
    }
}

impl Weight for Task {
    fn weight(&self) -> usize {
        let work = match &self.work {
            Work::Resend(it) => size_of_val(&*it.endpoints) + names(&it.filter.event_types),
            Work::CountDeliveries { applications, .. } => size_of_val(&**applications),
            Work::ReplayMissing { .. }
            | Work::CancelPending { .. }
            | Work::ExpungeContents { .. }
            | Work::ListSubscriptions => 0,
        };
        let result = match &self.result {
            TaskResult::Done => 0,
            TaskResult::Deliveries(all) => size_of_val(&**all),
            TaskResult::Subscriptions(all) => {
                size_of_val(&**all) + names(all.iter().flat_map(|it| &it.event_types))
            },
        };
        self.started_by.len() + texts(&self.error) + work + result
    }
}

impl Weight for DeadLetter {
    fn weight(&self) -> usize {
        let own = self.message.len() + self.reason.len() + texts(&self.subject);
        own + pairs(&self.headers) + self.body.as_bytes().len()
    }
}
