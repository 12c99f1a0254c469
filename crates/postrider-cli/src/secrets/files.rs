//! The files of secrets in the data folder: reading, creating and their permissions.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use postrider_store::private::{self, Exposed};

use super::kind::{CHECK_FILE, JWT_SECRET, Kind, MAIN_SECRET};
use crate::{config::SecretKeys, failure::Advice, random};

/// The secret in the folder. The first line contains the current one, further lines older ones.
pub(crate) fn stored(folder: &Path, kind: Kind) -> anyhow::Result<Option<SecretKeys>> {
    let path = folder.join(kind.file);
    let bytes = match private::read_secret(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path, kind, error)),
        Ok(bytes) => bytes,
    };
    let text = String::from_utf8(bytes)
        .with_context(|| format!("{} is not valid UTF-8", path.display()))?;
    let keys = SecretKeys::of(text.lines());
    keys.with_context(|| format!("{} is empty", path.display())).map(Some)
}

fn unreadable(path: &Path, kind: Kind, error: io::Error) -> anyhow::Error {
    if !error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Exposed>) {
        return anyhow::Error::new(error).context(format!("{} cannot be read", path.display()));
    }
    let hint = format!(
        "if other users may have read it, also replace it; if the file system has no permissions, \
         set POSTRIDER_{} instead",
        kind.key.to_uppercase()
    );
    Advice { message: error.to_string(), hint, source: None }.into()
}

/// Creates a secret, unless another process has just done so.
pub(super) fn create(folder: &Path, kind: Kind) -> anyhow::Result<SecretKeys> {
    let path = folder.join(kind.file);
    create_file(folder, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    stored(folder, kind)?.with_context(|| format!("{} disappeared", path.display()))
}

/// Creates the file atomically: readers see all of it or nothing, and an existing file stays.
fn create_file(folder: &Path, path: &Path) -> io::Result<()> {
    private::create_folder(folder)?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = private::options().write(true).create_new(true).open(&draft)?;
    writeln!(file, "{}", random::secret()?)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}

/// Copies the secrets to a copy of the data folder.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for name in [JWT_SECRET.file, MAIN_SECRET.file, CHECK_FILE] {
        if let Some(bytes) = read_optional(&from.join(name))? {
            write(&to.join(name), &bytes)?;
        }
    }
    Ok(())
}

/// The content of the file, or `None` if it does not exist.
pub(crate) fn read_optional(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    private::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// Warns of files in the data folder that other users can access, which older versions created.
pub(crate) fn warn_of_exposed(folder: &Path) {
    let exposed = private::exposed(folder).unwrap_or_default();
    if let Some(first) = exposed.first() {
        let folder = folder.display();
        tracing::warn!(
            count = exposed.len(),
            "other users of this machine can access {}; run `chmod -R go-rwx {folder}`",
            first.display()
        );
    }
}

/// Warns of configuration files with secrets that every user can read. Each file comes with the key
/// of one of its secrets.
pub(crate) fn warn_of_public_files(files: &[(PathBuf, String)]) {
    for (path, key) in files.iter().filter(|(path, _)| private::is_public(path)) {
        let path = path.display();
        tracing::warn!(
            "every user of this machine can read {path}, which contains a secret (`{key}`); run \
             `chmod 600 {path}`"
        );
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_created_once_and_only_its_owner_can_read_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new");
        assert!(stored(&folder, JWT_SECRET).unwrap().is_none());
        let first = create(&folder, JWT_SECRET).unwrap().first;
        assert_eq!(create(&folder, JWT_SECRET).unwrap().first.0, first.0);
        assert_ne!(create(&folder, MAIN_SECRET).unwrap().first.0, first.0);
        assert!(first.0.len() >= 43);
        let mode = fs::metadata(folder.join(JWT_SECRET.file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn further_lines_contain_older_secrets() {
        let folder = tempfile::tempdir().unwrap();
        private::write(&folder.path().join(JWT_SECRET.file), b"new, with a comma\n\nold\n")
            .unwrap();
        let keys = stored(folder.path(), JWT_SECRET).unwrap().unwrap();
        let texts: Vec<_> = keys.all().map(|it| it.0.as_str()).collect();
        assert_eq!(texts, ["new, with a comma", "old"]);
    }

    #[test]
    fn a_secret_that_other_users_can_read_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), MAIN_SECRET).unwrap();
        let path = folder.path().join(MAIN_SECRET.file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let error = stored(folder.path(), MAIN_SECRET).unwrap_err();
        let expected = format!("run `chmod 600 {}`", path.display());
        assert!(error.to_string().ends_with(&expected), "{error}");
        let hint = &error.downcast_ref::<Advice>().unwrap().hint;
        assert!(hint.contains("POSTRIDER_MAIN_SECRET"), "{hint}");
    }

    #[test]
    fn copies_of_secrets_are_private_whatever_the_permissions_of_the_originals() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join(CHECK_FILE), "sealed").unwrap();
        create(from.path(), MAIN_SECRET).unwrap();
        copy(from.path(), to.path()).unwrap();
        for name in [CHECK_FILE, MAIN_SECRET.file] {
            let mode = fs::metadata(to.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
