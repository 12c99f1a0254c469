//! The task `dist`: what a release consists of, in target/dist.
//!
//! The same sources and tools lead to the same bytes: builds do not contain the folder or the time
//! of the build, and archives have the time of the last commit.

mod archive;
mod binary;
mod checksums;
mod debian;
mod documents;
mod formula;
mod image;
mod release;
mod rpm;
mod sbom;
mod tool;

use std::path::PathBuf;

use clap::ValueEnum;

use self::release::Release;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to make; everything by default
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Package this binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Address of the folder where the release will be, for the Homebrew formula
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

/// One of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The binary with manual pages, completions and the systemd unit
    Tarball,
    /// The debug symbols
    Symbols,
    /// A package for Debian and Ubuntu
    Debian,
    /// A package for Fedora, RHEL and SUSE
    Rpm,
    /// A container image, as an OCI archive
    Image,
    /// The Helm chart
    Chart,
    /// The list of all dependencies, in the format of `CycloneDX`
    Sbom,
    /// The Homebrew formula; needs --base-url
    Formula,
}

impl Part {
    fn make(self, release: &Release, base_url: Option<&str>) -> anyhow::Result<()> {
        match self {
            Self::Tarball => archive::tarball(release),
            Self::Symbols => archive::symbols(release),
            Self::Debian => debian::package(release),
            Self::Rpm => rpm::package(release),
            Self::Image => image::build(release),
            Self::Chart => archive::chart(release),
            Self::Sbom => sbom::write(release),
            Self::Formula => formula::write(release, base_url),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let release = Release::of_workspace()?;
    release.clear()?;
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => binary::build(&release)?,
    };
    binary::stage(&release, &binary)?;
    documents::stage(&release)?;
    let base_url = arguments.base_url.as_deref();
    let is_possible = |part: &Part| *part != Part::Formula || base_url.is_some();
    let all = || Part::value_variants().iter().copied().filter(is_possible).collect();
    let parts = if arguments.parts.is_empty() { all() } else { arguments.parts.clone() };
    for part in parts {
        part.make(&release, base_url)?;
    }
    checksums::write(&release)
}
