//! How a worker process locks itself down: what it does to itself before it reads a script.

mod filter;
mod limits;

use std::fs;

use rustix::{
    process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal},
    thread::set_no_new_privs,
};

/// What the kernel can do when a process calls something that its filter does not allow.
const ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";

/// Whether workers can be confined on this platform, or why not.
///
/// A worker that cannot be confined refuses to run scripts, whatever this returns.
pub fn confinement() -> Result<(), String> {
    filter::compile()?;
    let actions = fs::read_to_string(ACTIONS)
        .map_err(|error| format!("the kernel has no seccomp filters: {ACTIONS}: {error}"))?;
    if actions.split_whitespace().any(|action| action == "kill_process") {
        Ok(())
    } else {
        Err("the kernel cannot kill processes by seccomp filters; it needs Linux 4.14".to_owned())
    }
}

/// Gives up everything that running scripts does not need. Nothing of it can be undone.
pub(crate) fn lock_down() -> Result<(), String> {
    let failed = |what: &'static str| move |error| format!("{what}: {error}");
    set_no_new_privs(true).map_err(failed("no_new_privs"))?;
    // No other process of the same user can read this one's memory, and it leaves no core dump.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("dumpable"))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("death signal"))?;
    limits::apply()?;
    // Last, because it does not allow the calls above.
    filter::apply()
}
