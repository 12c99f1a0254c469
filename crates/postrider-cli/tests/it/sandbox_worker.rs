//! The binary as a worker that runs scripts.

use postrider_sandbox::{Launch, Run, Sandbox, SandboxOptions, Script, WORKER_COMMAND};

/// Returns more than it got, so that the worker's allocator needs new memory again and again.
const SCRIPT: &str = "
    function handler(webhook) {
        webhook.payload.big = 'x'.repeat(webhook.payload.size);
        return webhook;
    }
";

#[tokio::test]
async fn the_binary_is_a_worker_for_scripts() {
    let path = env!("CARGO_BIN_EXE_postrider").into();
    let launch = Launch::Program { path, arguments: vec![WORKER_COMMAND.into()] };
    let sandbox = Sandbox::new(SandboxOptions::new(launch));
    for number in 0..120_u32 {
        let size = 1 << (number % 20);
        let run = Run {
            owner: u128::from(number / 40),
            script: Script::new(SCRIPT),
            argument: format!("{{\"payload\":{{\"size\":{size}}}}}").into(),
            read_only: &[],
        };
        let returned = sandbox.run(run).await.unwrap();
        assert!(returned.value.len() > size);
    }
    sandbox.shut_down().await;
    assert_eq!(sandbox.counts().crashed, 0);
}
