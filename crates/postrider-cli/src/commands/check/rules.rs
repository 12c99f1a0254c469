//! What a correct receiver does, and how to fix one that does not.

/// A test of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TestCase {
    Genuine,
    Tampered,
    Unsigned,
    WrongSecret,
    Stale,
    Future,
    SameRejection,
    Duplicate,
    HeaderCase,
    Chunked,
    Rotation,
    WrongMethod,
    ContentType,
    BadJson,
    BadText,
    Huge,
    Slow,
    Concurrent,
    Alive,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub case: TestCase,
    /// Its name for `--only`.
    pub name: &'static str,
    pub statement: &'static str,
    /// How to fix a receiver that breaks the rule, and why.
    pub fix: &'static str,
}

/// Earlier names of rules, which `--only` still accepts.
const FORMER_NAMES: &[(&str, &str)] =
    &[("letters", "header-case"), ("same-refusal", "same-rejection")];

/// The rule with this name.
pub(super) fn find(name: &str) -> Result<&'static Rule, String> {
    let former = FORMER_NAMES.iter().find(|(former, _)| *former == name);
    let name = former.map_or(name, |(_, present)| present);
    ALL.iter().find(|rule| rule.name == name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|it| it.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// All rules, in the order in which they are tested.
pub(super) const ALL: &[Rule] = &[
    Rule {
        case: TestCase::Genuine,
        name: "genuine",
        statement: "a genuine event is accepted in time",
        fix: "respond with 2xx as soon as the event is stored, and process it afterwards: \
              providers resend an event after any other response or a timeout, and finally give \
              up; if the event is rejected, check that the secret, the signed URL and the raw \
              body are those of the provider",
    },
    Rule {
        case: TestCase::Tampered,
        name: "tampered",
        statement: "an event with a changed body is rejected",
        fix: "verify the signature over the raw body before parsing it, and respond with 401: \
              otherwise anyone who knows the URL can forge events",
    },
    Rule {
        case: TestCase::Unsigned,
        name: "unsigned",
        statement: "an event without a signature is rejected",
        fix: "respond with 401 if the signature is missing: an attacker simply omits it",
    },
    Rule {
        case: TestCase::WrongSecret,
        name: "wrong-secret",
        statement: "an event signed with another secret is rejected",
        fix: "compute the signature with the secret, compare it with the received one in constant \
              time, and respond with 401 if they differ: the presence of a signature proves \
              nothing",
    },
    Rule {
        case: TestCase::Stale,
        name: "stale",
        statement: "an event that was signed long ago is rejected",
        fix: "once the signature is verified, reject timestamps older than the provider's \
              tolerance: otherwise an intercepted request can be replayed forever",
    },
    Rule {
        case: TestCase::Future,
        name: "future",
        statement: "an event that was signed far in the future is rejected",
        fix: "reject timestamps that are further ahead than clocks differ: otherwise such an \
              event can be replayed until then",
    },
    Rule {
        case: TestCase::SameRejection,
        name: "same-rejection",
        statement: "every rejection gets the same response",
        fix: "respond with the same status and text whatever the reason, and log the reason: a \
              different response only helps an attacker",
    },
    Rule {
        case: TestCase::Duplicate,
        name: "duplicate",
        statement: "a repeated event is accepted again",
        fix: "store the event's id with the event, and respond with 2xx if it is known: providers \
              resend events whose response they missed, and an error makes them continue",
    },
    Rule {
        case: TestCase::HeaderCase,
        name: "header-case",
        statement: "header names are not case-sensitive",
        fix: "look up headers without regard to case: HTTP/2 and many proxies send them in lower \
              case",
    },
    Rule {
        case: TestCase::Chunked,
        name: "chunked",
        statement: "a chunked body is accepted",
        fix: "read the body to its end instead of relying on Content-Length: senders need not \
              announce the length",
    },
    Rule {
        case: TestCase::Rotation,
        name: "rotation",
        statement: "one valid signature among several is enough",
        fix: "try every signature in the header: during a rotation, providers sign with the old \
              and the new secret",
    },
    Rule {
        case: TestCase::WrongMethod,
        name: "wrong-method",
        statement: "a request with another method is not accepted as an event",
        fix: "respond with 405 unless the method is POST: a crawler or a link must not look like \
              an event",
    },
    Rule {
        case: TestCase::ContentType,
        name: "content-type",
        statement: "an unexpected content type does not cause a server error",
        fix: "accept the body whatever its type, or respond with 415: 5xx makes the provider retry \
              what can never succeed",
    },
    Rule {
        case: TestCase::BadJson,
        name: "bad-json",
        statement: "a signed body that is not valid JSON does not cause a server error",
        fix: "handle the parser's error and respond with 400, or store the body and respond with \
              2xx: 5xx makes the provider retry what can never succeed",
    },
    Rule {
        case: TestCase::BadText,
        name: "bad-text",
        statement: "a signed body that is not valid UTF-8 does not cause a server error",
        fix: "read the body as bytes, and handle invalid text: 5xx makes the provider retry what \
              can never succeed",
    },
    Rule {
        case: TestCase::Huge,
        name: "huge",
        statement: "a body that is too large is rejected",
        fix: "count bytes while reading, stop at a limit such as 5 MiB, and respond with 413: \
              otherwise anyone can exhaust the memory",
    },
    Rule {
        case: TestCase::Slow,
        name: "slow",
        statement: "slow senders do not delay others",
        fix: "read requests concurrently, with timeouts for headers and body: a slow sender should \
              cost no more than a socket",
    },
    Rule {
        case: TestCase::Concurrent,
        name: "concurrent",
        statement: "many simultaneous events all get a response",
        fix: "store the event, respond, and process it afterwards with limited concurrency; when \
              overloaded, respond with 429 or 503 and Retry-After",
    },
    Rule {
        case: TestCase::Alive,
        name: "alive",
        statement: "a genuine event is still accepted after all of this",
        fix: "one of the tests above broke the receiver: look into its log",
    },
];
