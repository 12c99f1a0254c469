//! A disk that fails on request, under the real binary.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

const COMPILER: &str = "cc";

const SOURCE: &str = include_str!("../shim/disk.c");

/// A disk under the files of one folder that fails on request: a library that is loaded into a
/// program before the C library. `shim/disk.c` describes what it can do.
#[derive(Debug)]
pub struct FaultyDisk {
    /// Contains the library, the script and the log.
    own: TempDir,
    folder: PathBuf,
}

impl FaultyDisk {
    /// A disk under this folder, which need not exist yet.
    ///
    /// # Panics
    ///
    /// If there is no C compiler.
    pub fn new(folder: &Path) -> Self {
        let own = tempfile::tempdir().expect("there are temporary folders");
        let source = own.path().join("disk.c");
        fs::write(&source, SOURCE).expect("temporary files can be written");
        let built = Command::new(COMPILER)
            .args(["-shared", "-fPIC", "-O2", "-pthread", "-o"])
            .args([&own.path().join("disk.so"), &source])
            .arg("-ldl")
            .output();
        let built = built.unwrap_or_else(|error| panic!("{COMPILER} cannot be run: {error}"));
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { own, folder: folder.to_owned() }
    }

    /// The environment of a program that runs on the disk.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        let path = |name: &str| self.own.path().join(name).display().to_string();
        [
            ("LD_PRELOAD", path("disk.so")),
            ("DISK_SHIM_FOLDER", self.folder.display().to_string()),
            ("DISK_SHIM_SCRIPT", path("script")),
            ("DISK_SHIM_LOG", path("log")),
        ]
    }

    /// Replaces the faults, which are counted from now on. Without lines, the disk works.
    ///
    /// # Panics
    ///
    /// If the temporary folder is gone.
    pub fn fail(&self, script: &str) {
        let draft = self.own.path().join("script.new");
        fs::write(&draft, script).expect("temporary files can be written");
        // As a whole: the program may read it at any moment.
        fs::rename(draft, self.own.path().join("script")).expect("temporary files can be renamed");
    }

    /// What the disk did: a line for each sync that succeeded and for each fault.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.own.path().join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
