//! The list of all crates in the binary, in the format of `CycloneDX`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{documents, release::Release, tool};

/// A crate: name and version.
type Id = (String, String);

pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--package=postrider-cli", "--features=full"]);
    cargo.args(["--edges=normal", "--prefix=none", "--format={p}|{l}"]).current_dir(&release.root);
    let tree = tool::output(&mut cargo, "cargo")?;
    let lock = release.root.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).with_context(|| lock.display().to_string())?;
    let mut date = Command::new("date");
    date.args(["--utc", "+%FT%TZ", "--date"]).arg(format!("@{}", release.epoch));
    let time = tool::output(&mut date, "date")?;
    let document = document(&release.version, time.trim(), &tree, &checksums(&lock));
    let file = release.results().join(format!("{}.cdx.json", release.name()));
    documents::write(&file, format!("{document:#}\n").as_bytes())
}

fn document(version: &str, time: &str, tree: &str, checksums: &BTreeMap<Id, String>) -> Value {
    // The same crate is listed wherever it is used, and marked from the second time on.
    let lines: BTreeSet<_> = tree.lines().map(|it| it.replace(" (*)", "")).collect();
    let components = lines.iter().filter_map(|line| component(line, checksums));
    let components: Vec<_> = components.filter(|it| it["name"] != "postrider-cli").collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": {
                "type": "application",
                "bom-ref": "postrider",
                "name": "postrider",
                "version": version,
            },
        },
        "components": components,
    })
}

/// The component that a line such as `serde v1.0.0|MIT OR Apache-2.0` describes.
fn component(line: &str, checksums: &BTreeMap<Id, String>) -> Option<Value> {
    let (package, license) = line.split_once('|')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let mut component = json!({
        "type": "library",
        "bom-ref": format!("{name}@{version}"),
        "name": name,
        "version": version,
    });
    if !license.is_empty() {
        // An old notation for a choice.
        let expression = license.replace(" / ", " OR ").replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    // Crates of the project itself come from no registry.
    if let Some(checksum) = checksums.get(&(name.to_owned(), version.to_owned())) {
        component["purl"] = json!(format!("pkg:cargo/{name}@{version}"));
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    Some(component)
}

/// The checksums in Cargo.lock.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let packages = lock.split("[[package]]").skip(1);
    let checksum = |package: &str| {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.strip_prefix(" = ")?.trim_matches('"').to_owned())
        };
        Some(((value("name")?, value("version")?), value("checksum")?))
    };
    packages.filter_map(checksum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_listed_once_with_its_license_and_checksum() {
        let lock = "\
            version = 4\n\n\
            [[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\
            source = \"registry+index\"\nchecksum = \"abc\"\ndependencies = [\n \"b\",\n]\n\n\
            [[package]]\nname = \"postrider-cli\"\nversion = \"0.1.0\"\n\n\
            [[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";
        let tree = "\
            postrider-cli v0.1.0 (/path)|MIT\n\
            b v2.0.0 (/path)|MIT OR Apache-2.0\n\
            a v1.0.0|MIT/Apache-2.0\n\
            a v1.0.0|MIT/Apache-2.0 (*)";
        let found = document("0.1.0", "2026-01-31T12:00:00Z", tree, &checksums(lock));
        let expected = json!([
            {
                "type": "library", "bom-ref": "a@1.0.0", "name": "a", "version": "1.0.0",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "purl": "pkg:cargo/a@1.0.0",
                "hashes": [{ "alg": "SHA-256", "content": "abc" }],
            },
            {
                "type": "library", "bom-ref": "b@2.0.0", "name": "b", "version": "2.0.0",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        ]);
        assert_eq!(found["components"], expected);
        assert_eq!(found["metadata"]["component"]["version"], "0.1.0");
    }
}
