//! Where an endpoint's deliveries go.

use std::sync::Arc;

use http::HeaderValue;
use postrider::{ApplicationId, EndpointId};

use crate::{
    catalog::{ApplicationMode, Endpoint},
    kind::{Destination, Problem, live::Live},
    request::{PrepareError, Prepared, SignatureHeaders},
    transformation::Script,
    vault::{Vault, VaultError},
};

/// Where an endpoint's deliveries go. It is made again when the endpoint is changed.
#[derive(Debug)]
pub struct Target {
    pub application: ApplicationId,
    pub endpoint: EndpointId,
    pub destination: Destination,
    /// Code that changes each delivery.
    pub script: Option<Script>,
    /// Nothing is sent: the application is in shadow mode.
    pub is_shadow: bool,
}

/// Why nothing can be delivered to a stored endpoint.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error(transparent)]
    Request(#[from] PrepareError),
    #[error(transparent)]
    Secret(#[from] VaultError),
    #[error("stored configuration is not valid: {}", list(.0))]
    Config(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    let text = |problem: &Problem| format!("`{}` {}", problem.path.join("."), problem.message);
    problems.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn script(endpoint: &Endpoint, vault: &Vault) -> Result<Option<Script>, VaultError> {
    let Some(transformation) = &endpoint.transformation else { return Ok(None) };
    let Some(code) = transformation.active_code() else { return Ok(None) };
    let variables = Arc::new(vault.open_at_rest(&transformation.variables)?);
    Ok(Some(Script { code: code.into(), form: transformation.form, variables }))
}

impl Target {
    /// The target of an endpoint; `user_agent` identifies this server.
    pub fn new(
        endpoint: &Endpoint,
        vault: &Vault,
        names: SignatureHeaders,
        user_agent: &HeaderValue,
    ) -> Result<Self, TargetError> {
        let destination = if endpoint.kind.is_http() {
            Destination::Http(Box::new(Prepared::new(endpoint, vault, names, user_agent)?))
        } else {
            let config = vault.open_at_rest(&endpoint.config)?;
            Destination::parse(endpoint.kind, &config).map_err(TargetError::Config)?
        };
        let script = script(endpoint, vault)?;
        let (application, endpoint) = (endpoint.application, endpoint.id);
        Ok(Self { application, endpoint, destination, script, is_shadow: false })
    }

    /// The same for an application in the mode.
    pub fn in_mode(self, mode: ApplicationMode) -> Self {
        Self { is_shadow: !mode.is_live(), ..self }
    }

    /// The request of an endpoint that is called over HTTP.
    pub fn http(&self) -> Option<&Prepared> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
        match &self.destination {
            Destination::Http(prepared) => Some(prepared),
            _ => None,
        }
    }

    /// The stream of a `live` endpoint.
    pub fn live(&self) -> Option<&Live> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
        match &self.destination {
            Destination::Live(live) => Some(live),
            _ => None,
        }
    }

    /// Most deliveries that may be in flight, if an endpoint that is called over HTTP may have
    /// `limit`.
    pub fn max_in_flight(&self, limit: usize) -> usize {
        self.destination.max_in_flight(limit)
    }
}
