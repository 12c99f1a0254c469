//! PgBouncer in front of a database.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{port::free_port, schema, server::until};

/// A pooler in transaction mode, with its own database.
#[derive(Debug)]
pub(crate) struct Pooler {
    /// URL of the database through the pooler.
    pub(crate) url: String,
    database: String,
    child: Child,
    _folder: TempDir,
}

impl Pooler {
    pub(crate) fn start() -> Self {
        let config: tokio_postgres::Config = schema::server().parse().unwrap();
        let database = format!("pooled_{}", std::process::id());
        // `search_path` would outlive a transaction, so the test uses a whole database.
        schema::run(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
        schema::run(&format!("CREATE DATABASE {database}"));
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let user = config.get_user().unwrap_or("postgres");
        let password = config.get_password().map(|it| String::from_utf8_lossy(it).into_owned());
        let password = password.map(|it| format!(" password={it}")).unwrap_or_default();
        let settings = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={} user={user}{password}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             default_pool_size = 4\n",
            config.get_ports()[0],
        );
        let path = folder.path().join("pgbouncer.ini");
        fs::write(&path, settings).unwrap();
        let child = launch(folder.path(), &path);
        until("the pooler listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let url = format!("postgres://{user}@127.0.0.1:{port}/{database}");
        Self { url, database, child, _folder: folder }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        schema::run(&format!("DROP DATABASE {} WITH (FORCE)", self.database));
    }
}

/// Starts the pooler as another user, because it refuses to run as root.
fn launch(folder: &Path, settings: &Path) -> Child {
    let line = "chmod 755 . && chmod 644 pgbouncer.ini && PATH=$PATH:/usr/sbin && \
                if [ \"$(id -u)\" -eq 0 ]; then exec pgbouncer -q -u postgres \"$0\"; \
                else exec pgbouncer -q \"$0\"; fi";
    Command::new("sh")
        .args(["-c", line])
        .arg(settings)
        .current_dir(folder)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}
