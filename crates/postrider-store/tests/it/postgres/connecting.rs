//! Connections to PostgreSQL: encryption, and calls that are abandoned or time out.

use std::{fs, path::Path, process::Command, time::Duration};

use postrider_core::catalog::Application;
use postrider_store::{Expected, Maintenance, PostgresOptions, PostgresStore, Records, StoreError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_postgres::{Client, NoTls};

use crate::{
    fixture::{self, error_chain},
    schema::Schema,
};

/// A server in a temporary folder, stopped when this is dropped.
struct Server {
    folder: tempfile::TempDir,
    url: String,
}

fn script(arguments: &[&str]) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");
    let output = Command::new(path).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn shell(line: &str, folder: &Path) {
    assert!(Command::new("sh").args(["-c", line]).current_dir(folder).status().unwrap().success());
}

impl Server {
    /// A server with a certificate for `localhost`, signed by the authority in `root.crt`.
    fn secured() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = |name: &str| {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let (ours, other) = (authority("ours.test"), authority("other.test"));
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &ours).unwrap();
        let write = |name, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("root.crt", ours.pem());
        write("other.crt", other.pem());
        write("server.crt", certificate.pem());
        write("server.key", key.serialize_pem());
        let line = "chmod 755 . && chmod 600 server.key && \
                    { [ \"$(id -u)\" -ne 0 ] || chown postgres server.key; }";
        shell(line, folder.path());
        let path = |name| folder.path().join(name).display().to_string();
        let url = script(&[
            "start",
            &path("server"),
            "fsync=off",
            "ssl=on",
            &format!("ssl_cert_file={}", path("server.crt")),
            &format!("ssl_key_file={}", path("server.key")),
        ]);
        Self { folder, url }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        script(&["stop", &self.path("server"), "immediate"]);
    }
}

/// Opens a store, and returns whether its connections are encrypted. Their name is unique, because
/// those of the previous store may still be closing.
async fn is_encrypted(server: &str, params: &str, name: &str) -> Result<bool, String> {
    let separator = if params.is_empty() { '?' } else { '&' };
    let url = format!("{server}{params}{separator}application_name={name}");
    let options = PostgresOptions { url, connections: 1, ..PostgresOptions::default() };
    let store = PostgresStore::open(options).await.map_err(|error| error_chain(&error))?;
    let row = client(server).await.query_one(ENCRYPTED, &[&name]).await.unwrap();
    store.close().await.unwrap();
    row.get::<_, Option<bool>>(0).ok_or_else(|| "there are connections of both kinds".to_owned())
}

/// Null if some are and others are not.
const ENCRYPTED: &str = "\
    SELECT CASE WHEN bool_and(ssl) = bool_or(ssl) THEN bool_and(ssl) END
    FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE application_name = $1";

#[expect(clippy::disallowed_methods, reason = "the connection ends with its client")]
async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn connections_are_secured_as_their_url_says() {
    let server = Server::secured();
    let named = server.url.replace("127.0.0.1", "localhost");
    let (root, other) = (server.path("root.crt"), server.path("other.crt"));
    for (number, (url, params, expected)) in (0..).zip([
        (&server.url, String::new(), Ok(())),
        (&server.url, "?sslmode=require".to_owned(), Ok(())),
        (
            &server.url,
            format!("?sslmode=require&sslrootcert={other}"),
            Err("invalid peer certificate"),
        ),
        (&server.url, format!("?sslmode=verify-ca&sslrootcert={root}"), Ok(())),
        (
            &server.url,
            format!("?sslmode=verify-ca&sslrootcert={other}"),
            Err("invalid peer certificate"),
        ),
        (
            &server.url,
            format!("?sslmode=verify-full&sslrootcert={root}"),
            Err("not valid for name"),
        ),
        (&named, format!("?sslmode=verify-full&sslrootcert={root}"), Ok(())),
        (&named, "?sslmode=verify-full".to_owned(), Err("cannot be secured")),
        (&named, "?sslmode=verify-ca&sslrootcert=/nowhere.crt".to_owned(), Err("/nowhere.crt")),
    ]) {
        match (is_encrypted(url, &params, &format!("case_{number}")).await, expected) {
            (Ok(is_encrypted), Ok(())) => assert!(is_encrypted, "{params}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{params}: {error}"),
            (found, expected) => panic!("{params}: {found:?}, expected {expected:?}"),
        }
    }
    assert_eq!(is_encrypted(&server.url, "?sslmode=disable", "disabled").await, Ok(false));
}

/// The number of connections with this name that are in a transaction.
async fn in_transaction(client: &Client, name: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE application_name = $1 AND state <> 'idle'";
    client.query_one(sql, &[&name]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_abandoned_call_changes_nothing_and_frees_its_connection() {
    let schema = Schema::create().await;
    let client = schema.client().await;
    let name = format!("abandoned_{}", std::process::id());
    let options = schema.options();
    let url = format!("{}&application_name={name}", options.url);
    let call_timeout = Duration::from_secs(2);
    let store =
        PostgresStore::open(PostgresOptions { url, connections: 1, call_timeout, ..options })
            .await
            .unwrap();
    let application = fixture::application(7);
    let read = || store.find::<Application>(fixture::application_id(7));

    // The caller drops the call while its transaction waits for a lock.
    client.batch_execute("BEGIN; LOCK TABLE application").await.unwrap();
    let abandoned =
        tokio::time::timeout(Duration::from_millis(200), store.save(&application, Expected::New));
    assert!(abandoned.await.is_err());
    client.batch_execute("COMMIT").await.unwrap();
    until_quiet(&client, &name).await;
    assert_eq!(read().await.unwrap(), None, "it was not committed");

    // The server cancels calls that take too long, and the connections can still be used.
    client.batch_execute("BEGIN; LOCK TABLE application").await.unwrap();
    assert!(matches!(
        store.save(&application, Expected::New).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(read().await, Err(StoreError::Unavailable(_))));
    client.batch_execute("COMMIT").await.unwrap();
    until_quiet(&client, &name).await;
    store.save(&application, Expected::New).await.unwrap();
    assert!(read().await.unwrap().is_some());
    store.close().await.unwrap();
    schema.remove().await;
}

async fn until_quiet(client: &Client, name: &str) {
    let quiet = async {
        while in_transaction(client, name).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), quiet).await.unwrap();
}
