//! A disk that fails on request, under the real binary.

use std::path::{Path, PathBuf};

use crate::shim::Shim;

const SOURCE: &str = include_str!("../shim/disk.c");

/// A disk under the files of one folder that fails on request: a library that is loaded into a
/// program before the C library. `shim/disk.c` describes what it can do.
#[derive(Debug)]
pub struct FaultyDisk {
    shim: Shim,
    folder: PathBuf,
}

impl FaultyDisk {
    /// A disk under this folder, which need not exist yet.
    ///
    /// # Panics
    ///
    /// If there is no C compiler.
    pub fn new(folder: &Path) -> Self {
        Self { shim: Shim::build("disk", SOURCE), folder: folder.to_owned() }
    }

    /// The environment of a program that runs on the disk.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.shim.library()),
            ("DISK_SHIM_FOLDER", self.folder.display().to_string()),
            ("DISK_SHIM_SCRIPT", self.shim.script()),
            ("DISK_SHIM_LOG", self.shim.log_file()),
        ]
    }

    /// The same for a program of several processes, which may run as another user. Its power never
    /// fails.
    ///
    /// # Panics
    ///
    /// If the temporary folder is gone.
    pub fn variables_of_many(&self) -> [(&'static str, String); 5] {
        self.shim.share();
        let [a, b, c, d] = self.variables();
        [a, b, c, d, ("DISK_SHIM_ERRORS", "1".to_owned())]
    }

    /// Replaces the faults, which are counted from now on. Without lines, the disk works.
    ///
    /// # Panics
    ///
    /// If the temporary folder is gone.
    pub fn fail(&self, script: &str) {
        self.shim.replace_script(script);
    }

    /// What the disk did: a line for each sync that succeeded and for each fault.
    pub fn log(&self) -> Vec<String> {
        self.shim.log()
    }
}
