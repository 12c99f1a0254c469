//! Single sign-on with a real identity provider, as a browser uses it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    scripts::{installed, source},
    server::{MAX_WAIT, Server},
};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A running identity provider.
struct Provider {
    url: String,
    child: Child,
}

impl Provider {
    fn start() -> Self {
        // Node searches packages next to the script, so the script is copied to the packages. Other
        // tests do the same meanwhile, and must never read a part of it.
        let script = installed("oidc").join("provider.mjs");
        let copy = script.with_extension(std::process::id().to_string());
        std::fs::copy(source("oidc/provider.mjs"), &copy).unwrap();
        std::fs::rename(copy, &script).unwrap();
        let mut command = Command::new("node");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { url: line.trim().to_owned(), child }
    }

    async fn control(&self, action: &str) {
        let url = format!("{}/control/{action}", self.url);
        assert_eq!(Browser::default().ask(Method::POST, &url, &[]).await.status, 204);
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A browser: it keeps cookies, and shows each redirect.
struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    /// By host and port, name and path.
    cookies: BTreeMap<(String, String), String>,
}

impl Default for Browser {
    fn default() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, cookies: BTreeMap::new() }
    }
}

struct Page {
    status: StatusCode,
    /// Where it leads, as a complete URL.
    location: Option<String>,
    set_cookies: Vec<String>,
    text: String,
}

impl Page {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Browser {
    async fn get(&mut self, url: &str) -> Page {
        self.ask(Method::GET, url, &[]).await
    }

    async fn ask(&mut self, method: Method, url: &str, headers: &[(&str, &str)]) -> Page {
        let authority = Url::parse(url).unwrap().authority().to_owned();
        let own = self.cookies.iter().filter(|((host, _), _)| *host == authority);
        let cookies = own.map(|((_, name), value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let mut request = Request::builder().method(method).uri(url);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if headers.iter().any(|(name, _)| *name == "content-type") {
            json!({ "name": "Acme", "uid": "acme" }).to_string()
        } else {
            String::new()
        };
        let response = self.client.request(request.body(Full::new(body.into())).unwrap());
        let (parts, body) = response.await.unwrap().into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.into()).unwrap();
        let set_cookies = parts.headers.get_all(header::SET_COOKIE).iter();
        let set_cookies: Vec<_> = set_cookies.map(|it| it.to_str().unwrap().to_owned()).collect();
        for cookie in &set_cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            let key = (authority.clone(), name.to_owned());
            if value.is_empty() {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        let location = parts
            .headers
            .get(header::LOCATION)
            .map(|it| Url::parse(url).unwrap().join(it.to_str().unwrap()).unwrap().to_string());
        Page { status: parts.status, location, set_cookies, text }
    }

    /// Goes from the server to the provider and signs in as this person; returns the URL of the
    /// callback, which the browser has not called yet.
    async fn until_callback(&mut self, server: &Server, person: Option<&str>) -> String {
        let begin = format!("{}/auth/login?return_to=/console?tab=1", server.url);
        let mut next = self.get(&begin).await.location.unwrap();
        let callback = format!("{}/auth/callback", server.url);
        while !next.starts_with(&callback) {
            if let (true, Some(person)) = (next.contains("/interaction/"), person) {
                next = format!("{next}?as={person}");
            }
            let page = self.get(&next).await;
            next = page.location.unwrap_or_else(|| panic!("{next}: {} {}", page.status, page.text));
        }
        next
    }

    async fn sign_in(&mut self, server: &Server, person: &str) -> Page {
        let callback = self.until_callback(server, Some(person)).await;
        self.get(&callback).await
    }

    /// Tries again while the server has the keys that it has just fetched.
    async fn until_signed_in(&mut self, server: &Server, person: &str) {
        let trying = async {
            while self.sign_in(server, person).await.status != 303 {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(MAX_WAIT, trying).await.expect("the person can sign in");
    }

    fn session(&self) -> Option<&String> {
        self.cookies.iter().find(|((_, name), _)| name == "postrider-session").map(|(_, it)| it)
    }
}

async fn start(more: &[(&'static str, &str)]) -> (Provider, Server) {
    let provider = Provider::start();
    let mut settings = vec![
        ("POSTRIDER_SSO__ISSUER", provider.url.as_str()),
        ("POSTRIDER_SSO__CLIENT_ID", "postrider"),
        ("POSTRIDER_SSO__CLIENT_SECRET", "a secret of the client, with = and :"),
        ("POSTRIDER_SSO__SCOPES", "email,groups"),
        ("POSTRIDER_SSO__ROLES", "hooks-admins=admin,staff=viewer"),
    ];
    settings.extend(more);
    let server = Server::with_variables(&settings);
    provider.control(&format!("client?redirect_uri={}/auth/callback", server.url)).await;
    (provider, server)
}

#[tokio::test]
async fn people_sign_in_with_the_role_of_their_groups() {
    let (provider, server) = start(&[]).await;
    let applications = format!("{}/api/v1/app", server.url);
    for (person, role, may_create) in [("alice", "admin", true), ("bob", "viewer", false)] {
        let mut browser = Browser::default();
        let page = browser.sign_in(&server, person).await;
        assert_eq!(
            (page.status, page.location.unwrap()),
            (StatusCode::SEE_OTHER, format!("{}/console?tab=1", server.url))
        );
        let cookie =
            page.set_cookies.iter().find(|it| it.starts_with("postrider-session=")).unwrap();
        assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=28800"), "{cookie}");
        let session = browser.get(&format!("{}/auth/session", server.url)).await.json();
        assert_eq!((&session["role"], &session["subject"]), (&json!(role), &json!(person)));
        assert_eq!(session["organization"], "org_main");
        assert_eq!(browser.get(&applications).await.status, 200);
        let own = [("origin", server.url.as_str()), ("content-type", "application/json")];
        let created = browser.ask(Method::POST, &applications, &own).await;
        let expected = if may_create { 201 } else { 403 };
        assert_eq!(created.status, expected, "{}", created.text);
        // Other pages cannot use the session, whatever its role is.
        for foreign in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
            let headers = [foreign, ("content-type", "application/json")];
            assert_eq!(browser.ask(Method::POST, &applications, &headers).await.status, 403);
            assert_eq!(browser.ask(Method::GET, &applications, &[foreign]).await.status, 403);
        }
        assert_eq!(browser.ask(Method::POST, &applications, &own[1..]).await.status, 403);
    }
    // Someone without a role gets no session.
    let mut browser = Browser::default();
    let page = browser.sign_in(&server, "carol").await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("your account has no role here"), "{}", page.text);
    assert!(browser.session().is_none());
    assert_eq!(browser.get(&applications).await.status, 401);

    // New keys of the provider are noticed, and claims of the id token suffice.
    provider.control("rotate").await;
    let mut browser = Browser::default();
    browser.until_signed_in(&server, "bob").await;
    assert_eq!(browser.get(&applications).await.status, 200);
    assert!(!server.log().contains("a secret of the client"), "the secret is in no log");
}

#[tokio::test]
async fn a_sign_in_is_good_for_the_browser_that_began_it_and_only_once() {
    let (_provider, server) = start(&[]).await;
    let mut browser = Browser::default();
    let callback = browser.until_callback(&server, Some("alice")).await;

    // Another browser has not begun it.
    let page = Browser::default().get(&callback).await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("it was begun in another window"), "{}", page.text);
    // A state of another sign-in.
    let state = Url::parse(&callback).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let forged = callback.replace(&state, "forged");
    assert_eq!(browser.get(&forged).await.status, 400);

    let before = browser.cookies.clone();
    assert_eq!(browser.get(&callback).await.status, 303);
    assert!(browser.session().is_some());
    // The cookie of the sign-in is gone, and the provider takes the code once.
    assert_eq!(browser.get(&callback).await.status, 400);
    let mut replaying = Browser { cookies: before, ..Browser::default() };
    let page = replaying.get(&callback).await;
    assert_eq!(page.status, 400, "{}", page.text);
    assert!(page.text.contains("cannot be used again"), "{}", page.text);

    // The person refuses. The provider's text is shown as text.
    let mut browser = Browser::default();
    let refused = browser.until_callback(&server, None).await;
    let page = browser.get(&refused).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("&lt;b&gt;no&lt;/b&gt; &amp; never"), "{}", page.text);
}

#[tokio::test]
async fn a_session_ends_when_the_person_signs_out_and_when_it_expires() {
    let (provider, server) = start(&[]).await;
    let applications = format!("{}/api/v1/app", server.url);
    let logout = format!("{}/auth/logout", server.url);
    let mut browser = Browser::default();
    browser.sign_in(&server, "alice").await;
    let stolen = Browser { cookies: browser.cookies.clone(), ..Browser::default() };
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(browser.ask(Method::POST, &logout, &foreign).await.status, 403);
    assert_eq!(browser.get(&logout).await.status, 405);
    assert_eq!(browser.get(&applications).await.status, 200);
    let own = [("origin", server.url.as_str())];
    assert_eq!(browser.ask(Method::POST, &logout, &own).await.status, 303);
    assert!(browser.session().is_none());
    let mut stolen = stolen;
    let refused = stolen.get(&applications).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["detail"], "the session has ended; sign in again");
    drop(provider);

    let (_provider, server) = start(&[("POSTRIDER_SSO__SESSION", "1s")]).await;
    let applications = format!("{}/api/v1/app", server.url);
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&server, "alice").await.status, 303);
    let expiring = async {
        while browser.get(&applications).await.status == 200 {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(MAX_WAIT, expiring).await.expect("the session expires");
    assert_eq!(browser.get(&applications).await.status, 401);
}

#[tokio::test]
async fn sessions_are_recorded_and_end_when_all_tokens_are_expired() {
    let (_provider, server) = start(&[]).await;
    let applications = format!("{}/api/v1/app", server.url);
    let mut browsers = [Browser::default(), Browser::default()];
    for browser in &mut browsers {
        assert_eq!(browser.sign_in(&server, "alice").await.status, 303);
    }
    let [mut first, mut second] = browsers;
    let own = [("origin", server.url.as_str())];
    let logout = format!("{}/auth/logout", server.url);
    assert_eq!(first.ask(Method::POST, &logout, &own).await.status, 303);
    let log = format!("{}/api/v1/audit-log?record_id=alice", server.url);
    let log = second.get(&log).await.json();
    let seen: Vec<_> = log["data"].as_array().unwrap().iter().map(|it| &it["operation"]).collect();
    let signs_in = "v1.authentication.sign-in";
    assert_eq!(seen, ["v1.authentication.sign-out", signs_in, signs_in], "{log}");
    let entry = &log["data"][1];
    assert_eq!(entry["address"], "127.0.0.1", "{entry}");

    server.call(Method::POST, "/auth/expire-all", Some(json!({}))).await.unwrap();
    let refused = second.get(&applications).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["detail"], "the session has ended; sign in again");
    assert_eq!(second.sign_in(&server, "alice").await.status, 303);
    assert_eq!(second.get(&applications).await.status, 200);
}

#[tokio::test]
async fn an_unreachable_provider_is_explained_and_asked_again() {
    let (provider, server) = start(&[]).await;
    provider.control("down").await;
    let login = format!("{}/auth/login", server.url);
    let mut browser = Browser::default();
    let page = browser.get(&login).await;
    assert_eq!(page.status, 503);
    assert!(page.text.contains("the identity provider cannot be reached"), "{}", page.text);
    assert!(page.text.contains("<a href=\"login\">Sign in again</a>"), "{}", page.text);
    provider.control("up").await;
    let returning = async {
        while browser.get(&login).await.status != 303 {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(MAX_WAIT, returning).await.expect("a failure is forgotten soon");
    assert_eq!(browser.sign_in(&server, "alice").await.status, 303);
}
