//! What the person who is signed in may do.

use postrider::api::{Capability, Permission, Role, WhoamiOut};

/// Something that not every person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Publish messages.
    Publish,
    /// Create, change and delete endpoints.
    ManageEndpoints,
    /// Read, try and change the transformation of an endpoint.
    ManageTransformations,
    /// Read the secret of an endpoint.
    ReadSecret,
    /// Replace the secret of an endpoint.
    RotateSecret,
    /// Resend, recover, and send examples.
    CreateAttempts,
    /// Change anything else than access and settings.
    Operate,
    /// Manage access and settings, and read the audit log.
    Administer,
}

/// The person who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    who: WhoamiOut,
    /// Whether the settings of the organization forbid changes by applications.
    is_read_only: bool,
}

impl Viewer {
    pub(crate) const fn new(who: WhoamiOut) -> Self {
        Self { who, is_read_only: false }
    }

    /// The same person, who may only read.
    #[must_use]
    pub(crate) fn read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    pub(crate) const fn who(&self) -> &WhoamiOut {
        &self.who
    }

    /// Whether the person may do something.
    pub(crate) fn may(&self, action: Action) -> bool {
        match &self.who.role {
            Some(_) => self.who.permissions.contains(&action.permission()),
            None => self.has_capability_for(action),
        }
    }

    /// The name or the id of the person or key.
    pub(crate) fn label(&self) -> &str {
        self.who.name.as_deref().unwrap_or(&self.who.id)
    }

    fn has_capability_for(&self, action: Action) -> bool {
        let Some(capabilities) = action.capabilities() else { return false };
        if self.is_read_only && action != Action::ReadSecret {
            return false;
        }
        let own = self.who.capabilities.as_ref();
        own.is_none_or(|own| capabilities.iter().any(|it| own.contains(it)))
    }
}

impl Action {
    const fn permission(self) -> Permission {
        match self {
            Self::Publish => Permission::Publish,
            Self::ReadSecret => Permission::ReadSecrets,
            Self::ManageEndpoints
            | Self::ManageTransformations
            | Self::RotateSecret
            | Self::CreateAttempts
            | Self::Operate => Permission::Operate,
            Self::Administer => Permission::Administer,
        }
    }

    /// The capabilities that allow it, each of them alone; none if no capability does.
    const fn capabilities(self) -> Option<&'static [Capability]> {
        Some(match self {
            Self::ManageEndpoints => &[Capability::ManageEndpoint],
            Self::ManageTransformations => &[Capability::ManageTransformations],
            Self::ReadSecret => &[
                Capability::ViewEndpointSecret,
                Capability::ManageEndpointSecret,
                Capability::ManageEndpoint,
            ],
            Self::RotateSecret => &[Capability::ManageEndpointSecret, Capability::ManageEndpoint],
            Self::CreateAttempts => &[Capability::CreateAttempts],
            Self::Publish | Self::Operate | Self::Administer => return None,
        })
    }

    /// The least role that may do it.
    pub(crate) const fn least_role(self) -> Role {
        match self {
            Self::Publish => Role::Publisher,
            Self::ReadSecret
            | Self::ManageEndpoints
            | Self::ManageTransformations
            | Self::RotateSecret
            | Self::CreateAttempts
            | Self::Operate => Role::Operator,
            Self::Administer => Role::Admin,
        }
    }
}
