//! What Linux tells about a process in `/proc`.

/// Ticks per second of the CPU times in `stat`. Linux shows them to programs with this frequency on
/// every architecture that is supported.
const TICKS_PER_SECOND: f64 = 100.0;

/// The start of a process and the CPU time that it has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessTimes {
    /// In user and system mode, in seconds.
    pub cpu_seconds: f64,
    /// Seconds from the start of the system to that of the process.
    pub started_after_boot_seconds: f64,
}

/// The memory and the threads of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessStatus {
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub threads: u64,
}

/// Reads `/proc/PID/stat`; `None` if it has another form.
pub fn times(stat: &str) -> Option<ProcessTimes> {
    // The name of the program is in parentheses, and may contain both spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // The first one is field 3 of proc(5).
    let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some(ProcessTimes {
        cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
        started_after_boot_seconds: ticks(22)? / TICKS_PER_SECOND,
    })
}

/// Reads `/proc/PID/status`. What it does not contain is 0.
pub fn status(text: &str) -> ProcessStatus {
    let number = |name: &str| {
        let mut lines = text.lines().filter_map(|it| it.split_once(':'));
        let (_, value) = lines.find(|(field, _)| *field == name)?;
        value.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    let kib = |name| number(name).unwrap_or_default().saturating_mul(1_024);
    ProcessStatus {
        resident_bytes: kib("VmRSS"),
        virtual_bytes: kib("VmSize"),
        threads: number("Threads").unwrap_or_default(),
    }
}

/// Reads the soft limit of open files from `/proc/PID/limits`; `None` if there is none.
pub fn max_open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|it| it.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Reads the start of the system from `/proc/stat`, in seconds since 1970.
pub fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|it| it.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_whatever_the_program_is_called() {
        let rest = "S 1 2 3 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 9 0 12345 1 2 3";
        let expected = ProcessTimes { cpu_seconds: 3.0, started_after_boot_seconds: 123.45 };
        for name in ["postrider", "a b", "a) (b"] {
            assert_eq!(times(&format!("7 ({name}) {rest}")), Some(expected), "{name}");
        }
        for wrong in ["", "7 (postrider", "7 (postrider) S 1", "7 (a) S 1 2 3 0 -1 4 9 0 0 0 x y"] {
            assert_eq!(times(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn memory_and_threads_are_read_from_the_status() {
        let text = "Name:\tpostrider\nVmSize:\t  2048 kB\nVmRSS:\t    10 kB\nThreads:\t9\n";
        let expected =
            ProcessStatus { resident_bytes: 10 * 1_024, virtual_bytes: 2_048 * 1_024, threads: 9 };
        assert_eq!(status(text), expected);
        assert_eq!(status("VmRSS\nThreads: many"), ProcessStatus::default());
    }

    #[test]
    fn the_limit_of_files_may_be_missing() {
        let line = |soft| format!("Limit Soft Hard Units\nMax open files  {soft}  4096  files\n");
        assert_eq!(max_open_files(&line("1024")), Some(1_024));
        assert_eq!(max_open_files(&line("unlimited")), None);
        assert_eq!(max_open_files(""), None);
    }

    #[test]
    fn the_start_of_the_system_is_one_line_of_many() {
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\nprocesses 3\n"), Some(1_700_000_000));
        assert_eq!(boot_time("cpu 1 2\n"), None);
    }
}
