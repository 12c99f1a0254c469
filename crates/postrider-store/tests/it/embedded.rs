//! The files of the embedded store: damaged, lost, and reopened; an index that is rebuilt; and how
//! much one of its transactions changes.

mod damage;
mod formats;
mod labels;
mod loss;
mod other_programs;
mod rebuild;
mod reopening;
mod salvage;
mod steps;

use std::{fs, path::Path};

/// Copies those files of a folder whose names are wanted.
fn copy_folder(from: &Path, wanted: impl Fn(&str) -> bool) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if wanted(name.to_str().unwrap()) {
            fs::copy(entry.path(), copy.path().join(name)).unwrap();
        }
    }
    copy
}
