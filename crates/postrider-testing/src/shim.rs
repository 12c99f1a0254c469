//! A C library that is loaded into a program before the C library, its script and its log.

use std::{
    fs::{self, OpenOptions, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use tempfile::TempDir;

const COMPILER: &str = "cc";

#[derive(Debug)]
pub(crate) struct Shim {
    name: &'static str,
    /// Contains the library, the script and the log.
    folder: TempDir,
}

impl Shim {
    /// Panics if there is no C compiler.
    pub(crate) fn build(name: &'static str, source: &str) -> Self {
        let folder = tempfile::tempdir().expect("there are temporary folders");
        let shim = Self { name, folder };
        let path = shim.path(&format!("{name}.c"));
        fs::write(&path, source).expect("temporary files can be written");
        let built = Command::new(COMPILER)
            .args(["-shared", "-fPIC", "-O2", "-pthread", "-o"])
            .args([&shim.library(), &path])
            .arg("-ldl")
            .output();
        let built = built.unwrap_or_else(|error| panic!("{COMPILER} cannot be run: {error}"));
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        shim
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn library(&self) -> String {
        self.path(&format!("{}.so", self.name))
    }

    pub(crate) fn script(&self) -> String {
        self.path("script")
    }

    pub(crate) fn log_file(&self) -> String {
        self.path("log")
    }

    /// Lets other users load the library and write the log.
    pub(crate) fn share(&self) {
        let allow = |path: &str, mode: u32| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("the folder is ours");
        };
        allow(&self.folder.path().display().to_string(), 0o755);
        let log = OpenOptions::new().append(true).create(true).open(self.log_file());
        log.expect("temporary files can be written");
        allow(&self.log_file(), 0o666);
    }

    pub(crate) fn replace_script(&self, script: &str) {
        let draft = self.path("script.new");
        fs::write(&draft, script).expect("temporary files can be written");
        // As a whole: the program may read it at any moment.
        fs::rename(draft, self.script()).expect("temporary files can be renamed");
    }

    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
