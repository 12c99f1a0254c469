//! Every file in `tests/hostile` is run, while another owner's scripts must not notice.
//!
//! The first line of a file says what is expected: a kind of error, `returns` with JSON, or several
//! of these with ` | ` between them.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use postrider_sandbox::{Sandbox, SandboxOptions};

use crate::fixtures::{end, handler, kind_of, options, run, text};

/// Most memory that this process may use in addition, in kilobytes.
const MAX_GROWTH_KB: u64 = 64 << 10;

fn scripts() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut scripts = BTreeMap::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        scripts.insert(name, fs::read_to_string(path).unwrap());
    }
    assert!(scripts.len() > 60, "only {} scripts", scripts.len());
    scripts
}

/// What is wrong with the result of a script, if anything is.
async fn fault(sandbox: &Sandbox, name: &str, script: &str) -> Option<String> {
    let first = script.lines().next().unwrap();
    let expected = first.strip_prefix("// expect: ").expect(name);
    let result = sandbox.run(run(1, script, r#"{"payload":{"a":1},"eventType":"a.b"}"#)).await;
    let found = kind_of(&result);
    let is_expected = expected.split(" | ").any(|it| it == found);
    (!is_expected).then(|| format!("{name}: expected {expected}, found {result:?}"))
}

#[tokio::test]
async fn hostile_scripts_fail_alone() {
    // Other tests may delay the neighbor's worker.
    let options = SandboxOptions { kill_after: Duration::from_millis(500), ..options() };
    let sandbox = Sandbox::new(options);
    let growth_from = peak_memory_kb();
    let is_over = AtomicBool::new(false);
    let attacks = async {
        let mut faults = Vec::new();
        for (name, script) in scripts() {
            faults.extend(fault(&sandbox, &name, &script).await);
        }
        is_over.store(true, Relaxed);
        faults
    };
    let neighbor = async {
        let script = handler("return { sum: input.a + 1, polluted: ({}).polluted };");
        let mut runs = 0;
        while !is_over.load(Relaxed) {
            let returned = sandbox.run(run(2, &script, r#"{"a":1}"#)).await.unwrap();
            assert_eq!(text(&returned), r#"{"sum":2}"#);
            assert_eq!(returned.console, "");
            runs += 1;
        }
        runs
    };
    let (faults, runs) = tokio::join!(attacks, neighbor);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(runs > 100, "the other owner had only {runs} runs");
    let growth = peak_memory_kb() - growth_from;
    assert!(growth < MAX_GROWTH_KB, "memory grew by {growth} kB");
    end(&sandbox).await;
}

/// Most memory that this process has used.
fn peak_memory_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
