//! How many shards a machine gets, if nothing else is configured.

/// The largest number of shards.
pub const MAX_SHARDS: usize = 64;

/// Cores for each core that the store's threads, the kernel and others get.
const CORES_PER_RESERVED: usize = 4;

/// The number of shards for a machine with this number of cores.
///
/// A shard serves clients and sends deliveries on one thread. For about four of them, the store's
/// threads keep one core busy (`docs/decisions/threads.md`), so a quarter of the cores is theirs.
/// With one or two cores, a second shard would only take turns with the first one.
pub const fn automatic(cores: usize) -> usize {
    if cores <= 2 {
        return 1;
    }
    let shards = cores - cores.div_ceil(CORES_PER_RESERVED);
    if shards < MAX_SHARDS { shards } else { MAX_SHARDS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_many_cores_is_left_to_others() {
        let shards = [0, 1, 2, 3, 4, 6, 8, 16, 64, 96, 1_000].map(automatic);
        assert_eq!(shards, [1, 1, 1, 2, 3, 4, 6, 12, 48, 64, 64]);
    }
}
