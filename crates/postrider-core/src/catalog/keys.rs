//! Keys of an application that are valid until they are rotated or deleted.
//!
//! A key is a token that names its record and the version of the key. The record is read with the
//! application on each request, so a key that was rotated or deleted stops working at once, on all
//! nodes.

use postrider::{AutoConfigId, EndpointId, IntegrationId};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A program of others that may act for an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    pub id: IntegrationId,
    pub name: String,
    /// Event types with feature flags are visible if one of them is listed.
    pub feature_flags: Vec<String>,
    /// The only version of the key that is valid.
    pub key_version: u32,
    pub key_created_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A subscription whose receiver says where messages go, and may change it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoConfig {
    pub id: AutoConfigId,
    /// Event types with feature flags are visible if one of them is listed.
    pub feature_flags: Vec<String>,
    /// The only version of the key that is valid.
    pub key_version: u32,
    /// The last characters of the token, by which people recognize it.
    pub hint: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl AutoConfig {
    /// The endpoint of the subscription, which exists once the receiver has subscribed.
    pub const fn endpoint(&self) -> EndpointId {
        EndpointId::from_u128(self.id.as_u128())
    }
}
