//! Signs requests to endpoints as a signing model describes it.

use std::fmt;

use zeroize::Zeroizing;

use super::{
    super::{
        Headers, PrivateKey, PublicKey, Request, Scheme, Selector, SignError, Signature,
        SignedHash, Timestamp, Unit, content::ContentValues, crypto, values::Values,
        verify::hmac_key,
    },
    Rotation, SigningModel,
    template::{TemplateValues, rfc3339},
};

/// A secret of a signing model, ready to sign with.
#[derive(Clone)]
pub struct ProfileKey(Inner);

#[derive(Clone)]
enum Inner {
    Shared(Zeroizing<Vec<u8>>),
    Private(Box<PrivateKey>),
}

/// A request to be signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedEvent<'a> {
    /// The method in upper case.
    pub method: &'a str,
    /// The URL that is called.
    pub url: &'a str,
    /// The headers so far.
    pub headers: Headers<'a>,
    /// The body.
    pub body: &'a [u8],
    /// The id of the event.
    pub id: &'a str,
    /// The type of the event.
    pub event_type: &'a str,
    /// When it is signed, in milliseconds since 1970.
    pub at_millis: u64,
}

impl fmt::Debug for ProfileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProfileKey")
    }
}

impl ProfileKey {
    /// The public key as text that receivers verify with: base64 of an Ed25519 key after `whpk_`.
    pub fn public_key(&self) -> Option<PublicKey> {
        match &self.0 {
            Inner::Shared(_) => None,
            Inner::Private(key) => Some(key.public_key()),
        }
    }

    fn sign<T: AsRef<[u8]>>(
        &self,
        signature: &Signature,
        content: &[T],
    ) -> Result<Vec<u8>, SignError> {
        match &self.0 {
            Inner::Shared(key) => Ok(crypto::hmac_of(signature.hash, key, content)),
            Inner::Private(key) => {
                let hash: Option<SignedHash> = signature.hash.into();
                let hash = hash.ok_or(SignError::Unsupported("its hash cannot be signed"))?;
                let content: Vec<u8> = content.iter().flat_map(AsRef::as_ref).copied().collect();
                Ok(key.sign(hash, &content))
            },
        }
    }
}

impl SigningModel {
    /// Parses a secret of the model.
    pub fn key(&self, secret: &str) -> Result<ProfileKey, SignError> {
        let signature = self.signature().ok_or(NO_SIGNATURE)?;
        if !self.is_asymmetric() {
            let key = hmac_key(secret, signature.key);
            let key = key.map_err(|reason| SignError::Secret(reason.to_owned()))?;
            return Ok(ProfileKey(Inner::Shared(key)));
        }
        let key: PrivateKey =
            secret.parse().map_err(|error| SignError::Secret(format!("it {error}")))?;
        let fits = matches!(
            (key.public_key(), &self.sign),
            (PublicKey::Ed25519(_), Scheme::Ed25519(_)) | (PublicKey::P256(_), Scheme::Ecdsa(_))
        );
        if !fits {
            return Err(SignError::Secret(format!("it is not a key for {}", self.sign.name())));
        }
        Ok(ProfileKey(Inner::Private(Box::new(key))))
    }

    /// The headers that a request gets: the signatures with the keys, of which the first is the
    /// newest, and all others that the model has. Each replaces a header with its name.
    pub fn sign(
        &self,
        keys: &[&ProfileKey],
        event: &SignedEvent<'_>,
    ) -> Result<Vec<(String, String)>, SignError> {
        let signature = self.signature().ok_or(NO_SIGNATURE)?;
        let mut made = Made::new(self, signature, event);
        let signatures = made.signatures(self.used(keys), signature, event)?;
        let (first, others) = signatures.split_first().ok_or(SignError::NoSecret)?;
        let fields: Vec<_> =
            made.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let parse = &signature.parse;
        let text = match &self.rotation {
            Rotation::Newest => parse.write(&fields, first),
            Rotation::Repeat => parse.write_all(&fields, &signatures),
            Rotation::Join => parse.write(&fields, &signatures.join(",")),
            Rotation::Header(name) => {
                if let Some(second) = others.first() {
                    made.headers.push((name.clone(), parse.write(&fields, second)));
                }
                parse.write(&fields, first)
            },
        };
        if let Selector::Header(name) = &signature.signature {
            made.headers.push((name.clone(), text));
        }
        Ok(made.headers)
    }

    /// The keys that sign, the newest first.
    fn used<'k, 'a>(&self, keys: &'k [&'a ProfileKey]) -> &'k [&'a ProfileKey] {
        let most = match self.rotation {
            Rotation::Newest => 1,
            Rotation::Header(_) => 2,
            Rotation::Repeat | Rotation::Join => keys.len(),
        };
        keys.get(..most).unwrap_or(keys)
    }
}

const NO_SIGNATURE: SignError = SignError::Unsupported("its scheme has no signature");

/// What was made of a request before its signature.
struct Made {
    headers: Vec<(String, String)>,
    /// Parts of the signature's header.
    fields: Vec<(String, String)>,
    timestamp: String,
}

impl Made {
    fn new(model: &SigningModel, signature: &Signature, event: &SignedEvent<'_>) -> Self {
        let SignedEvent { id, event_type, at_millis, .. } = *event;
        let values = TemplateValues { id, event_type, at_millis };
        let headers = model.headers.iter().map(|(name, it)| (name.clone(), it.render(values)));
        let headers = headers.collect();
        let mut made = Self { headers, fields: Vec::new(), timestamp: String::new() };
        if let Some(timestamp) = &signature.timestamp {
            made.timestamp = written(timestamp, at_millis);
            made.put(&timestamp.source, made.timestamp.clone());
        }
        if let Some(source) = &signature.id {
            made.put(source, id.to_owned());
        }
        made.fields.extend(model.fields.iter().map(|(name, it)| (name.clone(), it.clone())));
        made
    }

    fn put(&mut self, source: &Selector, value: String) {
        match source {
            Selector::Header(name) => self.headers.push((name.clone(), value)),
            Selector::Field(name) => self.fields.push((name.clone(), value)),
            // Validation refuses them.
            Selector::Query(_) | Selector::Form(..) | Selector::Json(_) | Selector::Key(_) => {},
        }
    }

    /// The signatures over the request with the headers so far.
    fn signatures(
        &self,
        keys: &[&ProfileKey],
        signature: &Signature,
        event: &SignedEvent<'_>,
    ) -> Result<Vec<String>, SignError> {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let headers: Vec<_> = own.chain(event.headers.0.iter().copied()).collect();
        let SignedEvent { method, url, body, .. } = *event;
        let request = Request { method, url, headers: Headers(&headers), body };
        let values = Values::new(&request);
        let filling = ContentValues {
            values: &values,
            timestamp: &self.timestamp,
            id: event.id,
            secret: &[],
        };
        let content = signature.content.pieces(filling);
        let content = content.map_err(|source| SignError::Body(format!("it lacks {source}")))?;
        let sign = |key: &&ProfileKey| {
            key.sign(signature, &content).map(|bytes| signature.encoding.encode(&bytes))
        };
        keys.iter().map(sign).collect()
    }
}

fn written(timestamp: &Timestamp, at_millis: u64) -> String {
    match timestamp.unit {
        Unit::S => (at_millis / 1000).to_string(),
        Unit::Ms | Unit::SOrMs => at_millis.to_string(),
        Unit::Rfc3339 => rfc3339(at_millis / 1000),
    }
}
