//! What a receiver should do, and what to mend if it does not.

/// One thing to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    Genuine,
    Tampered,
    Unsigned,
    WrongSecret,
    Stale,
    Future,
    SameRefusal,
    Duplicate,
    Letters,
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

/// What is expected of a receiver.
#[derive(Debug)]
pub(super) struct Practice {
    pub trial: Trial,
    /// What `--only` calls it.
    pub name: &'static str,
    pub rule: &'static str,
    /// What to do about a receiver that does otherwise, and why.
    pub mend: &'static str,
}

/// All of them, in the order in which they are tried.
pub(super) const ALL: &[Practice] = &[
    Practice {
        trial: Trial::Genuine,
        name: "genuine",
        rule: "a genuine event is accepted in time",
        mend: "answer 2xx as soon as the event is stored, and work on it afterwards: what is \
               answered otherwise or too late is sent again, and at last given up; if it is \
               refused, look whether the secret, the URL that is signed and the body's bytes are \
               the provider's",
    },
    Practice {
        trial: Trial::Tampered,
        name: "tampered",
        rule: "an event whose body was changed is refused",
        mend: "verify the signature over the body's bytes as they came, before parsing, and \
               answer 401: otherwise whoever knows the URL says what happened",
    },
    Practice {
        trial: Trial::Unsigned,
        name: "unsigned",
        rule: "an event without its signature is refused",
        mend: "answer 401 if what carries the signature is missing: a check that is passed over \
               protects from nobody",
    },
    Practice {
        trial: Trial::WrongSecret,
        name: "wrong-secret",
        rule: "an event signed with another secret is refused",
        mend: "compare the signature with one that is computed with the secret, in constant \
               time, and answer 401: that a signature is there does not make it right",
    },
    Practice {
        trial: Trial::Stale,
        name: "stale",
        rule: "an event that was signed long ago is refused",
        mend: "refuse timestamps older than the provider's tolerance, once the signature is \
               verified: who caught a request could send it again for ever",
    },
    Practice {
        trial: Trial::Future,
        name: "future",
        rule: "an event that was signed far in the future is refused",
        mend: "refuse timestamps further ahead than clocks differ: they would pass for fresh \
               long after",
    },
    Practice {
        trial: Trial::SameRefusal,
        name: "same-refusal",
        rule: "every refusal is the same answer",
        mend: "answer the same status and text whatever is wrong, and write the reason to the \
               log: the difference helps only who tries to forge",
    },
    Practice {
        trial: Trial::Duplicate,
        name: "duplicate",
        rule: "an event that comes again is accepted again",
        mend: "remember the event's id with the event, and answer 2xx when it is known: \
               providers repeat what they got no answer for, and an error makes them go on",
    },
    Practice {
        trial: Trial::Letters,
        name: "letters",
        rule: "header names count in any case",
        mend: "look headers up without regard to case: proxies and HTTP/2 write them in small \
               letters, providers in others",
    },
    Practice {
        trial: Trial::Chunked,
        name: "chunked",
        rule: "a body that comes in chunks is accepted",
        mend: "read the body to its end instead of by Content-Length: a sender need not say \
               the length",
    },
    Practice {
        trial: Trial::Rotation,
        name: "rotation",
        rule: "one right signature among several is enough",
        mend: "try every signature of the header: while a secret is replaced, the provider \
               signs with the old one and the new one",
    },
    Practice {
        trial: Trial::WrongMethod,
        name: "wrong-method",
        rule: "another method is not taken for an event",
        mend: "answer 405 to what is not POST: a crawler or a link must not look like an event",
    },
    Practice {
        trial: Trial::ContentType,
        name: "content-type",
        rule: "an unexpected content type is no fault of the server",
        mend: "take the bytes whatever the type says, or answer 415; 5xx makes the provider \
               repeat what will never succeed",
    },
    Practice {
        trial: Trial::BadJson,
        name: "bad-json",
        rule: "a signed body that does not parse is no fault of the server",
        mend: "handle the parser's error, and answer 400, or store the bytes and answer 2xx; \
               5xx makes the provider repeat what will never succeed",
    },
    Practice {
        trial: Trial::BadText,
        name: "bad-text",
        rule: "a signed body that is not UTF-8 is no fault of the server",
        mend: "take the body as bytes, and handle what is no text; 5xx makes the provider \
               repeat what will never succeed",
    },
    Practice {
        trial: Trial::Huge,
        name: "huge",
        rule: "a body that is too large is refused",
        mend: "count while reading, stop at a limit (such as 5 MiB), and answer 413: otherwise \
               anyone can fill the memory",
    },
    Practice {
        trial: Trial::Slow,
        name: "slow",
        rule: "slow senders do not keep others waiting",
        mend: "read requests concurrently, with a time limit for head and body: a sender that \
               trickles should cost a socket and nothing else",
    },
    Practice {
        trial: Trial::Concurrent,
        name: "concurrent",
        rule: "many events at once are all answered",
        mend: "store and answer, and work afterwards with a bound on how much at once; if it is \
               too much, answer 429 or 503 with Retry-After",
    },
    Practice {
        trial: Trial::Alive,
        name: "alive",
        rule: "after all that, a genuine event is accepted",
        mend: "something above broke the receiver: its log should tell what",
    },
];
