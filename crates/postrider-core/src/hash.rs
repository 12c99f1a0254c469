//! Maps for the hot path.
//!
//! The standard library's hash function withstands attackers who choose keys and can measure how
//! long lookups take. Keys of these maps are chosen by this process, such as ids, or are few and
//! limited, such as hosts that are connected to; for them, a faster function suffices. Its seed
//! is random, too.

use std::collections::{HashMap, HashSet};

/// A map with keys that no attacker chooses.
pub type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A set of what no attacker chooses.
pub type FastSet<T> = HashSet<T, foldhash::fast::RandomState>;
