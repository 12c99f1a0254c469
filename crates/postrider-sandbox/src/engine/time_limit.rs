//! When a script has run too long.

use std::{cell::Cell, rc::Rc, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The CPU time that a script may use. That of the machine's other programs does not count.
#[derive(Clone, Debug, Default)]
pub(super) struct TimeLimit(Rc<State>);

#[derive(Debug, Default)]
struct State {
    /// On the clock of this thread's CPU time. None before the script begins.
    ends_at: Cell<Option<Duration>>,
    is_over: Cell<bool>,
}

impl TimeLimit {
    pub(super) fn start(&self, longest: Duration) {
        self.0.ends_at.set(Some(cpu_time() + longest));
    }

    /// Whether the script's time is over. Stays true.
    pub(super) fn is_over(&self) -> bool {
        if !self.0.is_over.get() && self.0.ends_at.get().is_some_and(|end| cpu_time() >= end) {
            self.0.is_over.set(true);
        }
        self.0.is_over.get()
    }

    /// What the engine calls regularly while a script runs; true interrupts the script.
    pub(super) fn interrupt_handler(&self) -> Box<dyn FnMut() -> bool> {
        let limit = self.clone();
        Box::new(move || limit.is_over())
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative on this clock.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_over_once_it_was_used() {
        let limit = TimeLimit::default();
        assert!(!limit.is_over());
        limit.start(Duration::from_secs(3600));
        assert!(!limit.is_over());
        limit.start(Duration::ZERO);
        assert!(limit.is_over());
        limit.start(Duration::from_secs(3600));
        assert!(limit.is_over());
    }
}
