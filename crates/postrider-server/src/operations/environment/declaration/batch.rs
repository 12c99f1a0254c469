//! The changes of a declaration, as they are collected before they are made together.

use std::collections::{BTreeMap, BTreeSet};

use postrider::{ApplicationId, Uid};
use postrider_core::{
    catalog::{Application, Endpoint},
    declaration::{Document, Documents, RecordName},
};
use postrider_store::{BatchedChange, Version};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::names::Declared;
use crate::{api::error::ApiError, operations::call::Call};

/// What follows when the changes are made.
#[derive(Debug)]
pub(super) struct EndpointEffect {
    pub application: Application,
    pub old: Option<Endpoint>,
    pub new: Option<Endpoint>,
}

/// Collected changes.
#[derive(Debug)]
pub(super) struct Batch {
    pub set: Uid,
    pub before: Documents,
    pub after: Documents,
    /// The versions of the records that the changes were determined from.
    versions: BTreeMap<RecordName, Option<Version>>,
    pub saves: Vec<BatchedChange>,
    /// In the order of removal.
    pub removals: Vec<BatchedChange>,
    /// The applications that nodes have to read again.
    pub touched: BTreeSet<ApplicationId>,
    pub endpoints: Vec<EndpointEffect>,
}

impl Batch {
    pub(super) const fn new(set: Uid) -> Self {
        Self {
            set,
            before: Documents::new(),
            after: Documents::new(),
            versions: BTreeMap::new(),
            saves: Vec::new(),
            removals: Vec::new(),
            touched: BTreeSet::new(),
            endpoints: Vec::new(),
        }
    }

    /// Adds a record as it will be. Returns whether it has to be saved.
    pub(super) fn put<R: Declared>(
        &mut self,
        call: &Call,
        name: RecordName,
        (old, new): (Option<&(R, Version)>, &mut R),
        documents: (Option<Document>, Document),
    ) -> Result<bool, ApiError> {
        if self.after.contains_key(&name) {
            let message = format!("the {} {} is declared twice", name.kind, name.name);
            return Err(ApiError::invalid(&["body"], message));
        }
        let managed_by = old.and_then(|(old, _)| old.managed_by()).cloned();
        let before = documents.0.map(|it| marked(it, managed_by.as_ref()));
        let after = marked(documents.1, Some(&self.set));
        new.set_managed_by(self.set.clone());
        let is_same = before.as_ref().is_some_and(|it| it.plain == after.plain);
        self.versions.insert(name.clone(), old.map(|(_, version)| *version));
        if !is_same {
            let old = old.map(|(record, version)| (record, *version));
            self.saves.push(call.store().batched_save(old, new)?);
            self.touched.extend(new.application());
        }
        if let Some(before) = before {
            self.before.insert(name.clone(), before);
        }
        self.after.insert(name, after);
        Ok(!is_same)
    }

    /// Adds a record that will be removed.
    pub(super) fn remove<R: Declared>(
        &mut self,
        call: &Call,
        name: RecordName,
        (old, version): (&R, Version),
        document: Document,
    ) -> Result<(), ApiError> {
        self.removals.extend(call.store().batched_removal((old, version))?);
        self.touched.extend(old.application());
        self.versions.insert(name.clone(), Some(version));
        self.before.insert(name, marked(document, old.managed_by()));
        Ok(())
    }

    /// Identifies the state that the changes were determined from, and the result.
    pub(super) fn revision(&self) -> String {
        let mut hash = Sha256::new();
        for (name, version) in &self.versions {
            let is_kept = self.after.contains_key(name);
            hash.update(format!("{} {} {:?} {is_kept}\n", name.kind, name.name, version));
        }
        let digest = hash.finalize();
        postrider::provider::Encoding::Hex.encode(&digest[..16])
    }
}

/// The document with the set that the record belongs to, so that a plan shows who manages it.
fn marked(mut document: Document, set: Option<&Uid>) -> Document {
    let Some(set) = set else { return document };
    for value in [&mut document.plain, &mut document.masked] {
        if let Value::Object(fields) = value {
            fields.insert("managedBy".to_owned(), json!(set));
        }
    }
    document
}
