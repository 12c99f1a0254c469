//! Trusted certificates from operators and customers.

pub mod identity;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_cert::{Certificate, der::Decode};

/// What is wrong with certificates in PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificatesError {
    #[error("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    Empty,
    #[error("certificate {0} is not valid PEM")]
    Pem(usize),
    #[error("certificate {0} is not an X.509 certificate")]
    Certificate(usize),
}

/// Parses all certificates of a text in PEM. Other sections and lines are ignored.
pub fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        let certificate = certificate.map_err(|_| CertificatesError::Pem(number))?;
        let is_readable = Certificate::from_der(&certificate).is_ok()
            && webpki::anchor_from_trusted_cert(&certificate).is_ok();
        if !is_readable {
            return Err(CertificatesError::Certificate(number));
        }
        certificates.push(certificate);
    }
    if certificates.is_empty() { Err(CertificatesError::Empty) } else { Ok(certificates) }
}

/// Why the certificates of the operator cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("{} cannot be read", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} {source}", .path.display())]
    Certificates { path: PathBuf, source: CertificatesError },
}

/// Reads certificates from files, and from all files in folders. Files of a folder that contain no
/// certificate are ignored, but a folder must contain at least one.
pub fn load(paths: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(if path.is_dir() { folder(path) } else { file(path) }?);
    }
    Ok(all)
}

fn file(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let pem = fs::read(path).map_err(|source| unreadable(path, source))?;
    parse(&pem).map_err(|source| RootsError::Certificates { path: path.to_owned(), source })
}

fn folder(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).map_err(|source| unreadable(path, source))? {
        let entry = entry.map_err(|source| unreadable(path, source))?.path();
        if entry.is_file() {
            match file(&entry) {
                Err(RootsError::Certificates { source: CertificatesError::Empty, .. }) => {},
                certificates => all.extend(certificates?),
            }
        }
    }
    if all.is_empty() {
        let source = CertificatesError::Empty;
        return Err(RootsError::Certificates { path: path.to_owned(), source });
    }
    Ok(all)
}

fn unreadable(path: &Path, source: io::Error) -> RootsError {
    RootsError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn certificates_are_read_from_pem() {
        let (one, other) = (pem(), pem());
        let cut = one.replace("-----END CERTIFICATE-----", "");
        let junk = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for (text, expected) in [
            (one.clone(), Ok(1)),
            (format!("Subject: a\n{one}\n\n{other}"), Ok(2)),
            (one.replace('\n', "\r\n"), Ok(1)),
            (String::new(), Err(CertificatesError::Empty)),
            (
                "-----BEGIN X-----\nMAA=\n-----END X-----\n".to_owned(),
                Err(CertificatesError::Empty),
            ),
            (format!("{one}{cut}"), Err(CertificatesError::Pem(2))),
            (format!("{one}{junk}"), Err(CertificatesError::Certificate(2))),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|it| it.len()), expected, "{text}");
        }
    }

    #[test]
    fn roots_are_files_and_folders() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("folder");
        fs::create_dir_all(folder.join("nested")).unwrap();
        let file = home.path().join("ca.pem");
        fs::write(&file, pem()).unwrap();
        let said = |paths: &[&PathBuf]| {
            let paths: Vec<_> = paths.iter().map(|it| (*it).clone()).collect();
            load(&paths).map(|it| it.len()).map_err(|error| error.to_string())
        };
        assert_eq!(said(&[&file]), Ok(1));
        assert!(
            said(&[&folder])
                .unwrap_err()
                .ends_with("folder holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
        );
        fs::write(folder.join("a.crt"), pem() + &pem()).unwrap();
        fs::write(folder.join("README"), "no certificate").unwrap();
        assert_eq!(said(&[&file, &folder]), Ok(3));
        assert!(
            said(&[&home.path().join("missing")]).unwrap_err().ends_with("missing cannot be read")
        );
        fs::write(&file, "junk").unwrap();
        assert!(said(&[&file]).unwrap_err().contains("ca.pem holds no certificate"));
    }
}
