//! The format of stored data, in comparison with the one of this program.

use std::fmt;

use postrider_core::data_format::{DataFormat, Opening};

/// The format of stored data and of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatReport {
    /// The format of the data; version 0 if there is none yet.
    pub found: DataFormat,
    /// The program that gave the data its format. Programs before format 11 of data folders and
    /// version 10 of PostgreSQL's schema did not store it.
    pub written_by: Option<ProgramVersion>,
    /// The format of this program.
    pub own: DataFormat,
}

impl FormatReport {
    /// What this program does when it opens the data.
    pub fn opening(&self) -> Opening {
        self.found.opening(self.own)
    }

    /// The program that gave the data its format, as people call it.
    pub fn writer(&self) -> String {
        match self.written_by {
            Some(version) => format!("Postrider {version}"),
            None => "a later version".to_owned(),
        }
    }
}

/// The version of a program, without the name of a pre-release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramVersion([u32; 3]);

/// Minor and patch versions are below this number.
const LIMIT: u32 = 1_000;

impl ProgramVersion {
    /// The version of this program.
    pub fn own() -> Self {
        let parts = [
            env!("CARGO_PKG_VERSION_MAJOR"),
            env!("CARGO_PKG_VERSION_MINOR"),
            env!("CARGO_PKG_VERSION_PATCH"),
        ];
        Self(parts.map(|part| part.parse().unwrap_or_default()))
    }

    /// The version as one number, as it is stored.
    pub(crate) const fn number(self) -> u32 {
        let [major, minor, patch] = self.0;
        (major * LIMIT + minor) * LIMIT + patch
    }

    /// The version that was stored as this number.
    pub(crate) const fn from_number(number: u32) -> Self {
        Self([number / LIMIT / LIMIT, number / LIMIT % LIMIT, number % LIMIT])
    }
}

impl fmt::Display for ProgramVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_stored_as_numbers() {
        for parts in [[0, 0, 0], [0, 1, 0], [12, 345, 678], [4_000, 0, 999]] {
            let version = ProgramVersion(parts);
            assert_eq!(ProgramVersion::from_number(version.number()), version);
        }
        assert!(env!("CARGO_PKG_VERSION").starts_with(&ProgramVersion::own().to_string()));
    }
}
