//! Folders and files that only their owner may use, whatever the umask is: they are created with
//! their mode, so there is no moment at which others can open them.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// A secret is in a file that others can read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} can be read by others than its owner (mode {mode:04o}); run `chmod 600 {}`",
    .path.display(),
    .path.display()
)]
pub struct Exposed {
    path: PathBuf,
    mode: u32,
}

/// Creates the folder and the missing ones above it; one that exists stays as it is.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The options with which files are created.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates an empty file unless there is a file. `SQLite` takes it for an empty database, and
/// gives its mode to the files that it creates next to it.
pub fn touch(path: &Path) -> io::Result<()> {
    options().append(true).create(true).open(path).map(drop)
}

/// Writes the file, or replaces it as a whole.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft(path);
    let mut file = options().write(true).create_new(true).open(&draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written
        .and_then(|()| fs::rename(&draft, path))
        .inspect_err(|_| drop(fs::remove_file(&draft)))?;
    // The name has to survive a power failure as well.
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A name next to the file that no other process uses.
fn draft(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    PathBuf::from(name)
}

/// Reads a file that holds a secret; the error has an [`Exposed`] in it if others can read it.
pub fn read_secret(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    // The metadata of the open file: the path may lead to another one by now.
    if let Some(mode) = too_open(&file.metadata()?) {
        return Err(io::Error::other(Exposed { path: path.to_owned(), mode }));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The folder and the files in it that others than their owner may use.
pub fn exposed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut look = |path: PathBuf, metadata: &Metadata| {
        if mode(metadata).is_some_and(|(mode, _)| mode & 0o077 != 0) {
            found.push(path);
        }
    };
    look(folder.to_owned(), &fs::metadata(folder)?);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            look(entry.path(), &metadata);
        }
    }
    Ok(found)
}

/// Whether everyone on the machine can read the file.
pub fn is_public(path: &Path) -> bool {
    let found = fs::metadata(path).ok().and_then(|it| mode(&it));
    found.is_some_and(|(mode, _)| mode & 0o007 != 0)
}

/// The mode, if it lets others read a secret.
fn too_open(metadata: &Metadata) -> Option<u32> {
    mode(metadata).filter(|(mode, owner)| !is_secret(*mode, *owner)).map(|(mode, _)| mode)
}

/// The rule that PostgreSQL applies to its keys: readable by the owner alone, or by a group if root
/// owns the file, which is how Kubernetes mounts a secret for a process that is not root.
const fn is_secret(mode: u32, owner: u32) -> bool {
    const ROOT: u32 = 0;
    mode | 0o700 == 0o700 || (owner == ROOT && mode | 0o740 == 0o740)
}

/// Mode and owner, where there are such things.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no modes")]
fn mode(metadata: &Metadata) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.mode() & 0o7777, metadata.uid()))
}

#[cfg(not(unix))]
const fn mode(_: &Metadata) -> Option<(u32, u32)> {
    None
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_the_owner_or_a_group_of_root_may_read_a_secret() {
        for (mode, owner, expected) in [
            (0o600, 1000, true),
            (0o400, 1000, true),
            (0o400, 0, true),
            (0o440, 0, true),
            (0o640, 0, true),
            (0o640, 1000, false),
            (0o604, 1000, false),
            (0o660, 0, false),
            (0o644, 0, false),
            (0o777, 0, false),
        ] {
            assert_eq!(is_secret(mode, owner), expected, "{mode:o} of {owner}");
        }
    }

    #[test]
    fn created_files_are_private_and_so_are_replaced_ones() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        create_folder(&folder).unwrap();
        create_folder(&folder).unwrap();
        assert_eq!((mode_of(&folder), mode_of(&parent.path().join("a"))), (0o700, 0o700));
        let (touched, written) = (folder.join("touched"), folder.join("written"));
        touch(&touched).unwrap();
        fs::write(&written, "old").unwrap();
        set_mode(&written, 0o644);
        write(&written, b"new").unwrap();
        assert_eq!((mode_of(&touched), mode_of(&written)), (0o600, 0o600));
        assert_eq!(fs::read(&written).unwrap(), b"new");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn files_that_others_can_read_are_listed_and_rejected_as_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        set_mode(folder.path(), 0o700);
        write(&path, b"sesame").unwrap();
        assert_eq!(exposed(folder.path()).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(read_secret(&path).unwrap(), b"sesame");
        set_mode(&path, 0o644);
        set_mode(folder.path(), 0o755);
        assert_eq!(exposed(folder.path()).unwrap(), [folder.path(), path.as_path()]);
        assert!(is_public(&path));
        let error = read_secret(&path).unwrap_err().to_string();
        let expected = format!(
            "{0} can be read by others than its owner (mode 0644); run `chmod 600 {0}`",
            path.display()
        );
        assert_eq!(error, expected);
    }
}
