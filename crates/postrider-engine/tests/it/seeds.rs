//! All simulations with many seeds, and what their histories contained.
//!
//! By default a few seeds are run. `POSTRIDER_TEST_SEEDS` names others, as in `100..200`, and
//! `POSTRIDER_TEST_SEEDS_REPORT` a file for the result; `cargo xtask seeds` sets both.

use std::{
    any::Any,
    future::Future,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde_json::json;
use tokio::runtime::Builder;

use crate::{cluster, coverage::Coverage, order, simulation};

/// The seeds of an ordinary run: other ones than those of the single tests.
const SOME: Range<u64> = 1_000..1_003;

type History = Pin<Box<dyn Future<Output = Arc<Coverage>>>>;

/// A name, and what runs for a seed.
type Simulation = (&'static str, fn(u64) -> History);

/// Each simulation runs once for each seed.
const SIMULATIONS: [Simulation; 12] = [
    ("failing receivers", |seed| Box::pin(simulation::failing_receivers(seed))),
    ("crashes", |seed| Box::pin(simulation::crashes(seed))),
    ("store outages", |seed| Box::pin(simulation::store_outages(seed))),
    ("disabled endpoints", |seed| Box::pin(simulation::disabled_endpoints(seed))),
    ("ordered failures", |seed| Box::pin(order::ordered_failures(seed))),
    ("ordered crashes", |seed| Box::pin(order::ordered_crashes(seed))),
    ("ordered outages", |seed| Box::pin(order::ordered_outages(seed))),
    ("changes of order", |seed| Box::pin(order::changes_of_order(seed))),
    ("disturbed nodes", |seed| Box::pin(cluster::disturbed_nodes(seed))),
    ("nodes that come and go", |seed| Box::pin(cluster::nodes_that_come_and_go(seed))),
    ("suspended node", |seed| Box::pin(cluster::suspended_node(seed))),
    ("polling clients", |seed| {
        Box::pin(async move { cluster::polling::polling_clients(seed).await.0 })
    }),
];

/// A history that broke a law.
#[derive(Clone, Debug, serde::Serialize)]
struct Broken {
    seed: u64,
    simulation: &'static str,
    message: String,
}

/// Histories, and those of them that broke a law.
#[derive(Debug, Default)]
struct Results {
    histories: AtomicU64,
    coverage: Coverage,
    broken: Mutex<Vec<Broken>>,
}

impl Results {
    fn run(&self, seed: u64) {
        for (simulation, history) in SIMULATIONS {
            let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
            let runtime = runtime.unwrap();
            let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(history(seed))));
            self.histories.fetch_add(1, Ordering::Relaxed);
            match result {
                Ok(coverage) => self.coverage.include(&coverage),
                Err(panic) => {
                    let message = message(&*panic);
                    self.broken.lock().unwrap().push(Broken { seed, simulation, message });
                },
            }
        }
    }

    fn run_all(&self, seeds: Range<u64>) {
        let next = AtomicU64::new(seeds.start);
        let work = || loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            self.run(seed);
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the caller of the test chooses the seeds")]
fn asked() -> Option<Range<u64>> {
    let text = std::env::var("POSTRIDER_TEST_SEEDS").ok()?;
    let (first, end) = text.split_once("..").expect("POSTRIDER_TEST_SEEDS is FIRST..END");
    Some(first.parse().unwrap()..end.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the caller of the test chooses the file")]
#[test]
fn every_simulation_keeps_its_laws_for_every_seed() {
    let results = Results::default();
    results.run_all(asked().unwrap_or(SOME));
    let broken = results.broken.into_inner().unwrap();
    if let Ok(path) = std::env::var("POSTRIDER_TEST_SEEDS_REPORT") {
        let report = json!({
            "histories": results.histories,
            "coverage": results.coverage.counts(),
            "broken": broken,
        });
        std::fs::write(path, report.to_string()).unwrap();
    }
    assert!(broken.is_empty(), "{broken:#?}");
    let faults = results.coverage.counts();
    assert!(
        faults["fault: node killed"] > 0 && faults["fault: store call refused"] > 0,
        "{faults:?}"
    );
}
