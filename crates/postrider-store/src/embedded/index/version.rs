//! The version of the index's schema.

use rusqlite::Connection;

/// The version of a complete index. A file with a version that is not known is rebuilt.
pub(super) const VERSION: usize = 4;

/// Added to the version of an index that is being rebuilt.
const IS_REBUILDING: usize = 1_000;

/// The version of an index with the same schema that is being rebuilt.
pub(super) const REBUILDING: usize = VERSION + IS_REBUILDING;

/// The oldest version that is upgraded.
const OLDEST: usize = 2;

/// What each version since the oldest one lacks.
const UPGRADES: [&str; VERSION - OLDEST] =
    [include_str!("../schema/index_3.sql"), include_str!("../schema/index_4.sql")];

/// The tables of a new index.
pub(in crate::embedded) const SCHEMA: &str = concat!(
    include_str!("../schema/index.sql"),
    include_str!("../schema/index_3.sql"),
    include_str!("../schema/index_4.sql"),
);

/// The version of the file, which gets the present one if it can be upgraded.
pub(in crate::embedded) fn upgraded(index: &Connection) -> rusqlite::Result<usize> {
    let found: usize = index.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let rebuilding = if found > IS_REBUILDING { IS_REBUILDING } else { 0 };
    if !(OLDEST..VERSION).contains(&(found - rebuilding)) {
        return Ok(found);
    }
    let version = VERSION + rebuilding;
    index.execute_batch("BEGIN IMMEDIATE")?;
    for upgrade in UPGRADES.iter().skip(found - rebuilding - OLDEST) {
        index.execute_batch(upgrade)?;
    }
    index.pragma_update(None, "user_version", version)?;
    index.execute_batch("COMMIT")?;
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of an index of this version.
    fn index_of(version: usize, user_version: usize) -> Connection {
        let index = Connection::open_in_memory().unwrap();
        index.execute_batch(include_str!("../schema/index.sql")).unwrap();
        for upgrade in UPGRADES.iter().take(version - OLDEST) {
            index.execute_batch(upgrade).unwrap();
        }
        index.pragma_update(None, "user_version", user_version).unwrap();
        index
    }

    fn tables(index: &Connection) -> Vec<String> {
        let mut statement = index.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
        let found = statement.query_map([], |row| row.get(0)).unwrap();
        found.map(Result::unwrap).collect()
    }

    #[test]
    fn an_index_of_each_earlier_version_is_upgraded() {
        let new = Connection::open_in_memory().unwrap();
        new.execute_batch(SCHEMA).unwrap();
        for version in OLDEST..=VERSION {
            for rebuilding in [0, IS_REBUILDING] {
                let index = index_of(version, version + rebuilding);
                for _ in 0..2 {
                    assert_eq!(upgraded(&index).unwrap(), VERSION + rebuilding);
                }
                assert_eq!(tables(&index), tables(&new));
            }
        }
    }

    #[test]
    fn an_unknown_version_stays_as_it_is() {
        for unknown in [0, OLDEST - 1, VERSION + 1, IS_REBUILDING, REBUILDING + 1] {
            let index = index_of(OLDEST, unknown);
            assert_eq!(upgraded(&index).unwrap(), unknown);
        }
    }
}
