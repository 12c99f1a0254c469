//! Admits listeners, and serves their connections.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{WebSocket, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use http::{HeaderMap, header};
use postrider::{api::Permission, listen::ENVELOPE_BYTES};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    connection::{Connection, Ended},
    follow, forward,
    sessions::Trust,
    state::Relay,
};
use crate::{
    api::error::ApiError,
    auth::{Principal, access::check_role},
    http::{Peer, client_address::client_network},
};

/// How long a listener may take to send its first message.
const START_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn connect(
    State(relay): State<Arc<Relay>>,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let proxies = &relay.settings.trusted_proxies;
    let address = client_network(proxies, peer.map(|Extension(it)| it), &headers);
    match admit(&relay, &headers, upgrade).await {
        Ok((admitted, upgrade)) => {
            // Base 64 has four characters for three bytes.
            let encoded_body = relay.settings.limits.relay_answer.div_ceil(3) * 4;
            let size = encoded_body + ENVELOPE_BYTES;
            upgrade
                .max_message_size(size)
                .max_frame_size(size)
                .on_upgrade(move |socket| serve(relay, admitted, socket, address))
        },
        Err(error) => relay.errors.response(error).into_response(),
    }
}

/// A client that may listen.
struct Admitted {
    caller: Option<Arc<Principal>>,
    _connection: OwnedSemaphorePermit,
}

const fn trust(caller: Option<&Arc<Principal>>) -> Trust {
    match caller {
        Some(_) => Trust::Authenticated,
        None => Trust::Anonymous,
    }
}

/// A client that sends an API token must have a valid one; a client without one gets what the
/// operator grants to everyone. Pages in browsers are rejected: they would use the credentials
/// and the network access of their visitor.
async fn admit(
    relay: &Relay,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<(Admitted, WebSocketUpgrade), ApiError> {
    let upgrade = upgrade.map_err(|error| ApiError::Bad {
        code: "bad_request",
        detail: format!("this URL is for WebSocket connections of `postrider listen`: {error}"),
    })?;
    if headers.contains_key(header::ORIGIN) {
        return Err(ApiError::Forbidden("pages in browsers cannot listen"));
    }
    let caller = if headers.contains_key(header::AUTHORIZATION) {
        let caller = relay.authenticator.authenticate(headers, relay.now()).await?;
        if caller.grant.application.is_some() {
            return Err(ApiError::Forbidden("this needs a token of the organization"));
        }
        check_role(Permission::Operate, &caller)?;
        Some(caller)
    } else {
        None
    };
    if caller.is_none() && !relay.settings.relay {
        return Err(Relay::closed());
    }
    let connection = relay.capacity(trust(caller.as_ref())).try_connect();
    let connection =
        connection.map_err(|_| ApiError::Unavailable("too many listeners are connected", None))?;
    Ok((Admitted { caller, _connection: connection }, upgrade))
}

async fn serve(relay: Arc<Relay>, admitted: Admitted, socket: WebSocket, address: IpAddr) {
    let mut connection = Connection::new(socket, address);
    let Ok(Some(start)) = timeout(START_TIMEOUT, connection.start()).await else { return };
    let _counted = relay.count(trust(admitted.caller.as_ref()));
    let knows_close_codes = start.knows_close_codes();
    let ended = if start.source.is_some() {
        follow::run(&relay, &mut connection, admitted.caller.as_deref(), &start).await
    } else {
        forward::run(&relay, &mut connection, start, trust(admitted.caller.as_ref())).await
    };
    if let Err(Ended::Closed { code, reason }) = ended {
        let code = if knows_close_codes { code.code() } else { code.standard_code() };
        connection.close(code, reason).await;
    }
}
