//! Mappings for tests.

use serde_json::json;

use super::{
    mapping::{ColumnConfig, Mapping, MappingConfig, Mode},
    name::Name,
};

/// The whole event.
pub(super) fn mapping(mode: Mode) -> Mapping {
    Mapping::new(MappingConfig { columns: None, mode, key: None }).expect("a good mapping")
}

/// A row for each user.
pub(super) fn by_user() -> Mapping {
    let columns = json!([
        { "name": "user", "path": "payload.user", "type": "integer" },
        { "name": "name", "path": "payload.name" },
    ]);
    let columns: Vec<ColumnConfig> = serde_json::from_value(columns).expect("good columns");
    let key = [Name::parse("user").expect("a good name")];
    let config = MappingConfig { columns: Some(&columns), mode: Mode::Upsert, key: Some(&key) };
    Mapping::new(config).expect("a good mapping")
}
