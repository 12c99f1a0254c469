//! Queries name servers for the addresses of a name.

use std::{net::IpAddr, time::Duration};

use futures_util::future::select;
use hickory_resolver::{
    TokioResolver,
    net::{DnsError, NetError},
    proto::{
        op::ResponseCode,
        rr::{Name, RecordType},
    },
};
use postrider_core::names::Unresolved;

/// How long addresses of one family wait for those of the other (RFC 8305). Some name servers never
/// answer queries for IPv6.
const GRACE: Duration = Duration::from_millis(250);

/// Most addresses of one family that are kept. The owner of a name decides how many there are, and
/// each is cached and may be tried.
const ADDRESSES_MAX: usize = 16;

/// The answer of the name servers, and its TTL if there is one.
#[derive(Debug)]
pub(super) struct QueryResult {
    pub answer: Result<Vec<IpAddr>, Unresolved>,
    pub ttl: Option<Duration>,
}

impl QueryResult {
    fn nothing(reason: Unresolved) -> Self {
        Self { answer: Err(reason), ttl: None }
    }
}

/// Looks up the names one after the other, until one has addresses.
pub(super) async fn ask(
    resolver: &TokioResolver,
    names: Vec<String>,
    limit: Duration,
) -> QueryResult {
    let mut found = QueryResult::nothing(Unresolved::Malformed);
    let asking = async {
        for name in names {
            let next = ask_one(resolver, &name, limit).await;
            found = match (next.answer, &found.answer) {
                (Err(reason), Err(before)) => {
                    let answer = Err(before.clone().weightier(reason));
                    QueryResult { answer, ttl: shorter(found.ttl, next.ttl) }
                },
                (answer, _) => QueryResult { answer, ttl: next.ttl },
            };
            if found.answer.is_ok() {
                return;
            }
        }
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(()) => found,
        Err(_) => QueryResult::nothing(Unresolved::NoAnswer(limit)),
    }
}

/// Looks up both families in parallel.
async fn ask_one(resolver: &TokioResolver, name: &str, limit: Duration) -> QueryResult {
    let Ok(name) = Name::from_str_relaxed(name) else {
        return QueryResult::nothing(Unresolved::Malformed);
    };
    let [fours, sixes] = [RecordType::A, RecordType::AAAA]
        .map(|kind| Box::pin(ask_family(resolver, name.clone(), kind, limit)));
    let (first, other) = select(fours, sixes).await.into_inner();
    if first.answer.is_ok() {
        return match tokio::time::timeout(GRACE, other).await {
            Ok(second) => both(first, second),
            Err(_) => first,
        };
    }
    both(first, other.await)
}

fn both(first: QueryResult, second: QueryResult) -> QueryResult {
    let ttl = shorter(first.ttl, second.ttl);
    match (first.answer, second.answer) {
        (Ok(mut addresses), Ok(others)) => {
            addresses.extend(others);
            QueryResult { answer: Ok(addresses), ttl }
        },
        (Ok(addresses), Err(_)) => QueryResult { answer: Ok(addresses), ttl: first.ttl },
        (Err(_), Ok(addresses)) => QueryResult { answer: Ok(addresses), ttl: second.ttl },
        (Err(reason), Err(other)) => QueryResult { answer: Err(reason.weightier(other)), ttl },
    }
}

fn shorter(first: Option<Duration>, second: Option<Duration>) -> Option<Duration> {
    first.into_iter().chain(second).min()
}

async fn ask_family(
    resolver: &TokioResolver,
    name: Name,
    kind: RecordType,
    limit: Duration,
) -> QueryResult {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => {
            let addresses = lookup.answers().iter().filter_map(|record| record.data.ip_addr());
            let addresses: Vec<_> = addresses.take(ADDRESSES_MAX).collect();
            let ttl = lookup.answers().iter().map(|record| record.ttl).min();
            let is_empty = addresses.is_empty();
            let answer = if is_empty { Err(Unresolved::NoAddress) } else { Ok(addresses) };
            QueryResult { answer, ttl: ttl.map(seconds) }
        },
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => QueryResult {
            answer: Err(absence(nothing.response_code)),
            ttl: nothing.negative_ttl.map(seconds),
        },
        Err(error) => QueryResult::nothing(reason(&error, limit)),
    }
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(ttl.into())
}

fn absence(code: ResponseCode) -> Unresolved {
    if code == ResponseCode::NoError {
        Unresolved::NoAddress
    } else if code == ResponseCode::NXDomain {
        Unresolved::NoName
    } else {
        Unresolved::Refused(code.to_string())
    }
}

fn reason(error: &NetError, limit: Duration) -> Unresolved {
    if let NetError::Dns(DnsError::ResponseCode(code)) = error {
        Unresolved::Refused(code.to_string())
    } else if matches!(error, NetError::Timeout) {
        Unresolved::NoAnswer(limit)
    } else {
        Unresolved::Unreachable(error.to_string())
    }
}
