//! The standard streams of the benchmark's processes.

use serde::Serialize;
use tokio::sync::oneshot;

/// Writes a line of JSON for the process that started this one.
pub(crate) fn say(value: &impl Serialize) -> anyhow::Result<()> {
    show(&serde_json::to_string(value)?);
    Ok(())
}

/// Becomes ready when the process that started this one closes its input, or ends.
pub(crate) async fn end_of_input() {
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _read = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _sent = end.send(());
    });
    let _ended = ended.await;
}

#[expect(clippy::print_stdout, reason = "the result of a command line tool")]
pub(crate) fn show(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress of a command line tool")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}
