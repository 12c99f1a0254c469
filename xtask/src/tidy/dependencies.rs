//! What the crates of the workspace may depend on, and whether they use it.

use std::fs;

use super::files::files;
use crate::metadata::{Metadata, Package};

/// The crates in their order: each may depend on those before it.
const ORDER: [&str; 9] = [
    "postrider-sandbox",
    "postrider",
    "postrider-core",
    "postrider-store",
    "postrider-engine",
    "postrider-sinks",
    "postrider-server",
    "postrider-console",
    "postrider-cli",
];

/// Dependencies that a crate must not have, directly or indirectly.
const FORBIDDEN: [(&str, &[&str]); 5] = [
    ("postrider-sandbox", &["hyper", "axum", "rusqlite", "rand"]),
    ("postrider-core", &["tokio", "hyper", "axum", "rusqlite"]),
    ("postrider-store", &["hyper", "axum"]),
    ("postrider-engine", &["axum"]),
    ("postrider", &["tokio", "hyper", "axum", "rusqlite"]),
];

/// Dependencies that a crate must not name. The verification of RSA signatures is built with `rand`
/// and never calls it.
const NOT_NAMED: [(&str, &str); 1] = [("postrider-core", "rand")];

/// One fault for each dependency that is forbidden or not used.
pub(super) fn faults(metadata: &Metadata) -> anyhow::Result<Vec<String>> {
    let mut faults = against_the_order(metadata);
    faults.extend(forbidden()?);
    faults.extend(named(metadata));
    for package in metadata.members() {
        faults.extend(unused(package)?);
    }
    Ok(faults)
}

fn against_the_order(metadata: &Metadata) -> Vec<String> {
    let place = |name: &str| ORDER.iter().position(|it| *it == name);
    let mut faults = Vec::new();
    for package in metadata.members() {
        for dependency in package.dependencies.iter().filter(|it| it.kind.is_none()) {
            let (Some(own), Some(other)) = (place(&package.name), place(&dependency.name)) else {
                continue;
            };
            if other >= own {
                faults.push(format!("{} must not depend on {}", package.name, dependency.name));
            }
        }
    }
    faults
}

fn named(metadata: &Metadata) -> Vec<String> {
    let is_named = |(name, forbidden): &(&str, &str)| {
        let package = metadata.members().find(|it| it.name == *name);
        let mut normal =
            package.iter().flat_map(|it| &it.dependencies).filter(|it| it.kind.is_none());
        normal.any(|it| it.name == *forbidden)
    };
    let found = NOT_NAMED.iter().filter(|it| is_named(it));
    found.map(|(name, forbidden)| format!("{name} must not depend on {forbidden}")).collect()
}

fn forbidden() -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (name, forbidden) in FORBIDDEN {
        let built = Metadata::closure(name)?;
        let found = forbidden.iter().filter(|it| built.iter().any(|built| built == *it));
        faults.extend(found.map(|it| format!("{name} must not be built with {it}")));
    }
    Ok(faults)
}

/// Dependencies that no file of the crate names.
fn unused(package: &Package) -> anyhow::Result<Vec<String>> {
    let mut text = String::new();
    for folder in ["src", "tests", "benches", "examples"] {
        let folder = package.folder()?.join(folder);
        if folder.exists() {
            for path in files(&folder, "rs")? {
                text.push_str(&fs::read_to_string(path)?);
            }
        }
    }
    // The library of `md-5` is `md5`.
    let is_named =
        |name: &str| ["_", ""].iter().any(|dash| text.contains(&name.replace('-', dash)));
    Ok(package
        .dependencies
        .iter()
        .filter(|it| !is_named(it.rename.as_ref().unwrap_or(&it.name)))
        .map(|it| format!("{}: does not use {}", package.name, it.name))
        .collect())
}
