//! Secrets in the form that each provider issues, given or generated for a test.

use base64::{Engine, engine::general_purpose::STANDARD};
use postrider::provider::{
    Code, CodeScheme, Encoding, JwtAlgorithm, KeyFormat, PrivateKey, Provider, Scheme, Settings,
    Signature,
};
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey};
use zeroize::Zeroizing;

use crate::random;

/// The size that providers use, and the smallest that all libraries accept.
const RSA_BITS: usize = 2048;
const KEY_BYTES: usize = 32;

/// PKCS #8 header of a P-256 private key, which is a random number of 32 bytes.
const P256_PREFIX: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

/// The key that a provider signs with, and the one that its receiver verifies with.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    pub signing: Zeroizing<String>,
    pub verifying: Zeroizing<String>,
}

impl Credential {
    /// A secret that both sides know.
    fn shared(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self { signing: text.clone(), verifying: text }
    }

    /// A private key comes with its public key, for providers that sign with one; any other text is
    /// a shared secret.
    pub(super) fn from_text(provider: &Provider, text: &str) -> Self {
        let is_private = signs_with_private_key(provider) || text.contains("PRIVATE KEY");
        let private = is_private.then(|| text.parse::<PrivateKey>().ok()).flatten();
        let public = private.map_or_else(|| text.to_owned(), |it| it.public_key().to_pem());
        Self { signing: Zeroizing::new(text.to_owned()), verifying: Zeroizing::new(public) }
    }

    pub(super) fn is_key_pair(&self) -> bool {
        self.signing != self.verifying
    }

    /// A new one; `None` if the provider has no secret, or one that cannot be generated.
    pub(super) fn generate_for(provider: &Provider) -> Option<Self> {
        match provider.model.verify.first()? {
            Scheme::Hmac(Signature { key, .. }) | Scheme::Digest(Signature { key, .. }) => {
                Some(Self::shared(symmetric(*key)))
            },
            Scheme::Ed25519(_) => Self::from_private_key(ed25519()),
            Scheme::Ecdsa(_) => Self::from_private_key(p256()),
            Scheme::Rsa(_) => Self::from_private_key(rsa()?),
            Scheme::Basic => Some(Self::shared(format!("test:{}", hex(&random::<KEY_BYTES>())))),
            Scheme::None => None,
            Scheme::Jwt(jwt) => Self::for_jwt(*jwt.algorithms.first()?),
            Scheme::Code(CodeScheme { code }) => Self::for_custom_scheme(*code),
            Scheme::SharedSecret(_) => Some(Self::shared(hex(&random::<KEY_BYTES>()))),
        }
    }

    /// A JWT names its own algorithm, so a shared secret must not look like a public key.
    fn for_jwt(algorithm: JwtAlgorithm) -> Option<Self> {
        match algorithm {
            JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512 => {
                Some(Self::shared(format!("secret.{}", hex(&random::<KEY_BYTES>()))))
            },
            JwtAlgorithm::Rs256 | JwtAlgorithm::Rs512 => Self::from_private_key(rsa()?),
            JwtAlgorithm::Es256 => Self::from_private_key(p256()),
            JwtAlgorithm::EdDsa => Self::from_private_key(ed25519()),
        }
    }

    fn for_custom_scheme(code: Code) -> Option<Self> {
        if [Code::AlipayPlus, Code::WechatPay].contains(&code) {
            Self::from_private_key(rsa()?)
        } else if code == Code::Ebay {
            Self::from_private_key(p256())
        } else if code == Code::NeonAuth {
            Self::from_private_key(ed25519())
        } else {
            Some(Self::shared(hex(&random::<KEY_BYTES>())))
        }
    }

    /// A key pair for providers whose signatures are verified with a certificate; generates the
    /// private key unless it is given.
    fn for_certificate(private: Option<&str>) -> Option<Self> {
        Self::from_private_key(match private {
            Some(private) => private.to_owned(),
            None => rsa()?,
        })
    }

    fn from_private_key(private: String) -> Option<Self> {
        let key: PrivateKey = private.parse().ok()?;
        Some(Self {
            signing: Zeroizing::new(private),
            verifying: Zeroizing::new(key.public_key().to_pem()),
        })
    }

    /// The settings of the sender and of the receiver.
    pub(super) fn settings(credentials: &[Self], common: &Settings) -> (Settings, Settings) {
        let side = |key: fn(&Self) -> &Zeroizing<String>| Settings {
            secrets: credentials.iter().map(key).cloned().collect(),
            ..common.clone()
        };
        (side(|it| &it.signing), side(|it| &it.verifying))
    }
}

/// Whether the receiver takes the key from a certificate, and the secret is only a name.
pub(super) fn uses_certificate(provider: &Provider) -> bool {
    let codes = [Code::Paypal, Code::AwsSns];
    let mut schemes = provider.model.verify.iter();
    schemes
        .any(|scheme| matches!(scheme, Scheme::Code(CodeScheme { code }) if codes.contains(code)))
}

/// Gives both sides a key pair, and returns the public key if the pair is new.
pub(super) fn add_certificate(
    signing: &mut Settings,
    verifying: &mut Settings,
) -> Option<Zeroizing<String>> {
    let given = signing.parameter("private_key");
    let is_new = given.is_none();
    let key = Credential::for_certificate(given)?;
    signing.parameters.insert("private_key".to_owned(), key.signing);
    verifying.parameters.insert("certificate".to_owned(), key.verifying.clone());
    is_new.then_some(key.verifying)
}

fn signs_with_private_key(provider: &Provider) -> bool {
    provider.model.verify.iter().any(|scheme| match scheme {
        Scheme::Ed25519(_) | Scheme::Ecdsa(_) | Scheme::Rsa(_) => true,
        Scheme::Jwt(jwt) => !matches!(
            jwt.algorithms.first(),
            None | Some(JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512)
        ),
        Scheme::Code(CodeScheme { code }) => {
            [Code::AlipayPlus, Code::WechatPay, Code::Ebay, Code::NeonAuth].contains(code)
        },
        Scheme::Hmac(_)
        | Scheme::Digest(_)
        | Scheme::SharedSecret(_)
        | Scheme::Basic
        | Scheme::None => false,
    })
}

fn symmetric(format: KeyFormat) -> String {
    let bytes: [u8; KEY_BYTES] = random();
    match format {
        KeyFormat::Whsec => format!("whsec_{}", STANDARD.encode(bytes)),
        KeyFormat::Base64 => STANDARD.encode(bytes),
        KeyFormat::Utf8
        | KeyFormat::Hex
        | KeyFormat::Whpk
        | KeyFormat::Pem
        | KeyFormat::SpkiBase64 => hex(&bytes),
    }
}

fn ed25519() -> String {
    STANDARD.encode(random::<KEY_BYTES>())
}

fn p256() -> String {
    STANDARD.encode([&P256_PREFIX[..], &random::<KEY_BYTES>()].concat())
}

fn rsa() -> Option<String> {
    let key = RsaPrivateKey::new(&mut SystemRng, RSA_BITS).ok()?;
    Some(STANDARD.encode(key.to_pkcs8_der().ok()?.as_bytes()))
}

pub(super) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    random::bytes().expect("the system has random numbers")
}

fn hex(bytes: &[u8]) -> String {
    Encoding::Hex.encode(bytes)
}

/// The system's random numbers, for the version of `rand_core` that `rsa` uses.
struct SystemRng;

impl rsa::rand_core::RngCore for SystemRng {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(random())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(random())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        random::fill(bytes).expect("the system has random numbers");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for SystemRng {}
