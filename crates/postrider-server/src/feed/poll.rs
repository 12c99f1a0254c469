//! Reads what is new in an organization.

use std::{sync::Arc, time::Duration};

use postrider::{AttemptId, MessageId, OrganizationId, RejectionId, SourceId};
use postrider_core::{catalog::Source, time::Timestamp};
use postrider_engine::Engine;
use postrider_store::{
    AttemptFilter, AttemptSearch, MessageFilter, MessageSearch, Reach, Records, Scan, ScanPage,
    Store, StoreError,
};

use super::{
    entry::FeedEntry,
    render,
    track::{Track, before},
};

/// How long a message may take from its id to its commit.
const MESSAGE_OVERLAP: Duration = Duration::from_secs(10);

/// The same for an attempt, whose id is made when the call begins.
const ATTEMPT_OVERLAP: Duration = Duration::from_secs(30);

/// The overlap of most passes, in which nearly everything becomes visible.
const SHORT_OVERLAP: Duration = Duration::from_secs(2);

/// Rows of one page, and most pages of one pass.
const PAGE: usize = 250;
const PAGES: usize = 4;
const LONG_PAGES: usize = 20;

/// Sources whose rejected requests are read.
const MAX_SOURCES: usize = 200;

/// Reads what is new in an organization.
#[derive(Debug)]
pub(super) struct Poll {
    engine: Engine,
    organization: OrganizationId,
    messages: Track,
    attempts: Track,
    rejections: Track,
    states: Track,
    passes: u64,
    /// Attempts that began before are not new.
    since: Timestamp,
    /// There is one pass, which reads everything.
    is_single: bool,
}

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<FeedEntry>,
    /// There was more than a pass reads.
    pub(super) is_incomplete: bool,
}

impl Poll {
    /// Reads what happens from this time on.
    pub(super) fn new(engine: Engine, organization: OrganizationId, since: Timestamp) -> Self {
        let track = || Track::new(since);
        Self {
            engine,
            organization,
            messages: track(),
            // Those that began before are read once, to recognize them.
            attempts: Track::new(before(since, ATTEMPT_OVERLAP)),
            rejections: track(),
            states: track(),
            passes: 0,
            since,
            is_single: false,
        }
    }

    /// Reads with one pass what happened since the entry of this time. Some of it may have become
    /// visible before that entry.
    pub(super) fn single(engine: Engine, organization: OrganizationId, since: Timestamp) -> Self {
        let since = before(since, SHORT_OVERLAP);
        let first = before(since, ATTEMPT_OVERLAP);
        Self { is_single: true, since: first, ..Self::new(engine, organization, since) }
    }

    /// Whether this pass reads the whole overlap.
    const fn is_long(&self) -> bool {
        self.is_single || self.passes.is_multiple_of(5)
    }

    fn overlap(&self, long: Duration) -> Duration {
        match (self.is_single, self.is_long()) {
            (true, _) => Duration::MAX,
            (false, true) => long,
            (false, false) => SHORT_OVERLAP,
        }
    }

    const fn pages(&self) -> usize {
        if self.is_long() && !self.is_single { LONG_PAGES } else { PAGES }
    }

    /// Reads what is new, in the order in which it began.
    pub(super) async fn pass(&mut self, now: Timestamp) -> Result<Found, StoreError> {
        let mut found = Found::default();
        self.read_messages(now, &mut found).await?;
        self.read_attempts(now, &mut found).await?;
        self.read_states(now, &mut found).await?;
        if self.is_long() {
            self.read_rejections(now, &mut found).await?;
        }
        self.passes += 1;
        found.entries.sort_by_key(|entry| entry.at);
        Ok(found)
    }

    async fn read_messages(&mut self, now: Timestamp, into: &mut Found) -> Result<(), StoreError> {
        let since = self.messages.since(now, self.overlap(MESSAGE_OVERLAP));
        let message = MessageFilter { after: Some(since), ..MessageFilter::default() };
        let search = MessageSearch { message, ..MessageSearch::default() };
        let reach = Reach::organization(self.organization.clone());
        let (store, pages) = (Arc::clone(self.engine.store()), self.pages());
        let mut after: Option<MessageId> = None;
        for _ in 0..pages {
            let scan = scan(after);
            let page = store.search_messages(reach.clone(), search.clone(), scan).await?;
            for message in &page.items {
                if self.messages.is_new(message.id.as_u128()) {
                    into.entries.push(render::message(message));
                }
            }
            after = page.resume;
            if after.is_none() {
                break;
            }
        }
        into.is_incomplete |= end(&mut self.messages, after.is_some(), now, MESSAGE_OVERLAP);
        Ok(())
    }

    async fn read_attempts(&mut self, now: Timestamp, into: &mut Found) -> Result<(), StoreError> {
        let since = self.attempts.since(now, self.overlap(ATTEMPT_OVERLAP));
        let message = MessageFilter { after: Some(since), ..MessageFilter::default() };
        let attempt = AttemptFilter { message, ..AttemptFilter::default() };
        let search = AttemptSearch { attempt, without_response: true, ..AttemptSearch::default() };
        let reach = Reach::organization(self.organization.clone());
        let (store, pages) = (Arc::clone(self.engine.store()), self.pages());
        let mut after: Option<AttemptId> = None;
        for _ in 0..pages {
            let page = store.search_attempts(reach.clone(), search.clone(), scan(after)).await?;
            for (attempt, message) in page.items {
                let is_new = self.attempts.is_new(attempt.id.as_u128());
                if is_new && (self.passes > 0 || attempt.at >= self.since) {
                    into.entries.push(render::attempt(attempt, &message));
                }
            }
            after = page.resume;
            if after.is_none() {
                break;
            }
        }
        into.is_incomplete |= end(&mut self.attempts, after.is_some(), now, ATTEMPT_OVERLAP);
        Ok(())
    }

    /// Reads operational messages about the organization, if somebody receives them.
    async fn read_states(&mut self, now: Timestamp, into: &mut Found) -> Result<(), StoreError> {
        // All of them get the same messages.
        let listeners = self.engine.operational_listeners(&self.organization).await?;
        let Some(listener) = listeners.first() else { return Ok(()) };
        let since = self.states.since(now, self.overlap(MESSAGE_OVERLAP));
        let filter =
            MessageFilter { after: Some(since), with_body: true, ..MessageFilter::default() };
        let store = Arc::clone(self.engine.store());
        let page = store.messages(listener.application.id, filter, scan(None)).await?;
        for message in &page.items {
            if self.states.is_new(message.id.as_u128()) {
                into.entries.extend(render::state(message));
            }
        }
        into.is_incomplete |= end(&mut self.states, page.resume.is_some(), now, MESSAGE_OVERLAP);
        Ok(())
    }

    async fn read_rejections(
        &mut self,
        now: Timestamp,
        into: &mut Found,
    ) -> Result<(), StoreError> {
        let since = self.rejections.since(now, self.overlap(MESSAGE_OVERLAP));
        let from = RejectionId::from_parts(since.as_millis() << 12, 0);
        let store = Arc::clone(self.engine.store());
        let sources = sources(&*store, &self.organization).await?;
        let mut is_incomplete = sources.resume.is_some();
        for source in sources.items {
            let page = store.rejections(source.id, scan(Some(from))).await?;
            is_incomplete |= page.resume.is_some();
            for rejection in page.items {
                if self.rejections.is_new(rejection.id.as_u128()) {
                    into.entries.push(render::rejection(rejection, source.application));
                }
            }
        }
        into.is_incomplete |= end(&mut self.rejections, is_incomplete, now, MESSAGE_OVERLAP);
        Ok(())
    }
}

async fn sources(
    store: &dyn Store,
    organization: &OrganizationId,
) -> Result<ScanPage<Source, SourceId>, StoreError> {
    let newest = Scan { after: None, ascending: false, limit: MAX_SOURCES };
    store.list_with_hidden::<Source>(organization, newest).await
}

const fn scan<K>(after: Option<K>) -> Scan<K> {
    Scan { after, ascending: true, limit: PAGE }
}

/// Ends a pass; if there was more than it reads, it goes on with what happens from now on.
fn end(track: &mut Track, has_more: bool, now: Timestamp, overlap: Duration) -> bool {
    if has_more {
        track.skip_to(now);
    }
    track.settle(now, overlap);
    has_more
}
