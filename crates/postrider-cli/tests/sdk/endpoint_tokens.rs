//! Deliveries with access tokens of a real token server.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use crate::{
    scripts::{installed, source},
    server::{Server, until_async},
};

const SECRET: &str = "a secret of the client, with = and :";

/// A token server and a receiver that requires its tokens.
struct TokenServer {
    url: String,
    key: String,
    refresh_token: String,
    child: Child,
}

impl TokenServer {
    fn start() -> Self {
        // Node searches packages next to the script, so the script is copied to the packages. Other
        // tests do the same meanwhile, and must never read a part of it.
        let script = installed("oidc").join("tokens.mjs");
        let copy = script.with_extension(std::process::id().to_string());
        std::fs::copy(source("oidc/tokens.mjs"), &copy).unwrap();
        std::fs::rename(copy, &script).unwrap();
        let mut command = Command::new("node");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| started[name].as_str().unwrap().to_owned();
        Self { url: text("url"), key: text("key"), refresh_token: text("refreshToken"), child }
    }

    /// The configuration of a client.
    fn config(&self, client: &str) -> Value {
        let token_url = format!("{}/token", self.url);
        let common = json!({
            "grantType": "clientCredentials",
            "authMethod": "clientSecretBasic",
            "tokenUrl": token_url,
            "clientId": client,
        });
        let own = match client {
            "post" => json!({ "authMethod": "clientSecretPost", "clientSecret": SECRET }),
            "jwt" => json!({ "authMethod": "clientSecretJwt", "jwtParams": {
                "secretBase64": self.key, "signingAlgorithm": "RS256", "secretId": "k1",
                // The token server requires its issuer.
                "audience": self.url,
            } }),
            "refresh" => json!({
                "grantType": "refreshToken", "clientSecret": SECRET,
                "refreshToken": self.refresh_token,
            }),
            _ => json!({ "clientSecret": SECRET }),
        };
        let mut config = common;
        for (name, value) in own.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    }

    /// Revokes the access tokens that the receiver has seen.
    async fn revoke(&self) {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let request = Request::post(format!("{}/control/revoke", self.url));
        let response = client.request(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 204);
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The attempt of a new message.
async fn attempt(server: &Server) -> Value {
    let message = server.publish("acme", json!({ "n": 1 })).await;
    let path = format!("/app/acme/attempt/msg/{message}?with_content=true");
    let found = until_async(|| server.get(&path), |it| it["data"][0].is_object()).await;
    found["data"][0].clone()
}

#[tokio::test]
async fn deliveries_have_tokens_for_every_kind_of_client() {
    let (tokens, server) = (TokenServer::start(), Server::start());
    server.application("acme").await;
    let body = json!({ "url": format!("{}/hook", tokens.url), "uid": "main" });
    server.post("/app/acme/endpoint", body).await;
    assert_eq!(attempt(&server).await["responseStatusCode"], 401);
    let path = "/app/acme/endpoint/main/oauth";
    for client in ["basic", "post", "jwt", "refresh"] {
        let set = server.call(Method::PUT, path, Some(tokens.config(client))).await.unwrap();
        assert_eq!(set.0, 204, "{client}: {}", set.1);
        for _ in 0..2 {
            let attempt = attempt(&server).await;
            assert_eq!(attempt["response"], client, "{attempt}\n{}", server.log());
        }
        tokens.revoke().await;
        let attempt = attempt(&server).await;
        assert_eq!(attempt["response"], client, "{attempt}\n{}", server.log());
    }
    let stored = server.stored();
    let log = server.log();
    for secret in [SECRET, &tokens.key, &tokens.refresh_token] {
        assert!(!log.contains(secret), "{log}");
        assert!(!stored.windows(secret.len()).any(|it| it == secret.as_bytes()));
    }
}

#[tokio::test]
async fn a_refusal_of_the_token_server_is_shown_in_the_attempt() {
    let (tokens, server) = (TokenServer::start(), Server::start());
    server.application("acme").await;
    let body = json!({ "url": format!("{}/hook", tokens.url), "uid": "main" });
    server.post("/app/acme/endpoint", body).await;
    let mut config = tokens.config("basic");
    config["clientSecret"] = "a wrong secret".into();
    let path = "/app/acme/endpoint/main/oauth";
    assert_eq!(server.call(Method::PUT, path, Some(config)).await.unwrap().0, 204);
    let attempt = attempt(&server).await;
    let said = attempt["response"].as_str().unwrap();
    assert!(said.contains("status 401 (invalid_client"), "{said}");
    assert!(said.contains("correct the client id"), "{said}");
}
