//! The format of stored data: which programs can use data that another version wrote, and what a
//! program does when it opens it.

/// What a migration means for programs of the formats before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compatibility {
    /// They can go on reading and writing the data, so an upgrade can be rolled back.
    ///
    /// A migration is additive if it only adds tables, indexes, and columns with a default or
    /// without `NOT NULL`, or changes their settings, if nothing that is stored afterwards is
    /// unreadable for a program of the format before, and if the new program accepts rows that such
    /// a program writes.
    Additive,
    /// They cannot use the data any more.
    Breaking,
}

/// The format of stored data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFormat {
    /// Counts the migrations that were applied.
    pub version: u32,
    /// Programs whose own format is this one, or a later one, can use the data.
    pub usable_from: u32,
}

/// What a program does with data that it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The data has the program's own format.
    Use,
    /// The data has a later format, which the program can use. It changes nothing about the format.
    UseLater,
    /// The program migrates the data from an earlier format.
    Upgrade {
        /// Programs of that format can use the data afterwards, too.
        is_reversible: bool,
    },
    /// The data has a later format, which the program cannot use.
    Refuse,
}

impl DataFormat {
    /// The format after these migrations, of which the first one leads to version 1.
    pub fn after(migrations: impl IntoIterator<Item = Compatibility>) -> Self {
        let empty = Self { version: 0, usable_from: 0 };
        migrations.into_iter().fold(empty, |before, migration| {
            let version = before.version + 1;
            let usable_from = match migration {
                // Data without a format is new. No program can be rolled back to it.
                Compatibility::Additive => before.usable_from.max(1),
                Compatibility::Breaking => version,
            };
            Self { version, usable_from }
        })
    }

    /// The format of data that was written before programs stored from which format on it can be
    /// used. No other program can use it.
    pub const fn exactly(version: u32) -> Self {
        Self { version, usable_from: version }
    }

    /// What a program with its own format does with data of this one.
    pub const fn opening(self, own: Self) -> Opening {
        if self.version == own.version {
            Opening::Use
        } else if self.version < own.version {
            Opening::Upgrade { is_reversible: own.usable_from <= self.version }
        } else if self.usable_from <= own.version {
            Opening::UseLater
        } else {
            Opening::Refuse
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Compatibility::*, *};

    #[test]
    fn data_is_usable_from_the_last_breaking_migration_on() {
        for (migrations, version, usable_from) in [
            (vec![], 0, 0),
            (vec![Additive], 1, 1),
            (vec![Breaking], 1, 1),
            (vec![Breaking, Additive, Additive], 3, 1),
            (vec![Breaking, Additive, Breaking, Additive], 4, 3),
        ] {
            let expected = DataFormat { version, usable_from };
            assert_eq!(DataFormat::after(migrations.clone()), expected, "{migrations:?}");
        }
    }

    #[test]
    fn later_data_is_used_or_refused_and_earlier_data_is_upgraded() {
        let own = DataFormat { version: 11, usable_from: 10 };
        for (version, usable_from, expected) in [
            (0, 0, Opening::Upgrade { is_reversible: false }),
            (9, 9, Opening::Upgrade { is_reversible: false }),
            (10, 9, Opening::Upgrade { is_reversible: true }),
            (11, 10, Opening::Use),
            (12, 11, Opening::UseLater),
            (99, 1, Opening::UseLater),
            (12, 12, Opening::Refuse),
            (99, 12, Opening::Refuse),
        ] {
            let found = DataFormat { version, usable_from };
            assert_eq!(found.opening(own), expected, "{found:?}");
        }
    }

    fn migrations() -> impl Strategy<Value = Vec<Compatibility>> {
        prop::collection::vec(prop::sample::select(vec![Additive, Breaking]), 1..12)
    }

    proptest! {
        /// An upgrade is reversible exactly if the program of before can use what it leads to.
        #[test]
        fn a_reversible_upgrade_can_be_rolled_back(all in migrations(), known in 1_usize..12) {
            let own = DataFormat::after(all.iter().copied());
            let earlier = DataFormat::after(all[..known.min(all.len())].iter().copied());
            match earlier.opening(own) {
                Opening::Use => prop_assert_eq!(earlier, own),
                Opening::Upgrade { is_reversible: true } => {
                    prop_assert_eq!(own.opening(earlier), Opening::UseLater);
                },
                Opening::Upgrade { is_reversible: false } => {
                    prop_assert_eq!(own.opening(earlier), Opening::Refuse);
                },
                other @ (Opening::UseLater | Opening::Refuse) => {
                    prop_assert!(false, "{:?}", other);
                },
            }
        }
    }
}
