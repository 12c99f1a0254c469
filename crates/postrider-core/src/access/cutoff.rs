//! Tokens that expire before the time that they name.

use postrider::OrganizationId;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The maximum number of cutoffs that are stored together.
pub const MAX_CUTOFFS: usize = 1_000;

/// Expires the tokens that were issued until a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCutoff {
    /// Tokens that were issued at this time or before.
    pub issued_until: Timestamp,
    /// When they expire.
    pub expires_at: Timestamp,
    /// Only tokens of this session; all tokens if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// Which tokens of an organization were expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPolicy {
    pub organization: OrganizationId,
    pub cutoffs: Vec<TokenCutoff>,
}

/// There are [`MAX_CUTOFFS`] already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tokens of {MAX_CUTOFFS} sessions are expired already; expire all tokens instead")]
pub struct TooManyCutoffs;

impl TokenCutoff {
    /// Whether everything that `other` expires is expired by this one, and not later.
    fn covers(&self, other: &Self) -> bool {
        self.issued_until >= other.issued_until
            && self.expires_at <= other.expires_at
            && (self.session.is_none() || self.session == other.session)
    }

    fn concerns(&self, issued_at: Timestamp, session: Option<&str>) -> bool {
        issued_at <= self.issued_until
            && self.session.as_deref().is_none_or(|of| Some(of) == session)
    }
}

/// Adds a cutoff, and removes those that it makes redundant.
pub fn add_cutoff(cutoffs: &mut Vec<TokenCutoff>, new: TokenCutoff) -> Result<(), TooManyCutoffs> {
    if cutoffs.iter().any(|old| old.covers(&new)) {
        return Ok(());
    }
    cutoffs.retain(|old| !new.covers(old));
    if cutoffs.len() >= MAX_CUTOFFS {
        return Err(TooManyCutoffs);
    }
    cutoffs.push(new);
    Ok(())
}

/// When a token that was issued at this time expires because of the cutoffs, if it does.
pub fn cut_off_at(
    cutoffs: &[TokenCutoff],
    issued_at: Timestamp,
    session: Option<&str>,
) -> Option<Timestamp> {
    let concerning = cutoffs.iter().filter(|it| it.concerns(issued_at, session));
    concerning.map(|it| it.expires_at).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn cutoff(issued_until: u64, expires_at: u64, session: Option<&str>) -> TokenCutoff {
        TokenCutoff {
            issued_until: at(issued_until),
            expires_at: at(expires_at),
            session: session.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn tokens_issued_until_the_cutoff_expire() {
        let cutoffs = [cutoff(10, 50, None), cutoff(20, 30, Some("a"))];
        for (issued_at, session, expected) in [
            (10, None, Some(50)),
            (11, None, None),
            (10, Some("a"), Some(30)),
            (20, Some("a"), Some(30)),
            (20, Some("b"), None),
            (21, Some("a"), None),
        ] {
            let found = cut_off_at(&cutoffs, at(issued_at), session);
            assert_eq!(found, expected.map(at), "{issued_at} {session:?}");
        }
    }

    #[test]
    fn redundant_cutoffs_are_not_kept() {
        let mut cutoffs = Vec::new();
        let mut add = |new| {
            add_cutoff(&mut cutoffs, new).unwrap();
            cutoffs.len()
        };
        assert_eq!(add(cutoff(10, 100, Some("a"))), 1);
        assert_eq!(add(cutoff(10, 100, Some("b"))), 2);
        assert_eq!(add(cutoff(10, 200, Some("a"))), 2, "an earlier one covers it");
        assert_eq!(add(cutoff(20, 100, None)), 1, "it covers the others");
        assert_eq!(add(cutoff(30, 200, None)), 2, "it expires later");
        assert_eq!(add(cutoff(40, 90, None)), 1);
    }

    #[test]
    fn the_number_of_cutoffs_is_bounded() {
        let mut cutoffs = Vec::new();
        for number in 0..MAX_CUTOFFS {
            add_cutoff(&mut cutoffs, cutoff(1, 1, Some(&number.to_string()))).unwrap();
        }
        assert_eq!(add_cutoff(&mut cutoffs, cutoff(1, 1, Some("x"))), Err(TooManyCutoffs));
        assert_eq!(add_cutoff(&mut cutoffs, cutoff(1, 1, None)), Ok(()));
        assert_eq!(cutoffs.len(), 1);
    }
}
