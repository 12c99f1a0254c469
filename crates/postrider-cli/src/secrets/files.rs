//! Secrets in files: who may read them, and how they are made.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use postrider_store::private::{self, Exposed};

use super::{JWT, Kind, MAIN, SPECIMEN, generate, write};
use crate::{config::SecretKeys, failure::Advice};

/// What is kept in the folder: the secret that is used for what is new in the first line, older
/// ones in further lines.
pub(crate) fn kept(folder: &Path, kind: Kind) -> anyhow::Result<Option<SecretKeys>> {
    let path = folder.join(kind.file);
    let bytes = match private::read_secret(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path, kind, error)),
        Ok(bytes) => bytes,
    };
    let text =
        String::from_utf8(bytes).with_context(|| format!("{} is no text", path.display()))?;
    let keys = SecretKeys::of(text.lines());
    keys.with_context(|| format!("{} is empty", path.display())).map(Some)
}

fn unreadable(path: &Path, kind: Kind, error: io::Error) -> anyhow::Error {
    if !error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Exposed>) {
        return anyhow::Error::new(error).context(format!("{} cannot be read", path.display()));
    }
    let hint = format!(
        "if others have read it, replace it, too; where modes cannot be changed, give the secret \
         as POSTRIDER_{} instead",
        kind.key.to_uppercase()
    );
    Advice { message: error.to_string(), hint, source: None }.into()
}

/// Makes a secret and keeps it, unless another process was faster.
pub(super) fn create(folder: &Path, kind: Kind) -> anyhow::Result<SecretKeys> {
    let path = folder.join(kind.file);
    link(folder, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    kept(folder, kind)?.with_context(|| format!("{} is gone again", path.display()))
}

/// Creates the file in one step, so that readers never see a part of it.
fn link(folder: &Path, path: &Path) -> io::Result<()> {
    private::create_folder(folder)?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = private::options().write(true).create_new(true).open(&draft)?;
    writeln!(file, "{}", generate()?)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}

/// Copies the kept secrets into the copy of a data folder.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for name in [JWT, MAIN, SPECIMEN] {
        if let Some(bytes) = read(&from.join(name))? {
            write(&to.join(name), &bytes)?;
        }
    }
    Ok(())
}

/// The content of a file, if there is one.
pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Warns of what others may use in a data folder, such as one that an older version created.
pub(crate) fn warn_of_exposed(folder: &Path) {
    let exposed = private::exposed(folder).unwrap_or_default();
    if let Some(first) = exposed.first() {
        let folder = folder.display();
        tracing::warn!(
            count = exposed.len(),
            "other users of this machine may use {}; run `chmod -R go-rwx {folder}`",
            first.display()
        );
    }
}

/// Warns of configuration files that every user can read, each with the key of a secret in it.
pub(crate) fn warn_of_public_files(files: &[(PathBuf, String)]) {
    for (path, key) in files.iter().filter(|(path, _)| private::is_public(path)) {
        let path = path.display();
        tracing::warn!(
            "{path} holds a secret (`{key}`) and every user of this machine can read it; run \
             `chmod 600 {path}`"
        );
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::secrets::{JWT_SECRET, MAIN_SECRET};

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_reads_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new");
        assert!(kept(&folder, JWT_SECRET).unwrap().is_none());
        let first = create(&folder, JWT_SECRET).unwrap().first;
        assert_eq!(create(&folder, JWT_SECRET).unwrap().first.0, first.0);
        assert_ne!(create(&folder, MAIN_SECRET).unwrap().first.0, first.0);
        assert!(first.0.len() >= 43);
        let mode = fs::metadata(folder.join(JWT)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn older_secrets_have_further_lines() {
        let folder = tempfile::tempdir().unwrap();
        private::write(&folder.path().join(JWT), b"new, with a comma\n\nold\n").unwrap();
        let keys = kept(folder.path(), JWT_SECRET).unwrap().unwrap();
        let texts: Vec<_> = keys.all().map(|it| it.0.as_str()).collect();
        assert_eq!(texts, ["new, with a comma", "old"]);
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), MAIN_SECRET).unwrap();
        let path = folder.path().join(MAIN);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let error = kept(folder.path(), MAIN_SECRET).unwrap_err();
        let expected = format!("run `chmod 600 {}`", path.display());
        assert!(error.to_string().ends_with(&expected), "{error}");
        let hint = &error.downcast_ref::<Advice>().unwrap().hint;
        assert!(hint.contains("POSTRIDER_MAIN_SECRET"), "{hint}");
    }

    #[test]
    fn copies_of_secrets_are_private_whatever_they_are_copied_from() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join(SPECIMEN), "sealed").unwrap();
        create(from.path(), MAIN_SECRET).unwrap();
        copy(from.path(), to.path()).unwrap();
        for name in [SPECIMEN, MAIN] {
            let mode = fs::metadata(to.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
