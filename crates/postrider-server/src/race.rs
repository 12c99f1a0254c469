//! Changes that read a record and save it again.
//!
//! Locks order the changes of one node ([`ChangeLocks`](crate::locks::ChangeLocks)), so that they
//! wait for each other instead of failing, and so that parallel requests cannot exceed a quota.
//! Between nodes there is no lock. If another node was faster, the store refuses the save, and the
//! change starts again from the stored record: otherwise it would undo the other change.

use std::future::Future;

use crate::api::error::ApiError;

/// How often a change is tried. Each try that fails means that another one succeeded.
const MAX_TRIES: usize = 5;

/// Runs the change, and again if its record was changed meanwhile.
pub(crate) async fn retry<T, F>(mut change: impl FnMut() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    for _ in 1..MAX_TRIES {
        match change().await {
            Err(ApiError::Outdated(_)) => {},
            result => return result,
        }
    }
    change().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(outdated: usize) -> (usize, Result<(), ApiError>) {
        let mut tries = 0;
        let result = retry(|| {
            tries += 1;
            let is_outdated = tries <= outdated;
            async move { if is_outdated { Err(ApiError::Outdated("endpoint")) } else { Ok(()) } }
        });
        let result = result.await;
        (tries, result)
    }

    #[tokio::test]
    async fn a_change_is_repeated_a_few_times_if_another_one_was_faster() {
        for (outdated, expected) in [(0, 1), (1, 2), (4, 5)] {
            assert!(matches!(run(outdated).await, (tries, Ok(())) if tries == expected));
        }
        assert!(matches!(run(9).await, (MAX_TRIES, Err(ApiError::Outdated("endpoint")))));
    }
}
