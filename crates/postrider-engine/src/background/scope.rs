//! Goes through applications and their endpoints in the order of their ids.

use postrider::{ApplicationId, EndpointId, OrganizationId};
use postrider_core::catalog::{Application, Endpoint, TaskCursor};
use postrider_store::{IdOrUid, Records, Scan, Store, StoreError};

/// Which applications and endpoints a task works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) organization: &'a OrganizationId,
    /// All applications of the organization if empty.
    pub(super) applications: &'a [ApplicationId],
    /// All endpoints of the applications if empty.
    pub(super) endpoints: &'a [EndpointId],
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Endpoint(Box<(Application, Endpoint)>),
    /// An application has no more endpoints. The cursor is behind it now.
    Done(Box<Application>),
    /// A record was removed meanwhile. The cursor is behind it now.
    Missing,
    End,
}

impl Scope<'_> {
    /// The next endpoint behind the cursor, with one or two reads.
    pub(super) async fn next(
        self,
        store: &dyn Store,
        cursor: &mut TaskCursor,
    ) -> Result<Next, StoreError> {
        let next = self.next_application(store, cursor.application).await?;
        let Some((id, application)) = next else { return Ok(Next::End) };
        let Some(application) = application else {
            cursor.application = Some(id);
            return Ok(Next::Missing);
        };
        let after = cursor.endpoint.filter(|(of, _)| *of == id).map(|(_, endpoint)| endpoint);
        Ok(match self.next_endpoint(store, id, after).await? {
            None => {
                cursor.application = Some(id);
                Next::Done(Box::new(application))
            },
            Some((endpoint, None)) => {
                cursor.endpoint = Some((id, endpoint));
                Next::Missing
            },
            Some((_, Some(endpoint))) => Next::Endpoint(Box::new((application, endpoint))),
        })
    }

    /// The id of the next application, and the application if it exists.
    async fn next_application(
        self,
        store: &dyn Store,
        after: Option<ApplicationId>,
    ) -> Result<Option<(ApplicationId, Option<Application>)>, StoreError> {
        if self.applications.is_empty() {
            let scan = Scan { after, ascending: true, limit: 1 };
            let found = store.list::<Application>(self.organization, scan).await?;
            return Ok(found.items.into_iter().next().map(|it| (it.id, Some(it))));
        }
        let Some(id) = next_after(self.applications, after) else { return Ok(None) };
        let found = store.get::<Application>(self.organization, &IdOrUid::Id(id)).await?;
        Ok(Some((id, found)))
    }

    async fn next_endpoint(
        self,
        store: &dyn Store,
        application: ApplicationId,
        after: Option<EndpointId>,
    ) -> Result<Option<(EndpointId, Option<Endpoint>)>, StoreError> {
        if self.endpoints.is_empty() {
            let scan = Scan { after, ascending: true, limit: 1 };
            let found = store.list::<Endpoint>(&application, scan).await?;
            return Ok(found.items.into_iter().next().map(|it| (it.id, Some(it))));
        }
        let Some(id) = next_after(self.endpoints, after) else { return Ok(None) };
        let found = store.get::<Endpoint>(&application, &IdOrUid::Id(id)).await?;
        Ok(Some((id, found)))
    }
}

/// The lowest id behind another one.
fn next_after<I: Ord + Copy>(ids: &[I], after: Option<I>) -> Option<I> {
    ids.iter().copied().filter(|id| after.is_none_or(|after| *id > after)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_visited_in_their_order_whatever_the_order_of_the_list_is() {
        let ids = [5, 2, 9, 2];
        let mut visited = Vec::new();
        let mut after = None;
        while let Some(id) = next_after(&ids, after) {
            visited.push(id);
            after = Some(id);
        }
        assert_eq!(visited, [2, 5, 9]);
    }
}
