//! The cluster contract: the store belongs to one process, so the defaults apply.

use super::store::EmbeddedStore;
use crate::contract::cluster::Cluster;

impl Cluster for EmbeddedStore {}
