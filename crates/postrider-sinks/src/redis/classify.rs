//! What the errors of a Redis server mean, and what to do about them.

use postrider_core::outcome::Failure;
use redis::{ErrorKind, RedisError};

use crate::failed::Failed;

/// Why a command failed. The server's own words are not repeated, because they can contain
/// arguments.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library adds errors")]
pub(super) fn error(error: &RedisError) -> Failed {
    if let Some(code) = error.code() {
        return by_code(code, error.detail().unwrap_or_default());
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => by_code("WRONGPASS", ""),
        ErrorKind::Io => lost(),
        _ => Failed::new(
            Failure::Protocol,
            "the server does not speak the protocol of Redis; check the host and the port",
        ),
    }
}

pub(super) fn lost() -> Failed {
    Failed::unavailable(
        "the connection to the Redis server was lost before it responded; the entry may have been \
         appended",
    )
}

/// The table of Redis' errors, by their first word.
fn by_code(code: &str, detail: &str) -> Failed {
    let (failure, reason) = match code {
        "WRONGPASS" => (
            Failure::Misconfigured,
            "the Redis server refused the credentials; check the user and the password in `url`",
        ),
        "NOAUTH" => {
            (Failure::Misconfigured, "the Redis server requires a password; add it to `url`")
        },
        "NOPERM" => (
            Failure::Misconfigured,
            "the user may not use the command or the stream; allow it in the server's ACL",
        ),
        "DENIED" => (
            Failure::Misconfigured,
            "the Redis server is in protected mode; set a password, or turn protected mode off",
        ),
        "WRONGTYPE" => (
            Failure::Misconfigured,
            "the key exists and is not a stream; correct `stream`, or delete the key",
        ),
        "MOVED" | "ASK" | "CROSSSLOT" => (
            Failure::Misconfigured,
            "the server is a node of a Redis cluster that does not hold the stream; connect to \
             the node that does, because redirections to other addresses are not followed",
        ),
        "READONLY" => (
            Failure::Misconfigured,
            "the Redis server is a read-only replica; connect to the primary",
        ),
        "NOGROUP" => (
            Failure::Misconfigured,
            "the stream or its consumer group does not exist any more; it is created again",
        ),
        "OOM" => (
            Failure::Busy,
            "the Redis server is out of memory; raise maxmemory, or set `maxLength`",
        ),
        "BUSY" | "TRYAGAIN" => (Failure::Busy, "the Redis server is busy"),
        "LOADING" => (Failure::Unavailable, "the Redis server is loading its data"),
        "MASTERDOWN" | "CLUSTERDOWN" | "UNBLOCKED" => {
            (Failure::Unavailable, "the Redis server is not available at the moment")
        },
        "NOREPLICAS" => (
            Failure::Unavailable,
            "the Redis server has fewer replicas than min-replicas-to-write; check the replicas",
        ),
        "MISCONF" => (
            Failure::Unavailable,
            "the Redis server cannot save its data and accepts no writes; is its disk full?",
        ),
        _ if detail.contains("max number of clients") => {
            (Failure::Busy, "the Redis server has too many clients; raise maxclients")
        },
        _ if detail.contains("unknown command") => (
            Failure::Misconfigured,
            "the server does not know the commands of streams; it needs Redis 6.2 or later",
        ),
        _ if detail.contains("DB index") => {
            (Failure::Misconfigured, "the database does not exist; correct the path of `url`")
        },
        _ => (
            Failure::Misconfigured,
            "the Redis server refused the command; its log or documentation says more",
        ),
    };
    let code = if code == "ERR" { String::new() } else { format!(" ({code})") };
    Failed::new(failure, format!("{reason}{code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_server_are_told_apart() {
        let cases = [
            ("WRONGPASS", "invalid username-password pair", Failure::Misconfigured),
            ("NOAUTH", "Authentication required.", Failure::Misconfigured),
            ("NOPERM", "", Failure::Misconfigured),
            ("WRONGTYPE", "", Failure::Misconfigured),
            ("MOVED", "3999 10.0.0.1:6381", Failure::Misconfigured),
            ("READONLY", "", Failure::Misconfigured),
            ("OOM", "command not allowed", Failure::Busy),
            ("LOADING", "", Failure::Unavailable),
            ("NOREPLICAS", "", Failure::Unavailable),
            ("MISCONF", "", Failure::Unavailable),
            ("CLUSTERDOWN", "", Failure::Unavailable),
            ("ERR", "max number of clients reached", Failure::Busy),
            ("ERR", "unknown command 'XADD'", Failure::Misconfigured),
            ("ERR", "DB index is out of range", Failure::Misconfigured),
            ("ERR", "something else", Failure::Misconfigured),
        ];
        for (code, detail, failure) in cases {
            assert_eq!(by_code(code, detail).failure, failure, "{code} {detail}");
        }
        assert!(!by_code("MOVED", "3999 10.0.0.1:6381").reason.contains("10.0.0.1"));
    }
}
