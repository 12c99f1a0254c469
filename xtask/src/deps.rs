//! The task `deps`: licences, sources, duplicates and unused dependencies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, bail};

use crate::metadata::{Metadata, Package};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Licences that a binary under MIT or Apache-2.0 may be built with.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates of which two versions are built, and who still needs the older one.
const DUPLICATES: [(&str, &str); 20] = [
    ("base64", "hyper-util is ahead of the others"),
    ("block-buffer", "postgres-protocol is ahead of the others"),
    ("chacha20", "chacha20poly1305 and rand"),
    ("const-oid", "postgres-protocol is ahead of the others"),
    ("cpufeatures", "sha2 and chacha20"),
    ("crypto-common", "postgres-protocol is ahead of the others"),
    ("digest", "postgres-protocol is ahead of the others"),
    ("embedded-io", "postcard names two, and builds none"),
    ("fallible-iterator", "postgres-protocol is behind rusqlite"),
    ("getrandom", "ring and ed25519-dalek are behind"),
    ("hashbrown", "hashlink of rusqlite is behind"),
    ("hmac", "postgres-protocol is ahead of the others"),
    ("md-5", "postgres-protocol is ahead of the others"),
    ("rand", "jsonwebtoken is behind"),
    ("rand_chacha", "jsonwebtoken is behind"),
    ("rand_core", "jsonwebtoken is behind"),
    ("sha2", "postgres-protocol is ahead of the others"),
    ("syn", "macros of serde and of clap; built, not shipped"),
    ("synstructure", "macros of zerovec and of yoke; built, not shipped"),
    ("winnow", "toml is behind"),
];

/// Prints every fault, so that one run shows all of them.
#[expect(clippy::print_stderr, reason = "a command line tool reports there")]
pub(crate) fn run(_: &Arguments) -> anyhow::Result<()> {
    let metadata = Metadata::read()?;
    let mut faults = duplicates(&metadata);
    for package in &metadata.packages {
        faults.extend(foreign(package));
    }
    for package in metadata.members() {
        faults.extend(unused(package)?);
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() { Ok(()) } else { bail!("{} faults", faults.len()) }
}

fn duplicates(metadata: &Metadata) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &metadata.packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let is_known = |name: &str| DUPLICATES.iter().any(|(it, _)| *it == name);
    versions
        .into_iter()
        .filter(|(name, versions)| versions.len() > 1 && !is_known(name))
        .map(|(name, versions)| format!("{name}: built in versions {versions:?}"))
        .collect()
}

/// What is wrong with where a crate comes from and under which terms.
fn foreign(package: &Package) -> Vec<String> {
    let mut faults = Vec::new();
    if package.source.as_deref().is_some_and(|it| it != REGISTRY) {
        faults.push(format!("{}: comes from {:?}", package.name, package.source));
    }
    let licence = package.license.as_deref().unwrap_or("none");
    if !is_allowed(licence) {
        faults.push(format!("{}: its licence is {licence}", package.name));
    }
    faults
}

/// Every part of an `AND` must be allowed, one part of an `OR`.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    expression.split(" AND ").all(|part| {
        let part = part.trim_start_matches('(').trim_end_matches(')');
        part.split(" OR ").any(|licence| LICENCES.contains(&licence))
    })
}

/// Dependencies that no file of the crate names.
fn unused(package: &Package) -> anyhow::Result<Vec<String>> {
    let root = Path::new(&package.manifest_path).parent().context("a manifest is in a folder")?;
    let mut text = String::new();
    for folder in ["src", "tests", "benches", "examples"] {
        collect(&root.join(folder), &mut text)?;
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

fn collect(folder: &Path, into: &mut String) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_allowed_by_every_part_of_an_and_and_one_of_an_or() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception OR MIT", true),
            ("MIT AND GPL-3.0", false),
            ("none", false),
        ] {
            assert_eq!(is_allowed(expression), expected, "{expression}");
        }
    }
}
