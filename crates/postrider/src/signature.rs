//! Standard Webhooks: signing and verifying.
