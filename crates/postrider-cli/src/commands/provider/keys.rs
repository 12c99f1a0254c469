//! Secrets of the form that a provider gives out, for receivers that are only tried.

use base64::{Engine, engine::general_purpose::STANDARD};
use postrider::provider::{
    Code, Coded, JwtAlgorithm, KeyFormat, PrivateKey, Provider, Scheme, Settings, Signature,
};
use rand::{TryRngCore, rngs::OsRng};
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey};
use zeroize::Zeroizing;

/// As many bits as providers use, and the fewest that are taken everywhere.
const RSA_BITS: usize = 2048;
const KEY_BYTES: usize = 32;

/// PKCS #8 around a number that is a private key of P-256.
const P256_HEAD: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

/// What a provider signs with, and what its receiver is given.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub signing: Zeroizing<String>,
    pub verifying: Zeroizing<String>,
}

impl Secret {
    /// One text for both.
    fn shared(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self { signing: text.clone(), verifying: text }
    }

    /// What belongs to a private key, where the provider signs with one; another text is a
    /// secret that both sides have.
    pub(crate) fn given(provider: &Provider, text: &str) -> Self {
        let is_private = signs_with_private_key(provider) || text.contains("PRIVATE KEY");
        let private = is_private.then(|| text.parse::<PrivateKey>().ok()).flatten();
        let public = private.map_or_else(|| text.to_owned(), |it| it.public_key().to_pem());
        Self { signing: Zeroizing::new(text.to_owned()), verifying: Zeroizing::new(public) }
    }

    pub(crate) fn is_pair(&self) -> bool {
        self.signing != self.verifying
    }

    /// A new one; `None` if the provider has none, or one that takes more than chance.
    pub(crate) fn made_for(provider: &Provider) -> Option<Self> {
        match provider.model.verify.first()? {
            Scheme::Hmac(Signature { key, .. }) | Scheme::Digest(Signature { key, .. }) => {
                Some(Self::shared(symmetric(*key)))
            },
            Scheme::Ed25519(_) => Self::pair(ed25519()),
            Scheme::Ecdsa(_) => Self::pair(p256()),
            Scheme::Rsa(_) => Self::pair(rsa()?),
            Scheme::Basic => Some(Self::shared(format!("test:{}", hex(&random::<KEY_BYTES>())))),
            Scheme::None => None,
            Scheme::Jwt(jwt) => Self::of_token(*jwt.algorithms.first()?),
            Scheme::Code(Coded { code }) => Self::of_code(*code),
            Scheme::SharedSecret(_) => Some(Self::shared(hex(&random::<KEY_BYTES>()))),
        }
    }

    /// Tokens tell what they are signed with. No shared secret may look like a public key.
    fn of_token(algorithm: JwtAlgorithm) -> Option<Self> {
        match algorithm {
            JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512 => {
                Some(Self::shared(format!("secret.{}", hex(&random::<KEY_BYTES>()))))
            },
            JwtAlgorithm::Rs256 | JwtAlgorithm::Rs512 => Self::pair(rsa()?),
            JwtAlgorithm::Es256 => Self::pair(p256()),
            JwtAlgorithm::EdDsa => Self::pair(ed25519()),
        }
    }

    fn of_code(code: Code) -> Option<Self> {
        if [Code::AlipayPlus, Code::WechatPay].contains(&code) {
            Self::pair(rsa()?)
        } else if code == Code::Ebay {
            Self::pair(p256())
        } else if code == Code::NeonAuth {
            Self::pair(ed25519())
        } else {
            Some(Self::shared(hex(&random::<KEY_BYTES>())))
        }
    }

    /// The key for what verifies with a certificate: this one, or a new one.
    pub(super) fn certified(private: Option<&str>) -> Option<Self> {
        Self::pair(match private {
            Some(private) => private.to_owned(),
            None => rsa()?,
        })
    }

    /// A pair of keys of which the private one is given.
    fn pair(private: String) -> Option<Self> {
        let key: PrivateKey = private.parse().ok()?;
        Some(Self {
            signing: Zeroizing::new(private),
            verifying: Zeroizing::new(key.public_key().to_pem()),
        })
    }

    /// The settings of both sides: who signs, and who verifies.
    pub(crate) fn settings(secrets: &[Self], common: &Settings) -> (Settings, Settings) {
        let side = |of: fn(&Self) -> &Zeroizing<String>| Settings {
            secrets: secrets.iter().map(of).cloned().collect(),
            ..common.clone()
        };
        (side(|it| &it.signing), side(|it| &it.verifying))
    }
}

fn signs_with_private_key(provider: &Provider) -> bool {
    provider.model.verify.iter().any(|scheme| match scheme {
        Scheme::Ed25519(_) | Scheme::Ecdsa(_) | Scheme::Rsa(_) => true,
        Scheme::Jwt(jwt) => !matches!(
            jwt.algorithms.first(),
            None | Some(JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512)
        ),
        Scheme::Code(Coded { code }) => {
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
    STANDARD.encode([&P256_HEAD[..], &random::<KEY_BYTES>()].concat())
}

fn rsa() -> Option<String> {
    let key = RsaPrivateKey::new(&mut Chance, RSA_BITS).ok()?;
    Some(STANDARD.encode(key.to_pkcs8_der().ok()?.as_bytes()))
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).expect("the system gives random numbers");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(it.into(), 16).expect("four bits are a digit");
    bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect()
}

/// The system's random numbers, as the key generator wants them.
struct Chance;

impl rsa::rand_core::RngCore for Chance {
    fn next_u32(&mut self) -> u32 {
        OsRng.try_next_u32().expect("the system gives random numbers")
    }

    fn next_u64(&mut self) -> u64 {
        OsRng.try_next_u64().expect("the system gives random numbers")
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        OsRng.try_fill_bytes(bytes).expect("the system gives random numbers");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for Chance {}
