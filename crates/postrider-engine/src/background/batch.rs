//! Finds the next batch of a task. Reads only; what it finds is carried out in one transaction.

use postrider::{ApplicationId, EndpointId, MessageId, OrganizationId};
use postrider_core::{
    catalog::{
        Application, Endpoint, Period, Resend, ResendFilter, Task, TaskCursor, TaskResult, Work,
    },
    delivery::StatusKind,
    filter::{self, Filter, Subject},
    message::Message,
    time::Timestamp,
};
use postrider_store::{
    DeliveryRow, IdOrUid, MessageFilter, Records, ResendWhich, Scan, Store, StoreError, TaskEffect,
};

use super::{
    aggregate,
    scope::{Next, Scope},
    select::{Position, select},
};

/// Endpoints that one batch looks at.
const ENDPOINTS: usize = 20;

/// Messages that one batch expunges, at most: each may have many pages.
const EXPUNGED: usize = 100;

/// Deliveries that a preview counts, and reads that it makes.
const COUNTED: u64 = 10_000;
const READS: usize = 50;

/// Deliveries of a preview that are returned.
const SAMPLES: usize = 5;

/// The next batch of a task.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) effect: TaskEffect,
    /// The cursor after the batch.
    pub(super) cursor: TaskCursor,
    pub(super) found: u64,
    /// Items that a task counts without changing them.
    pub(super) counted: u64,
    /// The result so far, if it has changed.
    pub(super) result: Option<TaskResult>,
    pub(super) is_last: bool,
}

/// Why there is no next batch.
#[derive(Debug)]
pub(super) enum Failure {
    /// The store failed.
    Store(StoreError),
    /// The task fails.
    Task(&'static str),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Batch {
    const fn empty(cursor: TaskCursor) -> Self {
        Self {
            effect: TaskEffect::None,
            cursor,
            found: 0,
            counted: 0,
            result: None,
            is_last: false,
        }
    }
}

/// The next batch of about `size` items.
pub(super) async fn next(
    store: &dyn Store,
    task: &Task,
    size: usize,
    now: Timestamp,
) -> Result<Batch, Failure> {
    let context = Context { store, task, size, now };
    match &task.work {
        Work::Resend(resend) => context.resend(resend).await,
        Work::ReplayMissing { application, endpoint, period } => {
            context.replay_missing(*application, *endpoint, *period).await
        },
        Work::CancelPending { application, endpoint, before } => {
            context.cancel_pending(*application, *endpoint, *before).await
        },
        Work::ExpungeContents { application, before } => {
            context.expunge(*application, *before).await
        },
        Work::CountDeliveries { .. } | Work::ListSubscriptions => context.aggregate().await,
    }
}

struct Context<'a> {
    store: &'a dyn Store,
    task: &'a Task,
    size: usize,
    now: Timestamp,
}

/// Deliveries to one endpoint.
struct OfEndpoint {
    application: ApplicationId,
    endpoint: EndpointId,
    messages: Vec<MessageId>,
}

impl Context<'_> {
    async fn resend(&self, resend: &Resend) -> Result<Batch, Failure> {
        let which = ResendWhich::Existing(resend.mode);
        let at = self.now;
        let effect = |OfEndpoint { application, endpoint, messages }| TaskEffect::Resend {
            application,
            endpoint,
            messages,
            at,
            which,
        };
        // Nothing can be sent to a disabled endpoint.
        let is_included = |endpoint: &Endpoint| !endpoint.disabled;
        let scope = scope_of(&self.task.organization, resend);
        self.deliveries(scope, &resend.filter, is_included, effect).await
    }

    async fn cancel_pending(
        &self,
        application: ApplicationId,
        endpoint: Option<EndpointId>,
        before: Timestamp,
    ) -> Result<Batch, Failure> {
        let filter = ResendFilter {
            period: Period { since: Timestamp::default(), until: before },
            statuses: vec![StatusKind::Pending, StatusKind::Sending],
            event_types: Vec::new(),
            channel: None,
            tag: None,
            cause: None,
        };
        let effect = |OfEndpoint { application, endpoint, messages }| TaskEffect::Cancel {
            application,
            endpoint,
            messages,
        };
        let scope = Scope {
            organization: &self.task.organization,
            applications: &[application],
            endpoints: endpoint.as_slice(),
        };
        self.deliveries(scope, &filter, |_| true, effect).await
    }

    /// The next deliveries that the filter matches, all of them to one endpoint.
    async fn deliveries(
        &self,
        scope: Scope<'_>,
        filter: &ResendFilter,
        is_included: impl Fn(&Endpoint) -> bool,
        effect: impl FnOnce(OfEndpoint) -> TaskEffect,
    ) -> Result<Batch, Failure> {
        let mut batch = Batch::empty(self.task.cursor);
        for _ in 0..ENDPOINTS {
            let found = match scope.next(self.store, &mut batch.cursor).await? {
                Next::Endpoint(found) => *found,
                Next::Done(_) | Next::Missing => continue,
                Next::End => {
                    batch.is_last = true;
                    break;
                },
            };
            let (Application { id: application, .. }, endpoint) = found;
            if !is_included(&endpoint) {
                batch.cursor.endpoint = Some((application, endpoint.id));
                continue;
            }
            let id = (application, endpoint.id);
            let rows = advance(self.store, id, filter, self.size, &mut batch.cursor).await?;
            if !rows.is_empty() {
                batch.found = rows.len() as u64;
                let messages = rows.iter().map(|row| row.id.message).collect();
                batch.effect = effect(OfEndpoint { application, endpoint: endpoint.id, messages });
                break;
            }
        }
        Ok(batch)
    }

    async fn replay_missing(
        &self,
        application: ApplicationId,
        id: EndpointId,
        period: Period,
    ) -> Result<Batch, Failure> {
        let endpoint = self.store.get::<Endpoint>(&application, &IdOrUid::Id(id)).await?;
        let endpoint = endpoint.ok_or(Failure::Task("the endpoint was deleted"))?;
        if endpoint.disabled {
            return Err(Failure::Task("the endpoint is disabled"));
        }
        let Some(owner) = self.store.find::<Application>(application).await? else {
            return Err(Failure::Task("the application was deleted"));
        };
        let conditions = MessageFilter { with_body: endpoint.filter.is_some(), ..within(period) };
        let (messages, mut batch) = self.messages(application, conditions, self.size).await?;
        let compiled = endpoint.filter.as_deref().map(Filter::new);
        let is_wanted = |message: &Message| {
            let subject = Subject::new(message, &owner.metadata);
            filter::check(&endpoint, compiled.as_ref(), &subject).is_ok()
        };
        let messages: Vec<_> = messages.into_iter().filter(is_wanted).map(|it| it.id).collect();
        batch.found = messages.len() as u64;
        if !messages.is_empty() {
            batch.effect = TaskEffect::Resend {
                application,
                endpoint: id,
                messages,
                at: self.now,
                which: ResendWhich::Missing,
            };
        }
        Ok(batch)
    }

    async fn expunge(
        &self,
        application: ApplicationId,
        before: Timestamp,
    ) -> Result<Batch, Failure> {
        let period = Period { since: Timestamp::default(), until: before };
        let size = self.size.min(EXPUNGED);
        let (messages, mut batch) = self.messages(application, within(period), size).await?;
        batch.found = messages.len() as u64;
        if !messages.is_empty() {
            let messages = messages.into_iter().map(|it| it.id).collect();
            batch.effect = TaskEffect::Expunge { application, messages };
        }
        Ok(batch)
    }

    /// The next messages of an application, and a batch without an effect whose cursor is behind
    /// them.
    async fn messages(
        &self,
        application: ApplicationId,
        conditions: MessageFilter,
        limit: usize,
    ) -> Result<(Vec<Message>, Batch), Failure> {
        let scan = Scan { after: self.task.cursor.message, ascending: true, limit };
        let page = self.store.messages(application, conditions, scan).await?;
        let mut batch = Batch::empty(self.task.cursor);
        batch.is_last = page.resume.is_none();
        batch.cursor.message = page.resume.or(batch.cursor.message);
        Ok((page.items, batch))
    }

    /// Adds the next endpoints to the result.
    async fn aggregate(&self) -> Result<Batch, Failure> {
        let applications: &[ApplicationId] = match &self.task.work {
            Work::CountDeliveries { applications, .. } => applications,
            Work::Resend(_)
            | Work::ReplayMissing { .. }
            | Work::CancelPending { .. }
            | Work::ExpungeContents { .. }
            | Work::ListSubscriptions => &[],
        };
        let scope = Scope { organization: &self.task.organization, applications, endpoints: &[] };
        let mut batch = Batch::empty(self.task.cursor);
        let mut result = self.task.result.clone();
        for _ in 0..ENDPOINTS {
            match scope.next(self.store, &mut batch.cursor).await? {
                Next::Endpoint(found) => {
                    let (application, endpoint) = *found;
                    batch.cursor.endpoint = Some((application.id, endpoint.id));
                    batch.found += 1;
                    batch.counted += self.add(&application, &endpoint, &mut result).await?;
                },
                Next::Done(application) => self.begin(&application, &mut result),
                Next::Missing => {},
                Next::End => {
                    batch.is_last = true;
                    break;
                },
            }
        }
        if aggregate::applications(&result) > aggregate::MAX_APPLICATIONS {
            return Err(Failure::Task("there are more than 10000 applications"));
        }
        batch.result = Some(result);
        Ok(batch)
    }

    /// Adds an endpoint to the result; returns what it adds to the number of items.
    async fn add(
        &self,
        application: &Application,
        endpoint: &Endpoint,
        result: &mut TaskResult,
    ) -> Result<u64, StoreError> {
        let of = (application, endpoint);
        if let Work::CountDeliveries { period, .. } = self.task.work {
            return aggregate::count_deliveries(self.store, of, period, result).await;
        }
        aggregate::add_subscriptions(of, result);
        Ok(1)
    }

    /// Makes sure that an application without endpoints is in the result.
    fn begin(&self, application: &Application, result: &mut TaskResult) {
        if matches!(self.task.work, Work::CountDeliveries { .. }) {
            aggregate::counts(result, application);
        } else {
            aggregate::subscriptions(result, application);
        }
    }
}

/// The next matching deliveries of an endpoint. The cursor is behind them afterwards.
async fn advance(
    store: &dyn Store,
    id: (ApplicationId, EndpointId),
    filter: &ResendFilter,
    limit: usize,
    cursor: &mut TaskCursor,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let after = cursor.delivery.filter(|(of, _)| *of == id.1).map(|(_, message)| message);
    let selected = select(store, id, filter, Position { after, limit }).await?;
    match selected.resume {
        Some(message) => cursor.delivery = Some((id.1, message)),
        None => cursor.endpoint = Some(id),
    }
    Ok(selected.rows)
}

/// Messages that were accepted in the period.
fn within(period: Period) -> MessageFilter {
    MessageFilter {
        before: Some(period.until),
        after: Some(period.since),
        ..MessageFilter::default()
    }
}

fn scope_of<'a>(organization: &'a OrganizationId, resend: &'a Resend) -> Scope<'a> {
    Scope {
        organization,
        applications: resend.application.as_slice(),
        endpoints: &resend.endpoints,
    }
}

/// The deliveries that a resend would send again, as far as they were counted.
#[derive(Debug, Default)]
pub struct Preview {
    pub count: u64,
    /// There are at least `count` deliveries.
    pub is_minimum: bool,
    /// The first ones, with their applications.
    pub samples: Vec<(ApplicationId, DeliveryRow)>,
}

/// Counts the deliveries that a resend would send again, with a bounded number of reads.
pub(crate) async fn preview(
    store: &dyn Store,
    organization: &OrganizationId,
    resend: &Resend,
) -> Result<Preview, StoreError> {
    let (mut preview, mut cursor) = (Preview::default(), TaskCursor::default());
    let scope = scope_of(organization, resend);
    for _ in 0..READS {
        let (application, endpoint) = match scope.next(store, &mut cursor).await? {
            Next::Endpoint(found) => (found.0.id, found.1),
            Next::Done(_) | Next::Missing => continue,
            Next::End => return Ok(preview),
        };
        if endpoint.disabled {
            cursor.endpoint = Some((application, endpoint.id));
            continue;
        }
        let id = (application, endpoint.id);
        // A filter by cause reads the last attempt of each delivery.
        let limit = if resend.filter.cause.is_some() { 100 } else { 500 };
        let rows = advance(store, id, &resend.filter, limit, &mut cursor).await?;
        preview.count += rows.len() as u64;
        let missing = SAMPLES - preview.samples.len();
        preview.samples.extend(rows.into_iter().take(missing).map(|row| (application, row)));
        if preview.count >= COUNTED {
            break;
        }
    }
    Ok(Preview { is_minimum: true, ..preview })
}
