//! Declared records: how files and the stored records differ, and what follows.
//!
//! Records are compared as the documents that files contain. Each document exists twice: as it is,
//! and with masks in place of its secrets, so that a difference is found in the former and shown
//! from the latter.

mod difference;
mod document;
pub mod export;
pub mod files;
mod masks;
pub mod tree;

use std::collections::{BTreeMap, BTreeSet};

use postrider::api::declaration::{DeclaredKind, RecordAction};

pub use self::{
    difference::{FieldChange, differences},
    document::Document,
    masks::{compact, keep_masked},
};

/// What identifies a declared record in an organization. The order is that of creation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName {
    pub kind: DeclaredKind,
    /// The uid or name; for an endpoint, the uid of what it belongs to, a slash, and its own.
    pub name: String,
}

/// Records by name.
pub type Documents = BTreeMap<RecordName, Document>;

/// What is done with one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub action: RecordAction,
    pub name: RecordName,
    pub fields: Vec<FieldChange>,
}

/// The steps from one state to another. What others refer to is created before them, and removed
/// after them.
pub fn plan(before: &Documents, after: &Documents) -> Vec<Step> {
    let mut steps: Vec<Step> =
        after.iter().filter_map(|(name, new)| step(name, before.get(name), new)).collect();
    let removed = before.iter().rev().filter(|(name, _)| !after.contains_key(name));
    steps.extend(removed.map(|(name, _)| Step {
        action: RecordAction::Remove,
        name: name.clone(),
        fields: Vec::new(),
    }));
    steps
}

fn step(name: &RecordName, old: Option<&Document>, new: &Document) -> Option<Step> {
    let fields = differences(old, new);
    let action = match old {
        None => RecordAction::Create,
        Some(_) if fields.is_empty() => return None,
        Some(_) => RecordAction::Update,
    };
    Some(Step { action, name: name.clone(), fields })
}

/// The records of a set that are not declared any more.
pub fn obsolete(
    managed: &BTreeSet<RecordName>,
    declared: &BTreeSet<RecordName>,
) -> BTreeSet<RecordName> {
    managed.difference(declared).cloned().collect()
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
