//! The filter of system calls: what a worker may still ask of the kernel. Anything else kills it.

use std::collections::BTreeMap;

use libc::{
    MAP_ANONYMOUS, MAP_PRIVATE, PR_SET_VMA, PROT_EXEC, SYS_brk, SYS_clock_getres,
    SYS_clock_gettime, SYS_exit, SYS_exit_group, SYS_futex, SYS_getcpu, SYS_getrandom,
    SYS_gettimeofday, SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap, SYS_prctl,
    SYS_read, SYS_restart_syscall, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
    SYS_sched_yield, SYS_sigaltstack, SYS_write, c_int, c_long,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

const STDIN: u64 = 0;
const STDOUT: u64 = 1;

/// Calls that are harmless whatever their arguments are: memory that is given back or grown, time,
/// randomness, its own signals, the end.
const HARMLESS: [c_long; 18] = [
    SYS_brk,
    SYS_clock_getres,
    SYS_clock_gettime,
    SYS_exit,
    SYS_exit_group,
    SYS_futex,
    SYS_getcpu,
    SYS_getrandom,
    SYS_gettimeofday,
    SYS_madvise,
    SYS_mremap,
    SYS_munmap,
    SYS_restart_syscall,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sched_yield,
    SYS_sigaltstack,
];

/// Installs the filter in this process. Its only thread is the caller.
pub(super) fn apply() -> Result<(), String> {
    seccompiler::apply_filter(&compile()?).map_err(|error| format!("seccomp: {error}"))
}

/// The filter as a program for the kernel.
pub(super) fn compile() -> Result<BpfProgram, String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|error| format!("no filter for this processor: {error}"))?;
    let rules = rules().map_err(|error| format!("the filter is invalid: {error}"))?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)
        .and_then(TryInto::try_into)
        .map_err(|error| format!("the filter is invalid: {error}"))
}

fn rules() -> Result<BTreeMap<c_long, Vec<SeccompRule>>, seccompiler::BackendError> {
    // No rules for a call allow it with any arguments.
    let mut rules: BTreeMap<_, _> = HARMLESS.iter().map(|call| (*call, Vec::new())).collect();
    // Other descriptors are useless even if the parent did not close them.
    rules.insert(SYS_read, vec![rule(vec![equals(0, STDIN)?])?]);
    rules.insert(SYS_write, vec![rule(vec![equals(0, STDOUT)?])?]);
    // The server's allocator names its memory, which helps those who look at a process.
    rules.insert(SYS_prctl, vec![rule(vec![equals(0, bits(PR_SET_VMA))?])?]);
    // Memory of its own, never of a file, and never executable.
    let own = bits(MAP_PRIVATE | MAP_ANONYMOUS);
    let is_own = condition(3, SeccompCmpOp::MaskedEq(own), own)?;
    rules.insert(SYS_mmap, vec![rule(vec![is_own, not_executable()?])?]);
    rules.insert(SYS_mprotect, vec![rule(vec![not_executable()?])?]);
    Ok(rules)
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions)
}

fn equals(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    condition(argument, SeccompCmpOp::Eq, value)
}

fn not_executable() -> Result<SeccompCondition, seccompiler::BackendError> {
    condition(2, SeccompCmpOp::MaskedEq(bits(PROT_EXEC)), 0)
}

fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, Dword, operator, value)
}

/// Flags of a system call, which are never negative.
const fn bits(flags: c_int) -> u64 {
    flags.cast_unsigned() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_compiles() {
        compile().unwrap();
    }
}
