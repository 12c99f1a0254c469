//! Detects loops: counts how often a webhook has passed through this deployment.
//!
//! A delivery of a received webhook has the header `postrider-hops`: a list of counts, each with an
//! authentication code of the deployment that counted. If such a delivery is sent to a source, the
//! resulting message counts one more. Counts of other deployments are passed on unchanged, so that
//! a loop through several deployments ends too.
//!
//! An attacker can remove or replay the header in the attacker's own requests, but cannot forge a
//! count that would cause webhooks of others to be rejected.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The header that carries the counts.
pub const HEADER: &str = "postrider-hops";

/// Separates these codes from other uses of the key.
const PURPOSE: &[u8] = b"postrider hops 1";

/// Bytes of a code. Guessing one only lets an attacker have their own requests rejected.
const CODE: usize = 12;

/// Most counts that are passed on; the latest comes first.
const MAX_ENTRIES: usize = 8;

/// Longest entry of another deployment that is passed on.
const MAX_ENTRY: usize = 48;

/// The webhook has passed through this deployment too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the webhook has come through this server {limit} times (`limits.hops`): an endpoint leads \
     back to a source"
)]
pub struct Loop {
    pub limit: usize,
}

/// Counts the hops of webhooks.
#[derive(Clone, Debug)]
pub struct Hops {
    /// The header entry for each count from 1 to the limit, computed once.
    entries: Vec<String>,
}

impl Hops {
    /// Allows `limit` passes through the deployment that `key` belongs to.
    pub fn new(key: &[u8; 32], limit: usize) -> Self {
        Self { entries: (1..=limit).map(|count| entry(key, count)).collect() }
    }

    /// The header for the deliveries of a webhook that had these values of it.
    pub fn next<'a>(&self, received: impl Iterator<Item = &'a str>) -> Result<String, Loop> {
        let (mut count, mut others) = (0, Vec::new());
        for given in received.flat_map(|it| it.split(',')).map(str::trim) {
            match self.entries.iter().position(|it| it == given) {
                Some(at) => count = count.max(at + 1),
                None if is_entry(given) && others.len() + 1 < MAX_ENTRIES => others.push(given),
                None => {},
            }
        }
        let own = self.entries.get(count).ok_or(Loop { limit: self.entries.len() })?;
        others.insert(0, own);
        Ok(others.join(", "))
    }
}

fn entry(key: &[u8; 32], count: usize) -> String {
    let digest = Sha256::new_with_prefix(PURPOSE)
        .chain_update(key)
        .chain_update((count as u64).to_be_bytes())
        .finalize();
    let mut entry = format!("{count}=");
    for byte in digest.iter().take(CODE) {
        write!(entry, "{byte:02x}").expect("writing to a string cannot fail");
    }
    entry
}

/// Whether the text can be the entry of another deployment.
fn is_entry(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || it == b'=';
    (1..=MAX_ENTRY).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hops(key: u8) -> Hops {
        Hops::new(&[key; 32], 3)
    }

    /// How often a webhook with these values comes through until it is refused.
    fn passes(hops: &Hops, first: &[&str]) -> usize {
        let mut value = hops.next(first.iter().copied());
        let mut count = 0;
        while let Ok(came) = value {
            count += 1;
            value = hops.next(std::iter::once(came.as_str()));
        }
        count
    }

    #[test]
    fn a_loop_ends_at_the_limit() {
        assert_eq!(passes(&hops(1), &[]), 3);
        assert_eq!(passes(&Hops::new(&[1; 32], 1), &[]), 1);
    }

    #[test]
    fn forged_counts_are_ignored() {
        for forged in ["3", "3=", "3=000000000000000000000000", "99=x", "\u{e9}", "3=a=b,,;", ""] {
            assert_eq!(passes(&hops(1), &[forged]), 3, "{forged}");
        }
        let others = hops(2).next(std::iter::empty()).unwrap();
        assert_eq!(passes(&hops(1), &[&others]), 3);
    }

    #[test]
    fn the_highest_of_several_counts_is_used() {
        let one = hops(1).next(std::iter::empty()).unwrap();
        let two = hops(1).next(std::iter::once(one.as_str())).unwrap();
        assert_eq!(passes(&hops(1), &[&one, &two]), 1);
        assert_eq!(passes(&hops(1), &[&two, &one]), 1);
        assert_eq!(passes(&hops(1), &[&format!("{two},{one}")]), 1);
    }

    #[test]
    fn a_loop_through_other_deployments_ends() {
        let servers = [hops(1), hops(2), hops(3)];
        let (mut value, mut passes) = (String::new(), 0);
        while let Ok(next) = servers[passes % 3].next(std::iter::once(value.as_str())) {
            value = next;
            passes += 1;
        }
        assert_eq!(passes, 9);
    }

    #[test]
    fn the_header_stays_short() {
        let junk: Vec<_> = (0..1_000).map(|it| format!("{it}={}", "f".repeat(40))).collect();
        let value = hops(1).next(junk.iter().map(String::as_str)).unwrap();
        assert_eq!(value.split(", ").count(), MAX_ENTRIES);
        assert!(value.len() <= MAX_ENTRIES * (MAX_ENTRY + 2));
        // Its own count is kept.
        assert_eq!(passes(&hops(1), &[&value]), 2);
    }
}
