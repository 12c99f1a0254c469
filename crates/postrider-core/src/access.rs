//! What each role may do, API keys, and tokens that were expired before their time.

mod cutoff;
mod key;

use postrider::api::{Permission, Role};

pub use self::{
    cutoff::{MAX_CUTOFFS, TokenCutoff, TokenPolicy, TooManyCutoffs, add_cutoff, cut_off_at},
    key::{ApiKey, ApiKeyUse, KEY_PREFIX, USE_INTERVAL, key_of},
};

/// Whether the role has the permission. This is the only place that says so.
pub const fn permits(role: Role, permission: Permission) -> bool {
    match (role, permission) {
        (Role::Viewer, Permission::Any | Permission::Read)
        | (Role::Publisher, Permission::Any | Permission::Publish)
        | (
            Role::Operator,
            Permission::Any
            | Permission::Read
            | Permission::ReadSecrets
            | Permission::Publish
            | Permission::Operate,
        )
        | (Role::Admin, _) => true,
        (Role::Viewer | Role::Publisher | Role::Operator, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_permissions() {
        use Permission::{Administer, Any, Operate, Publish, Read, ReadSecrets};
        for (role, expected) in [
            (Role::Viewer, vec![Any, Read]),
            (Role::Publisher, vec![Any, Publish]),
            (Role::Operator, vec![Any, Read, ReadSecrets, Publish, Operate]),
            (Role::Admin, vec![Any, Read, ReadSecrets, Publish, Operate, Administer]),
        ] {
            let all = Permission::ALL.into_iter();
            assert_eq!(all.filter(|it| permits(role, *it)).collect::<Vec<_>>(), expected, "{role}");
        }
    }
}
