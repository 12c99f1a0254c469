//! The binary as a worker that runs scripts.

use postrider_sandbox::{Launch, Run, Sandbox, SandboxOptions, Script, WORKER_COMMAND};

#[tokio::test]
async fn the_binary_is_a_worker_for_scripts() {
    let path = env!("CARGO_BIN_EXE_postrider").into();
    let launch = Launch::Program { path, arguments: vec![WORKER_COMMAND.into()] };
    let sandbox = Sandbox::new(SandboxOptions::new(launch));
    for number in 0..50 {
        let run = Run {
            owner: number % 3,
            script: Script::new(
                "function handler(webhook) { webhook.payload.big = 'x'.repeat(500000); return webhook; }",
            ),
            argument: r#"{"payload":{}}"#.into(),
            read_only: &[],
        };
        let returned = sandbox.run(run).await.unwrap();
        assert!(returned.value.len() > 500_000);
    }
    sandbox.shut_down().await;
    assert_eq!(sandbox.counts().crashed, 0);
}
