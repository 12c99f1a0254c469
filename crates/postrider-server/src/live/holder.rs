//! Who holds what streams use of the shared limits.

use postrider::ApplicationId;
use postrider_core::budget::CallerKey;

/// Who holds an application's readers and the events that are kept for them. It is another one than
/// for the requests of the application, so that the two do not crowd each other out.
pub(super) const fn holder(application: ApplicationId) -> CallerKey {
    // The first bit of the time in an id is never set.
    application.as_u128() | 1 << 127
}
