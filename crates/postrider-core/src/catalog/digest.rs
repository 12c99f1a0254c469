//! A short digest of an organization's id.

use postrider::OrganizationId;

/// A digest by which nodes tell each other whose event types changed. It is the same in all
/// versions. Two organizations may have the same one; then what is cached of both is read again.
pub fn organization_digest(organization: &OrganizationId) -> u64 {
    // FNV-1a.
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = organization.as_str().bytes();
    bytes.fold(BASIS, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_an_organization_never_changes() {
        let digest = |id: &str| organization_digest(&id.parse().expect("it is a name"));
        assert_eq!(digest("org_a"), 0x8524_8172_8fbf_0209);
        assert_ne!(digest("org_a"), digest("org_b"));
    }
}
