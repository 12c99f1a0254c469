//! What the requests to sources share.

use super::{keys::Keys, rejections::Rejections, room::Room};
use crate::settings::Limits;

/// What the requests to sources share.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(super) keys: Keys,
    pub(super) rejections: Rejections,
    pub(super) room: Room,
}

impl Intake {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (keys, rejections) = Default::default();
        Self { keys, rejections, room: Room::new(limits) }
    }
}
