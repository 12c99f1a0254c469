//! Sizes and types of the scripts that the console serves.

use std::{fs, path::Path};

use crate::walk::check_types;

/// All scripts together, uncompressed.
const SCRIPTS_MAX_BYTES: u64 = 30 * 1024;

#[test]
fn the_scripts_of_the_console_are_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../postrider-console/assets/js");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let sizes: Vec<_> = files.map(|it| (it.file_name(), it.metadata().unwrap().len())).collect();
    let total: u64 = sizes.iter().map(|(_, size)| size).sum();
    assert!(total > 0 && total <= SCRIPTS_MAX_BYTES, "{total} bytes: {sizes:?}");
}

#[tokio::test]
async fn the_scripts_of_the_console_have_no_type_errors() {
    check_types("tsconfig.console.json").await;
}

#[tokio::test]
async fn the_scripts_of_these_tests_have_no_type_errors() {
    check_types("tsconfig.json").await;
}
