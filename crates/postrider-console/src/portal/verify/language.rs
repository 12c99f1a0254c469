//! The code in each language. It is in `assets/verify`.

/// The kind of an endpoint's secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scheme {
    #[default]
    Hmac,
    Ed25519,
}

impl Scheme {
    pub(super) const ALL: [Self; 2] = [Self::Hmac, Self::Ed25519];

    /// The kind in the URL of the page.
    pub(super) fn of(id: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|it| Some(it.id()) == id).unwrap_or_default()
    }

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "Shared secret",
            Self::Ed25519 => "Public key",
        }
    }

    pub(super) const fn explanation(self) -> &'static str {
        match self {
            Self::Hmac => "whsec_… · HMAC-SHA256",
            Self::Ed25519 => "whpk_… · Ed25519",
        }
    }

    pub(super) const fn signature(self) -> &'static str {
        match self {
            Self::Hmac => {
                "Each is v1, and an HMAC-SHA256 in Base64, whose key is the Base64 after whsec_."
            },
            Self::Ed25519 => {
                "Each is v1a, and an Ed25519 signature in Base64; the public key is the Base64 after whpk_."
            },
        }
    }
}

/// A language of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    JavaScript,
    TypeScript,
    Python,
    Go,
    Rust,
    Ruby,
    Php,
    Java,
    CSharp,
    OpenSsl,
}

/// The code for a language: for a shared secret, and for a public key.
macro_rules! code {
    ($file:literal) => {
        [
            include_str!(concat!("../../../assets/verify/hmac/", $file)),
            include_str!(concat!("../../../assets/verify/ed25519/", $file)),
        ]
    };
}

impl Language {
    pub(super) const ALL: [Self; 10] = [
        Self::JavaScript,
        Self::TypeScript,
        Self::Python,
        Self::Go,
        Self::Rust,
        Self::Ruby,
        Self::Php,
        Self::Java,
        Self::CSharp,
        Self::OpenSsl,
    ];

    /// The language in the URL of the page, or the first one.
    pub(super) fn of(id: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|it| Some(it.id()) == id).unwrap_or(Self::JavaScript)
    }

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Ruby => "ruby",
            Self::Php => "php",
            Self::Java => "java",
            Self::CSharp => "csharp",
            Self::OpenSsl => "openssl",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Rust => "Rust",
            Self::Ruby => "Ruby",
            Self::Php => "PHP",
            Self::Java => "Java",
            Self::CSharp => "C#",
            Self::OpenSsl => "Shell",
        }
    }

    /// The library that verifies with a shared secret.
    pub(super) const fn library(self) -> Option<&'static str> {
        match self {
            Self::JavaScript
            | Self::TypeScript
            | Self::Python
            | Self::Go
            | Self::Rust
            | Self::Ruby => Some("standardwebhooks"),
            Self::Php | Self::Java | Self::CSharp => Some("svix"),
            Self::OpenSsl => None,
        }
    }

    pub(super) const fn code(self, scheme: Scheme) -> &'static str {
        let [hmac, ed25519] = match self {
            Self::JavaScript => code!("javascript.mjs"),
            Self::TypeScript => code!("typescript.ts"),
            Self::Python => code!("python.py"),
            Self::Go => code!("go.go"),
            Self::Rust => code!("rust.rs"),
            Self::Ruby => code!("ruby.rb"),
            Self::Php => code!("php.php"),
            Self::Java => code!("java.java"),
            Self::CSharp => code!("csharp.cs"),
            Self::OpenSsl => code!("openssl.sh"),
        };
        match scheme {
            Scheme::Hmac => hmac,
            Scheme::Ed25519 => ed25519,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_code_for_both_kinds_of_secrets() {
        for language in Language::ALL {
            let hmac = language.code(Scheme::Hmac);
            let library = language.library().unwrap_or("openssl");
            assert!(hmac.to_lowercase().contains(library), "{language:?}");
            let ed25519 = language.code(Scheme::Ed25519);
            assert!(ed25519.contains("v1a"), "{language:?}");
            assert_eq!(Language::of(Some(language.id())), language);
        }
    }
}
