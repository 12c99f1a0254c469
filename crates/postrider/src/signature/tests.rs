use base64::Engine as _;
use proptest::prelude::*;

use super::*;

// The example of the specification and its libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

// The example of the server that the specification came from.
const PRIVATE_KEY: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const PUBLIC_KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const ED25519_SIGNATURE: &str =
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: u64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;

fn secret(text: &str) -> Secret {
    text.parse().unwrap()
}

fn headers(signature: &str) -> Headers<'_> {
    Headers { id: ID, timestamp: "1614265330", signature }
}

#[track_caller]
fn check(key: &str, signature: &str, expected: Result<(), VerifyError>) {
    let verifier = Verifier::new([key]).unwrap();
    assert_eq!(verifier.verify(&headers(signature), BODY, AT, TOLERANCE), expected);
}

#[test]
fn published_signatures_come_out() {
    assert_eq!(secret(SECRET).sign(ID, AT, BODY), SIGNATURE);
    assert_eq!(secret(PRIVATE_KEY).sign(ID, AT, BODY), ED25519_SIGNATURE);
    assert_eq!(secret(PRIVATE_KEY).public_key().as_deref(), Some(PUBLIC_KEY));
    assert_eq!(secret(SECRET).public_key(), None);
}

#[test]
fn published_signatures_verify() {
    check(SECRET, SIGNATURE, Ok(()));
    check(PUBLIC_KEY, ED25519_SIGNATURE, Ok(()));
    check(PRIVATE_KEY, ED25519_SIGNATURE, Ok(()));
}

#[test]
fn a_header_contains_the_signatures_of_all_secrets() {
    let (shared, private) = (secret(SECRET), secret(PRIVATE_KEY));
    let header = signature_header(&[&shared, &private], ID, AT, BODY);
    assert_eq!(header, format!("{SIGNATURE} {ED25519_SIGNATURE}"));
    check(SECRET, &header, Ok(()));
    check(PUBLIC_KEY, &header, Ok(()));
    assert_eq!(signature_header(&[], ID, AT, BODY), "");
}

#[test]
fn one_match_among_many_signatures_is_enough() {
    let stranger = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    check(SECRET, &format!("{stranger} v2,AAAA nonsense v1,%% {SIGNATURE}"), Ok(()));
    check(SECRET, &format!("  {SIGNATURE}  "), Ok(()));
    check(SECRET, stranger, Err(VerifyError::Signature));
}

#[test]
fn the_version_counts() {
    let bare = SIGNATURE.strip_prefix("v1,").unwrap();
    for signature in ["", "v1", "v1,", bare, &format!("v1a,{bare}"), &format!("v2,{bare}")] {
        check(SECRET, signature, Err(VerifyError::Signature));
        check(PUBLIC_KEY, signature, Err(VerifyError::Signature));
    }
}

#[test]
fn any_of_several_keys_is_enough() {
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    for keys in [[SECRET, other], [other, SECRET], [PUBLIC_KEY, SECRET]] {
        let verifier = Verifier::new(keys).unwrap();
        assert_eq!(verifier.verify(&headers(SIGNATURE), BODY, AT, TOLERANCE), Ok(()));
    }
    let verifier = Verifier::new([]).unwrap();
    assert!(verifier.verify(&headers(SIGNATURE), BODY, AT, TOLERANCE).is_err());
}

#[test]
fn stale_and_early_webhooks_are_rejected() {
    let verifier = Verifier::new([SECRET]).unwrap();
    for (now, expected) in [
        (AT - 301, Err(VerifyError::TooNew)),
        (AT - 300, Ok(())),
        (AT + 300, Ok(())),
        (AT + 301, Err(VerifyError::TooOld)),
    ] {
        assert_eq!(verifier.verify(&headers(SIGNATURE), BODY, now, TOLERANCE), expected, "{now}");
    }
}

#[test]
fn timestamps_are_digits() {
    let verifier = Verifier::new([SECRET]).unwrap();
    for timestamp in ["", "x", "-1", "+1614265330", " 1614265330", "1614265330.5", "9e99"] {
        let headers = Headers { timestamp, ..headers(SIGNATURE) };
        let verdict = verifier.verify(&headers, BODY, AT, TOLERANCE);
        assert_eq!(verdict, Err(VerifyError::Timestamp), "{timestamp}");
    }
}

#[test]
fn headers_are_found_under_both_names() {
    for prefix in ["webhook", "svix"] {
        let found = Headers::find(|name| match name.strip_prefix(prefix)? {
            "-id" => Some(ID),
            "-timestamp" => Some("1614265330"),
            "-signature" => Some(SIGNATURE),
            _ => None,
        });
        assert_eq!(found, Ok(headers(SIGNATURE)));
    }
    let missing = Headers::find(|name| (name != "webhook-timestamp").then_some("x"));
    assert_eq!(missing.map(|it| it.timestamp), Ok("x"), "svix-timestamp stands in");
    let missing = Headers::find(|name| name.ends_with("-id").then_some("x"));
    assert_eq!(missing, Err(VerifyError::Missing("webhook-timestamp")));
}

#[test]
fn secrets_are_read_in_all_their_forms() {
    let bare = SECRET.strip_prefix(SECRET_PREFIX).unwrap();
    assert_eq!(secret(bare).reveal(), SECRET);
    let seed = BASE64.encode(&decode(PRIVATE_KEY.strip_prefix("whsk_").unwrap()).unwrap()[..32]);
    assert_eq!(secret(&format!("whsk_{seed}")).reveal(), PRIVATE_KEY);
    let unpadded = PRIVATE_KEY.trim_end_matches('=');
    assert_eq!(secret(unpadded).reveal(), PRIVATE_KEY);
}

#[test]
fn whitespace_around_a_secret_is_ignored() {
    for (before, after) in [("", "\n"), (" ", ""), ("\t", " \r\n")] {
        for text in [SECRET, SECRET.strip_prefix(SECRET_PREFIX).unwrap(), PRIVATE_KEY] {
            let pasted = format!("{before}{text}{after}");
            assert_eq!(secret(&pasted).reveal(), secret(text).reveal(), "{pasted:?}");
        }
        for text in [SECRET, PUBLIC_KEY] {
            let pasted = format!("{before}{text}{after}");
            assert!(Verifier::new([pasted.as_str()]).is_ok(), "{pasted:?}");
        }
    }
    assert!("whsec_MfKQ9r8GKYqrTwjU PD8ILPZIo2LaLaSw".parse::<Secret>().is_err());
}

#[test]
fn a_text_that_is_not_a_secret_is_rejected() {
    let shared = |bytes| format!("whsec_{}", BASE64.encode(vec![7; bytes]));
    let private = |bytes| format!("whsk_{}", BASE64.encode(vec![7; bytes]));
    for (text, expected) in [
        (String::new(), InvalidSecret::Length(0)),
        ("whsec_%".to_owned(), InvalidSecret::Base64),
        (shared(23), InvalidSecret::Length(23)),
        (shared(76), InvalidSecret::Length(76)),
        (private(31), InvalidSecret::PrivateKeyLength(31)),
        (private(64), InvalidSecret::Mismatch),
        (PUBLIC_KEY.to_owned(), InvalidSecret::PublicKey),
    ] {
        assert_eq!(text.parse::<Secret>().unwrap_err(), expected, "{text}");
    }
    for bytes in [24, 64, 75] {
        assert!(shared(bytes).parse::<Secret>().is_ok(), "{bytes}");
    }
    assert_eq!(Verifier::new(["whpk_AAAA"]).unwrap_err(), InvalidSecret::NoPublicKey);
}

#[test]
fn nothing_shows_a_secret_by_accident() {
    assert_eq!(format!("{:?}", secret(SECRET)), "Secret(Symmetric)");
    assert_eq!(format!("{:?}", secret(PRIVATE_KEY)), "Secret(Ed25519)");
    assert_eq!(format!("{:?}", Verifier::new([SECRET]).unwrap()), "Verifier { keys: 1 }");
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Symmetric), Just(Kind::Ed25519)]
}

proptest! {
    #[test]
    fn only_the_signed_webhook_verifies(
        kind in any_kind(),
        random: [u8; 32],
        id in "[a-z0-9_.]{1,40}",
        at in 0_u64..1 << 40,
        mut body: Vec<u8>,
        place: prop::sample::Index,
    ) {
        let secret = Secret::generate(kind, random);
        let signature = secret.sign(&id, at, &body);
        let public = secret.public_key().unwrap_or_else(|| secret.reveal());
        let verifier = Verifier::new([public.as_str()]).unwrap();
        let timestamp = at.to_string();
        let headers = Headers { id: &id, timestamp: &timestamp, signature: &signature };
        prop_assert_eq!(verifier.verify(&headers, &body, at, TOLERANCE), Ok(()));

        let other = Headers { id: "other!", ..headers };
        prop_assert_eq!(verifier.verify(&other, &body, at, TOLERANCE), Err(VerifyError::Signature));

        let later = (at + 1).to_string();
        let other = Headers { timestamp: &later, ..headers };
        prop_assert_eq!(verifier.verify(&other, &body, at, TOLERANCE), Err(VerifyError::Signature));

        let stranger = Secret::generate(kind, random.map(|byte| !byte));
        let verdict = Verifier::from(&stranger).verify(&headers, &body, at, TOLERANCE);
        prop_assert_eq!(verdict, Err(VerifyError::Signature));

        body.push(0);
        let place = place.index(body.len());
        body[place] ^= 1;
        prop_assert_eq!(verifier.verify(&headers, &body, at, TOLERANCE), Err(VerifyError::Signature));
    }

    #[test]
    fn secrets_round_trip_through_text(kind in any_kind(), random: [u8; 32]) {
        let secret = Secret::generate(kind, random);
        let again: Secret = secret.reveal().parse().unwrap();
        prop_assert_eq!(again.reveal(), secret.reveal());
        prop_assert_eq!(again.kind(), kind);
    }

    #[test]
    fn any_text_is_refused_without_panic(text: String, header: String, timestamp: String) {
        prop_assume!(text.len() < 200);
        drop(text.parse::<Secret>());
        let verifier = Verifier::new([SECRET, PUBLIC_KEY]).unwrap();
        let headers = Headers { id: &text, timestamp: &timestamp, signature: &header };
        prop_assert!(verifier.verify(&headers, b"", 0, TOLERANCE).is_err());
    }
}
