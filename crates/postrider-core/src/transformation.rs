//! Transformations: code of an endpoint's owner that changes what is delivered.
//!
//! The code is JavaScript with a function `handler`. It gets an [argument], and what it returns is
//! [read](result::read) as the request to make. It runs elsewhere, isolated from everything.
//!
//! The shapes of both are those of the hosted API.

pub mod argument;
pub mod result;

use std::{collections::BTreeMap, fmt, sync::Arc};

use postrider::ConnectorId;
use serde::{Deserialize, Serialize};

use crate::{catalog::AtRest, time::Timestamp};

pub use self::result::{Shaped, ShapedRequest};

/// Fewest and most bytes of code.
pub const CODE_BYTES: std::ops::RangeInclusive<usize> = 10..=51_200;

/// Most variables, and most bytes of their names and values together.
pub const MAX_VARIABLES: usize = 50;
pub const MAX_VARIABLES_BYTES: usize = 16 << 10;

/// Values for the code by name, such as credentials.
pub type Variables = BTreeMap<String, String>;

/// Code that changes what an endpoint gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transformation {
    /// It was compiled when it was saved.
    pub code: Option<String>,
    #[serde(default)]
    pub form: Form,
    /// Where the code comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorId>,
    pub enabled: bool,
    /// They may be credentials.
    #[serde(default, skip_serializing_if = "AtRest::is_empty")]
    pub variables: AtRest<Variables>,
    pub updated_at: Timestamp,
}

impl Transformation {
    /// The code, if it has to run.
    pub fn active_code(&self) -> Option<&str> {
        self.code.as_deref().filter(|_| self.enabled)
    }
}

/// What `handler` gets and returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// One webhook: `handler(webhook)`.
    #[default]
    Single,
    /// A list of events: `handler({events})`. What it returns depends on the kind of endpoint.
    Batch,
}

/// A transformation that is ready to run.
#[derive(Clone)]
pub struct Script {
    pub code: Arc<str>,
    pub form: Form,
    pub variables: Arc<Variables>,
}

/// Does not show the variables.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("form", &self.form).finish_non_exhaustive()
    }
}
