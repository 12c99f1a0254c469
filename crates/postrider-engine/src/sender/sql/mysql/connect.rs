//! Connects to MySQL at an address that the address guard allows.

use std::net::SocketAddr;

use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use postrider_core::{
    kind::{
        Credential,
        sql::{Mysql, Server, TlsMode, mysql::settings},
    },
    outcome::Failure,
    target::Target,
};

use super::error::of_connection;
use crate::{
    certificates,
    sender::{
        Guard, Peer,
        sql::{LOCK_LIMIT, STATEMENT_LIMIT, failed::Failed},
    },
};

/// Ports of MySQL.
const PORTS: [u16; 1] = [3306];

/// Connects to the first address that accepts connections.
pub(super) async fn connect(
    guard: &Guard,
    target: &Target,
    config: &Mysql,
) -> Result<(Conn, SocketAddr), Failed> {
    let server = config.server();
    let peer = Peer { host: &server.host, port: server.port, own_ports: &PORTS };
    let addresses = guard.resolve(peer, Some(target)).await?;
    let tls = tls(guard, server.tls, config.trusted_certificates.as_deref())?;
    let mut failed = Failed::new(Failure::Connect, "the host has no address");
    for address in addresses {
        match Conn::new(options(&server, address, tls.clone())).await {
            Ok(connection) => return Ok((connection, address)),
            Err(error) => failed = of_connection(&error).at(address),
        }
        // Another address is tried only if nothing listens at this one.
        if failed.failure != Failure::Connect {
            break;
        }
    }
    Err(failed)
}

fn options(server: &Server, address: SocketAddr, tls: Option<SslOpts>) -> Opts {
    OptsBuilder::default()
        // The name is what the certificate is verified for.
        .ip_or_hostname(server.host.trim_matches(['[', ']']))
        .resolved_ips(Some(vec![address.ip()]))
        .tcp_port(address.port())
        .tcp_nodelay(true)
        .user(Some(&server.user))
        .pass(server.password.as_ref().map(Credential::reveal))
        .db_name(server.database.as_deref())
        .ssl_opts(tls)
        // Otherwise the server could name a socket of this machine, and the client would use it.
        .prefer_socket(false)
        // A statement for each number of rows.
        .stmt_cache_size(16)
        .setup(vec![settings(LOCK_LIMIT.as_secs(), STATEMENT_LIMIT.as_secs())])
        .into()
}

/// The client verifies certificates by itself, so it needs the authorities that are trusted.
fn tls(guard: &Guard, mode: TlsMode, trusted: Option<&str>) -> Result<Option<SslOpts>, Failed> {
    if mode == TlsMode::Disable {
        return Ok(None);
    }
    let authorities = match trusted {
        Some(pem) => certificates::parse(pem.as_bytes()).map_err(|error| {
            let reason = format!("`trustedCertificates` cannot be used: {error}");
            Failed::new(Failure::Misconfigured, reason)
        })?,
        None => guard.authorities(),
    };
    // Those of Mozilla, if the system has none.
    let has_own = !authorities.is_empty();
    let authorities = authorities.into_iter().map(|it| it.to_vec().into());
    Ok(Some(
        SslOpts::default()
            .with_root_certs(authorities.collect())
            .with_disable_built_in_roots(has_own)
            .with_danger_accept_invalid_certs(mode == TlsMode::Require),
    ))
}
