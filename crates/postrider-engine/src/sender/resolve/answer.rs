//! The result of a lookup, shared by all calls that wait for it.

use std::{net::IpAddr, sync::Arc};

use postrider_core::names::Unresolved;

/// The addresses of a name, or why there are none.
pub(super) type LookupResult = Result<Arc<[IpAddr]>, Unresolved>;
