//! The only place that reads the wall clock and draws random numbers.

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId, TaskId};
use postrider_core::time::Timestamp;

/// Tells the time, draws random numbers, makes ids.
#[derive(Debug)]
pub struct Clock {}

impl Clock {
    pub fn now(&self) -> Timestamp {
        todo!()
    }

    /// Fills the buffer with bytes fit for secrets.
    pub fn random(&self, _bytes: &mut [u8]) {
        todo!()
    }

    pub fn application_id(&self) -> ApplicationId {
        todo!()
    }

    pub fn endpoint_id(&self) -> EndpointId {
        todo!()
    }

    pub fn message_id(&self) -> MessageId {
        todo!()
    }

    pub fn attempt_id(&self) -> AttemptId {
        todo!()
    }

    pub fn task_id(&self) -> TaskId {
        todo!()
    }
}
