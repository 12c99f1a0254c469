//! The memory of a server's process, as the kernel reports it.

use crate::server::Server;

/// One mebibyte, in bytes.
pub(crate) const MIB: u64 = 1_024 * 1_024;

/// Measures by how much an attack raises a server's memory.
#[derive(Debug)]
pub(crate) struct Growth {
    process: u32,
    before: u64,
}

impl Growth {
    /// Starts with the memory that the server takes now.
    pub(crate) fn of(server: &Server) -> Self {
        let process = server.process();
        // Resets the peak, so that what happened at the start does not hide an attack.
        std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
        Self { process, before: read(process, "VmRSS:") }
    }

    /// Peak since the start, in bytes above the memory at the start.
    pub(crate) fn peak(&self) -> u64 {
        read(self.process, "VmHWM:").saturating_sub(self.before)
    }

    /// Asserts that the server never took more than this in addition.
    #[track_caller]
    pub(crate) fn is_below(&self, bound: u64) {
        let peak = self.peak();
        assert!(peak < bound, "memory grew by {} MiB, bound {} MiB", peak / MIB, bound / MIB);
    }
}

fn read(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1_024
}
