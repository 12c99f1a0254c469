//! The handle that runs operations in process.

use std::sync::Arc;

use postrider::OrganizationId;
use postrider_core::{access::ApiKeyUse, time::Timestamp};
use postrider_store::{Expected, IdOrUid, Records};

use crate::{
    api::{
        access::Access,
        error::ApiError,
        operation::{AnyOperation, Declaration, Operation, RawInput},
        reply::Reply,
        response::ApiResponse,
    },
    auth::{
        Principal, access,
        authenticator::{CUT_OFF, EXPIRED, refused},
    },
    operations::{
        audited::{AuditedStore, Origin},
        call::{Call, Resources},
    },
};

/// Runs operations in process.
///
/// The checks are those of a request over HTTP: the access rule of the operation, the scope, the
/// expiry and the revocation of an application's token, and the quotas. Operations of the same
/// [`Server`](crate::Server) share their locks and caches, whether they come over HTTP or not.
///
/// Idempotency keys exist over HTTP only.
#[derive(Clone, Debug)]
pub struct Operations {
    resources: Arc<Resources>,
}

impl Operations {
    pub(crate) const fn new(resources: Arc<Resources>) -> Self {
        Self { resources }
    }

    pub(crate) const fn resources(&self) -> &Arc<Resources> {
        &self.resources
    }

    /// The principal of a token or an API key.
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, ApiError> {
        let now = self.resources.engine.clock().now();
        self.resources.authenticator.authenticate_token(token, now).await
    }

    /// Runs an operation on behalf of a principal.
    ///
    /// A change goes on to its end if the future is dropped.
    pub async fn call<O: Operation>(
        &self,
        principal: &Arc<Principal>,
        operation: O,
    ) -> Result<O::Output, ApiError> {
        let declaration = O::declaration();
        let call = self.authorize(&declaration, principal).await?;
        let reply = self.complete(&declaration, operation.run(call)).await?;
        Ok(reply.into_value())
    }

    /// Runs an operation whose input is text, and returns its response.
    pub async fn call_any(
        &self,
        principal: &Arc<Principal>,
        operation: &AnyOperation,
        input: RawInput<'_>,
    ) -> Result<ApiResponse, ApiError> {
        let call = self.authorize(&operation.declaration, principal).await?;
        let running = (operation.start)(call, input)?;
        self.complete(&operation.declaration, running).await
    }

    /// A call that the server makes itself, on behalf of an organization. The audit log names the
    /// operation.
    pub(crate) fn own_call(&self, principal: &Arc<Principal>, operation: &'static str) -> Call {
        let origin = Origin { operation, address: None };
        Call {
            store: AuditedStore::new(&self.resources.engine, principal, origin),
            resources: Arc::clone(&self.resources),
            principal: Arc::clone(principal),
            now: self.resources.engine.clock().now(),
            idempotency: None,
            trace: None,
            _memory: None,
        }
    }

    pub(crate) async fn authorize(
        &self,
        declaration: &Declaration,
        principal: &Arc<Principal>,
    ) -> Result<Call, ApiError> {
        let call = self.own_call(principal, declaration.id);
        let principal = self.check_access(declaration, principal, call.now).await?;
        Ok(Call { principal, ..call })
    }

    /// Waits for an operation. A change runs in a task, so that it is not cancelled half-way.
    async fn complete<T: Send + 'static>(
        &self,
        declaration: &Declaration,
        running: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        if !declaration.runs_to_completion() {
            return running.await;
        }
        let task = self.resources.tasks.spawn(running);
        task.await.map_err(|error| ApiError::Internal(error.into()))?
    }

    /// Whether the principal may call the operation now. Returns the principal with the feature
    /// flags that it has now.
    pub(crate) async fn check_access(
        &self,
        declaration: &Declaration,
        principal: &Arc<Principal>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, ApiError> {
        if declaration.access == Access::Anyone {
            return Ok(Arc::clone(principal));
        }
        if principal.is_anonymous() {
            return Err(refused("a token is needed"));
        }
        if principal.has_expired(now) {
            return Err(refused(EXPIRED));
        }
        if let Some(used) = principal.use_to_record(now) {
            self.record_use(used);
        }
        let grant = &principal.grant;
        let mut checked = Arc::clone(principal);
        if let Some(application) = &grant.application {
            let named = IdOrUid::Id(application.id);
            let directory = self.resources.engine.directory();
            let entry = directory.find(&grant.organization, &named).await?;
            let entry = entry.ok_or_else(|| refused("the token's application was deleted"))?;
            let revoked = &entry.application.ended_tokens;
            if revoked.iter().any(|ended| ended.digest == principal.token) {
                return Err(refused("the token was logged out"));
            }
            if principal.cut_off_at(&entry.application.cutoffs).is_some_and(|at| at <= now) {
                return Err(refused(CUT_OFF));
            }
            if let Some(key) = &application.key {
                let flags = key.feature_flags(&entry.application);
                let flags = flags.ok_or_else(|| refused("the key was rotated or deleted"))?;
                checked = Arc::new(principal.with_feature_flags(flags));
            }
            self.resources.quotas.count_request(application.id, now)?;
            if declaration.access.changes() && principal.has_capabilities() {
                self.refuse_if_read_only(&grant.organization).await?;
            }
        }
        access::check(declaration, principal)?;
        Ok(checked)
    }

    /// Records the last use of an API key behind the request. It is not worth an error.
    fn record_use(&self, used: ApiKeyUse) {
        let store = Arc::clone(self.resources.engine.store());
        self.resources.tasks.spawn(async move {
            if let Err(error) = store.save(&used, Expected::Any).await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, key = %used.key, "the use of an API key was not recorded");
            }
        });
    }

    /// Refuses changes by applications if the settings of their organization do.
    async fn refuse_if_read_only(&self, organization: &OrganizationId) -> Result<(), ApiError> {
        let settings = self.resources.engine.organization_settings(organization).await?;
        if settings.read_only {
            return Err(ApiError::Forbidden("applications can only read (setting `readOnly`)"));
        }
        Ok(())
    }
}
