//! Which node uses a refresh token.
//!
//! Token servers may accept a refresh token only once, and revoke the whole grant if they see it
//! twice. So a node claims the grant in the store before it uses the refresh token, and stores what
//! it gets before it uses that.

use crate::{
    catalog::{AccessGrant, Grant, GrantClaim},
    time::Timestamp,
};

/// What a node does that needs an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantStep {
    /// Another node has fetched one.
    Use(AccessGrant),
    /// Another node is fetching one.
    Wait,
    /// Claim the grant and fetch one.
    Claim,
}

/// What a node does that needs an access token other than `rejected`.
pub fn next_step(
    grant: &Grant,
    claim: Option<GrantClaim>,
    rejected: Option<&str>,
    now: Timestamp,
) -> GrantStep {
    let usable = grant.access.as_ref().filter(|access| {
        now < access.usable_until && rejected.is_none_or(|rejected| rejected != access.token)
    });
    match (usable, claim) {
        (Some(access), _) => GrantStep::Use(access.clone()),
        (None, Some(claim)) if now < claim.until => GrantStep::Wait,
        (None, _) => GrantStep::Claim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_uses_the_refresh_token_and_the_others_wait_for_the_access_token() {
        let at = Timestamp::from_millis;
        let access = |usable_until| AccessGrant {
            token: "a".to_owned(),
            received_at: at(0),
            usable_until: at(usable_until),
        };
        let claim = |until| Some(GrantClaim { holder: 1, until: at(until) });
        for (access, claim, rejected, expected) in [
            (None, None, None, GrantStep::Claim),
            (None, claim(11), None, GrantStep::Wait),
            (None, claim(10), None, GrantStep::Claim),
            (Some(access(11)), claim(11), None, GrantStep::Use(access(11))),
            (Some(access(10)), None, None, GrantStep::Claim),
            (Some(access(11)), None, Some("a"), GrantStep::Claim),
            (Some(access(11)), claim(11), Some("a"), GrantStep::Wait),
            (Some(access(11)), None, Some("older"), GrantStep::Use(access(11))),
        ] {
            let grant = Grant { refresh_token: "r".to_owned(), access };
            let step = next_step(&grant, claim, rejected, at(10));
            assert_eq!(step, expected, "{grant:?} {claim:?} {rejected:?}");
        }
    }
}
