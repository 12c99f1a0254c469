//! Names and marks of declared records.

use postrider::{Uid, api::declaration::DeclaredKind};
use postrider_core::{
    catalog::{Application, Connector, Consumer, Endpoint, EventType, Source},
    declaration::RecordName,
};
use postrider_store::Record;

use crate::{api::error::ApiError, operations::endpoint::declaration::Parent};

/// A record that can be declared.
pub(super) trait Declared: Record + Clone {
    const KIND: DeclaredKind;

    /// The set that it belongs to.
    fn managed_by(&self) -> Option<&Uid>;

    fn set_managed_by(&mut self, set: Uid);
}

macro_rules! declared {
    ($($record:ident),+) => {$(
        impl Declared for $record {
            const KIND: DeclaredKind = DeclaredKind::$record;

            fn managed_by(&self) -> Option<&Uid> {
                self.managed_by.as_ref()
            }

            fn set_managed_by(&mut self, set: Uid) {
                self.managed_by = Some(set);
            }
        }
    )+};
}
declared!(Application, Connector, Consumer, Endpoint, EventType, Source);

/// The name of a record of this kind.
pub(super) fn named<R: Declared>(name: impl Into<String>) -> RecordName {
    RecordName { kind: <R as Declared>::KIND, name: name.into() }
}

/// The name of an endpoint.
pub(super) fn endpoint_name(parent: &Parent, uid: &str) -> RecordName {
    let of = match parent {
        Parent::Application(_) => "",
        // A source may have the uid of an application.
        Parent::Source(_) => "source ",
    };
    named::<Endpoint>(format!("{of}{}/{uid}", parent.uid()))
}

/// The uid of a declared record, which it must have.
pub(super) fn required_uid(uid: Option<&str>) -> Result<Uid, ApiError> {
    let uid = uid.ok_or_else(|| {
        ApiError::invalid(&["body", "uid"], "is missing: a declared record is found by its uid")
    })?;
    uid.parse().map_err(|error| ApiError::invalid(&["body", "uid"], format!("{error}")))
}

/// The problem in the part of the request that it is in.
pub(super) fn within(kind: DeclaredKind, index: usize, error: ApiError) -> ApiError {
    let ApiError::Invalid(mut items) = error else { return error };
    for item in &mut items {
        let rest = match item.loc.first() {
            Some(first) if first == "body" => item.loc.split_off(1),
            _ => std::mem::take(&mut item.loc),
        };
        let place = ["body", "records", kind.list()].map(str::to_owned);
        item.loc = place.into_iter().chain([index.to_string()]).chain(rest).collect();
    }
    ApiError::Invalid(items)
}
