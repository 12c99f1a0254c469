//! The process group of a program that was started.

use rustix::process::{Pid, Signal, kill_process_group};

/// Kills all processes of the group when it is dropped: after the program has ended, after its
/// time limit, and when the server stops.
#[derive(Debug)]
pub(super) struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The group that a process leads.
    pub(super) fn led_by(id: Option<u32>) -> Self {
        let id = id.and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// Kills what is left of the group.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // It fails if there is nothing left.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}
