//! Limits of resources, which hold even if the filter of system calls had a hole.

use std::fs;

use rustix::{
    param::page_size,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// Address space that a worker may use in addition to what it has after its start. The heap of
/// scripts is far smaller; a copy of a result and a message needs a few times `output_bytes`.
const ADDRESS_SPACE_BYTES: u64 = 256 << 20;

/// CPU time of a worker's whole life. It is replaced long before.
const CPU_SECONDS: u64 = 120;

pub(super) fn apply() -> Result<(), String> {
    let address_space = address_space_bytes()? + ADDRESS_SPACE_BYTES;
    for (resource, most) in [
        (Resource::As, address_space),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        // The number of the first descriptor that cannot be opened.
        (Resource::Nofile, 0),
        (Resource::Nproc, 0),
        (Resource::Msgqueue, 0),
        (Resource::Memlock, 0),
    ] {
        // The operator may have set a lower one, which cannot be raised.
        let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| format!("limit {resource:?}: {error}"))?;
    }
    Ok(())
}

/// The address space in use. An allocator may have reserved far more than it uses.
fn address_space_bytes() -> Result<u64, String> {
    let pages = fs::read_to_string("/proc/self/statm")
        .map_err(|error| format!("/proc/self/statm: {error}"))?;
    let pages = pages.split(' ').next().and_then(|it| it.parse::<u64>().ok());
    let page_bytes = u64::try_from(page_size()).map_err(|error| error.to_string())?;
    pages.map(|it| it * page_bytes).ok_or_else(|| "/proc/self/statm has no size".to_owned())
}
