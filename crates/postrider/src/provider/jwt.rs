//! Signatures that are JSON Web Tokens: where the token is, who may have signed it with what,
//! and what it must say.

use serde::{Deserialize, Serialize};

use super::{CannotSign, Draft, Rejected, Request, Settings, Signed, verify::Matched};

/// How a provider signs with JSON Web Tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Where the token stands: `header:NAME` (with or without `Bearer`), or `body`.
    pub token: String,
}

pub(super) fn verify(
    _jwt: &Jwt,
    _settings: &Settings,
    _request: &Request<'_>,
    _now_seconds: u64,
) -> Result<Matched, Rejected> {
    Err(Rejected::Unsupported("nothing is yet"))
}

pub(super) fn sign(
    _jwt: &Jwt,
    _settings: &Settings,
    _draft: Draft,
    _now_seconds: u64,
) -> Result<Signed, CannotSign> {
    Err(CannotSign::Unsupported("nothing is yet"))
}
