{
  lib,
  rustPlatform,
  installShellFiles,
}:

let
  manifest = lib.importTOML ../../Cargo.toml;
in
rustPlatform.buildRustPackage {
  pname = "postrider";
  version = manifest.workspace.package.version;

  src = lib.cleanSource ../..;
  cargoLock.lockFile = ../../Cargo.lock;

  cargoBuildFlags = [
    "--package=postrider-cli"
    "--features=full"
  ];
  # The tests need databases and brokers; ./test runs them.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall = ''
    $out/bin/postrider manual man
    installManPage man/*
    for shell in bash fish zsh; do
      $out/bin/postrider completions $shell > postrider.$shell
    done
    installShellCompletion postrider.{bash,fish,zsh}
    install -Dm644 -t $out/share/postrider/prometheus packaging/prometheus/alerts.yaml
    install -Dm644 -t $out/share/postrider/grafana packaging/grafana/*.json
  '';

  meta = {
    description = "Webhook gateway that sends and receives webhooks";
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "postrider";
    platforms = lib.platforms.linux;
  };
}
