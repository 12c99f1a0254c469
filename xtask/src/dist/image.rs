//! The container image: the binary with libc, libgcc and certificates, and nothing else.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::{
    archive,
    documents::write,
    release::{Release, copy_into},
    tool,
};

/// Packages of the Debian release that this runs on, which is also the one that the binary was
/// linked on.
const PACKAGES: [&str; 3] = ["ca-certificates", "libc6", "libgcc-s1"];

/// What the image contains of them: what the binary loads, names of hosts, and the licenses.
const KEPT: [&str; 5] = ["lib", "lib64", "usr/lib", "usr/lib64", "usr/share/doc"];

/// Conversions between character sets, which are the largest part and not used.
const CONVERSIONS: &str = "gconv";

/// The user of the server.
const USER: &str = "65532";

const ACCOUNTS: &str = "root:x:0:0:root:/:/nonexistent\n\
                        postrider:x:65532:65532:postrider:/var/lib/postrider:/nonexistent\n";
const GROUPS: &str = "root:x:0:\npostrider:x:65532:\n";

const DATA: &str = "/var/lib/postrider";

/// Needs root, because the image has files of two users.
pub(super) fn build(release: &Release) -> anyhow::Result<()> {
    let work = release.stage().join("image");
    let root = root_folder(release, &work)?;
    let image = Buildah { storage: work.join("storage"), run: work.join("run") };
    let container = image.output(&["from", "scratch"])?;
    let container = container.trim();
    let mounted = PathBuf::from(image.output(&["mount", container])?.trim());
    let mut copy = Command::new("cp");
    // Everything belongs to root, whose rights the server does not have.
    copy.args(["--recursive", "--no-dereference", "--preserve=mode"]).arg(root.join("."));
    tool::run(copy.arg(&mounted), "cp")?;
    let mut install = Command::new("install");
    install.args(["--directory", "--mode=0700", "--owner", USER, "--group", USER]);
    tool::run(install.arg(mounted.join(DATA.trim_start_matches('/'))), "install")?;
    image.configure(release, container)?;
    let layout = work.join("layout");
    let target = format!("oci:{}:postrider:{}", layout.display(), release.version);
    let time = ["--timestamp", release.epoch.as_str()];
    let options = ["--rm", "--quiet", "--disable-compression=false"];
    image.output(&[&["commit"], &options[..], &time, &[container, &target]].concat())?;
    let name = format!("postrider-{}-{}.oci.tar", release.version, Release::debian_architecture()?);
    let members = ["blobs", "index.json", "oci-layout"];
    archive::tar(release, &release.results().join(name), (&layout, &members), &[])
}

/// The file system of the image.
fn root_folder(release: &Release, work: &Path) -> anyhow::Result<PathBuf> {
    let (unpacked, root) = (work.join("unpacked"), work.join("root"));
    unpack(&work.join("packages"), &unpacked)?;
    fs::create_dir_all(&root).with_context(|| root.display().to_string())?;
    for folder in KEPT.map(|it| unpacked.join(it)).into_iter().filter(|it| it.exists()) {
        let parent = folder.strip_prefix(&unpacked)?.parent().context("it has a parent")?;
        fs::create_dir_all(root.join(parent))?;
        let mut copy = Command::new("cp");
        copy.args(["--archive"]).arg(&folder).arg(root.join(parent));
        tool::run(&mut copy, "cp")?;
    }
    complete_libraries(&root)?;
    write(&root.join("etc/ssl/certs/ca-certificates.crt"), &certificates(&unpacked)?)?;
    write(&root.join("etc/passwd"), ACCOUNTS.as_bytes())?;
    write(&root.join("etc/group"), GROUPS.as_bytes())?;
    copy_into(&release.stage().join("bin/postrider"), &root.join("usr/bin"))?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy_into(&release.root.join(license), &root.join("usr/share/doc/postrider"))?;
    }
    Ok(root)
}

/// Newer releases have all libraries below /usr, and links to them that another package makes.
fn complete_libraries(root: &Path) -> anyhow::Result<()> {
    for name in ["lib", "lib64"] {
        let (link, target) = (root.join(name), Path::new("usr").join(name));
        if !link.exists() && root.join(&target).exists() {
            symlink(&target, &link).with_context(|| link.display().to_string())?;
        }
    }
    let libraries = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let conversions = root.join(libraries).join(CONVERSIONS);
    if conversions.exists() {
        fs::remove_dir_all(&conversions).with_context(|| conversions.display().to_string())?;
    }
    Ok(())
}

fn unpack(packages: &Path, into: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(packages).with_context(|| packages.display().to_string())?;
    let mut apt = Command::new("apt-get");
    // Otherwise apt complains that its own user cannot write to the folder.
    apt.args(["--quiet", "--option=APT::Sandbox::User=root", "download"]).args(PACKAGES);
    tool::output(apt.current_dir(packages), "apt-get")?;
    for entry in fs::read_dir(packages)? {
        let mut dpkg = Command::new("dpkg-deb");
        dpkg.arg("--extract").arg(entry?.path()).arg(into);
        tool::run(&mut dpkg, "dpkg-deb")?;
    }
    Ok(())
}

/// All certificates of the package in one file, as its installation would make it.
fn certificates(unpacked: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = unpacked.join("usr/share/ca-certificates/mozilla");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|it| Ok(it?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    let mut bundle = Vec::new();
    for path in paths {
        bundle.extend(fs::read(&path).with_context(|| path.display().to_string())?);
        bundle.push(b'\n');
    }
    Ok(bundle)
}

/// Runs buildah with a storage of its own, and without a runtime for containers.
struct Buildah {
    storage: PathBuf,
    run: PathBuf,
}

impl Buildah {
    fn output(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut buildah = Command::new("buildah");
        buildah.args(["--storage-driver", "vfs", "--root"]).arg(&self.storage);
        buildah.arg("--runroot").arg(&self.run).args(arguments);
        buildah.env("BUILDAH_ISOLATION", "chroot");
        tool::output(&mut buildah, "buildah")
    }

    fn configure(&self, release: &Release, container: &str) -> anyhow::Result<()> {
        let version = format!("org.opencontainers.image.version={}", release.version);
        let data = format!("POSTRIDER_DATA_DIR={DATA}");
        self.output(&[
            "config",
            "--user=65532:65532",
            // Files that SQLite needs for a moment go to the current folder.
            &format!("--workingdir={DATA}"),
            &format!("--volume={DATA}"),
            "--port=8071",
            "--env=POSTRIDER_LISTEN=0.0.0.0:8071",
            &format!("--env={data}"),
            "--label=org.opencontainers.image.title=Postrider",
            "--label=org.opencontainers.image.licenses=MIT OR Apache-2.0",
            &format!("--label={version}"),
            r#"--entrypoint=["/usr/bin/postrider"]"#,
            "--cmd=serve",
            "--stop-signal=SIGTERM",
            container,
        ])
        .map(drop)
    }
}
