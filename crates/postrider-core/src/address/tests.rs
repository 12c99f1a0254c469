use proptest::prelude::*;

use super::*;

#[track_caller]
fn forbidden(addresses: &[&str]) {
    for address in addresses {
        let result = check(address.parse().unwrap(), &Policy::default());
        assert!(result.is_err(), "{address}");
    }
}

#[test]
fn addresses_that_are_not_public_are_refused() {
    forbidden(&[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
    ]);
    forbidden(&[
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ]);
    forbidden(&[
        "168.63.129.16",
        "161.26.0.10",
        "166.8.0.1",
        "::ffff:168.63.129.16",
        "64:ff9b::168.63.129.16",
        // ISATAP, with a network that is public.
        "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:10.0.0.1",
        "2606:4700::100:5efe:127.0.0.1",
        "2606:4700::300:5efe:169.254.169.254",
        "2002:808:808::5efe:10.0.0.1",
        "2002:808:808::200:5efe:192.168.1.1",
        // ISATAP of a public address, with a network that is none.
        "fe80::5efe:8.8.8.8",
        "fd00::200:5efe:8.8.8.8",
        "::5efe:8.8.8.8",
        "2002:a00:1::5efe:8.8.8.8",
    ]);
}

#[test]
fn public_addresses_are_allowed() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2606:4700::5efe:8.8.8.8",
        "2606:4700::400:5efe:10.0.0.1",
        "168.63.129.17",
        "166.12.0.1",
    ] {
        assert_eq!(check(address.parse().unwrap(), &Policy::default()), Ok(()), "{address}");
    }
}

#[test]
fn an_allowed_network_allows_only_its_own_addresses() {
    let allow = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let policy = Policy { allow, ..Policy::default() };
    for (address, expected) in [
        ("127.0.0.1", true),
        ("::ffff:127.0.0.1", true),
        ("fd00::1", true),
        ("::1", false),
        ("10.0.0.1", false),
        ("fc00::1", false),
        ("fd00::5efe:127.0.0.1", true),
        ("fd00::5efe:10.0.0.1", false),
        ("fc00::5efe:127.0.0.1", false),
        ("2606:4700::5efe:127.0.0.1", true),
    ] {
        assert_eq!(check(address.parse().unwrap(), &policy).is_ok(), expected, "{address}");
    }
}

#[test]
fn unusual_and_forbidden_urls_are_refused() {
    let policy = Policy::default();
    for good in [
        "https://example.com/hook",
        "http://example.com:8080/?a=b",
        "https://8.8.8.8/",
        "https://EXAMPLE.com",
        "https://bücher.example/",
        "https://[2606:4700::1111]/",
    ] {
        assert!(check_url(good, &policy).is_ok(), "{good}: {:?}", check_url(good, &policy));
    }
    for bad in [
        "",
        "example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://",
        "https://user@example.com",
        "https://user:pw@example.com",
        "https://@example.com",
        "https://example.com:0/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://2130706433/",
        "http://8.8.2056/",
        "http://134744072/",
        "http://１.1.1.1/",
        "http://8.8.8.8./",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://nas.local/",
        "http://metadata.google.internal/",
        "http://metadata/",
        "http://169.254.169.254/",
        "http://1%32%37.0.0.1/",
        "javascript:alert(1)",
        "http://exa%6dple.com/",
        "https://example.com:22/",
        "http://example.com:25/",
        "http://168.63.129.16/",
        "http://[2606:4700::5efe:10.0.0.1]/",
        "http://metadata.goog/",
    ] {
        assert!(check_url(bad, &policy).is_err(), "{bad}");
    }
}

#[test]
fn an_allowed_network_allows_its_urls_but_never_metadata() {
    let allow = vec!["127.0.0.0/8".parse().unwrap(), "169.254.0.0/16".parse().unwrap()];
    let policy = Policy { allow, ports: "1-65535".parse().unwrap(), ..Policy::default() };
    assert!(check_url("http://127.0.0.1:9/hook", &policy).is_ok());
    assert!(check_url("http://localhost:9/hook", &policy).is_ok());
    assert!(check_url("http://0x7f.0.0.1/", &policy).is_err());
    assert!(check_url("http://metadata.google.internal/", &policy).is_err());
    let policy = Policy { https_only: true, ..policy };
    assert_eq!(check_url("http://127.0.0.1:9/", &policy), Err(UrlError::NotHttps));
}

#[test]
fn denied_networks_win_over_allowed_ones_in_every_form() {
    let deny = vec!["10.1.0.0/16".parse().unwrap(), "2606:4700::/32".parse().unwrap()];
    let allow = vec!["10.0.0.0/8".parse().unwrap(), "2606:4700:1::/48".parse().unwrap()];
    let policy = Policy { allow, deny, ..Policy::default() };
    for (address, expected) in [
        ("10.2.0.1", true),
        ("10.1.0.1", false),
        ("::ffff:10.1.0.1", false),
        ("64:ff9b::10.1.0.1", false),
        ("2002:a01:1::1", false),
        ("2001:4860::5efe:10.1.0.1", false),
        ("2606:4700:1::1", false),
        ("2606:4700::1", false),
        ("8.8.8.8", true),
    ] {
        let address: IpAddr = address.parse().unwrap();
        let denied = check(address, &policy);
        let expected = if expected { Ok(()) } else { Err(Forbidden::Denied(address)) };
        assert_eq!(denied, expected, "{address}");
    }
}

#[test]
fn metadata_services_are_allowed_only_by_their_own_address() {
    let of = |allow: &[&str]| {
        let allow = allow.iter().map(|it| it.parse().unwrap()).collect();
        Policy { allow, ..Policy::default() }
    };
    let wide = of(&["0.0.0.0/0", "::/0", "169.254.0.0/16", "100.64.0.0/10", "fd00::/8"]);
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2606:4700::5efe:169.254.169.254",
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(check(address, &wide), Err(Forbidden::Metadata(address)));
        let own = Policy { allow: vec![address.into()], ..Policy::default() };
        assert_eq!(check(address, &own), Ok(()), "{address}");
    }
    assert_eq!(check("169.254.169.250".parse().unwrap(), &wide), Ok(()));
    let own = of(&["169.254.169.254/32"]);
    assert!(check("::ffff:169.254.169.254".parse().unwrap(), &own).is_ok());
    assert!(check("fd00::5efe:169.254.169.254".parse().unwrap(), &own).is_err());
}

#[test]
fn only_allowed_ports_can_be_called() {
    let policy = Policy { ports: "443,8443".parse().unwrap(), ..Policy::default() };
    for (url, expected) in [
        ("https://example.com/", Ok(())),
        ("https://example.com:8443/", Ok(())),
        ("http://example.com:443/", Ok(())),
        ("http://example.com/", Err(ForbiddenPort(80))),
        ("https://example.com:22/", Err(ForbiddenPort(22))),
        ("https://8.8.8.8:9443/", Err(ForbiddenPort(9_443))),
    ] {
        let checked = check_url(url, &policy).map(drop);
        assert_eq!(checked, expected.map_err(UrlError::ForbiddenPort), "{url}");
    }
}

proptest! {
    #[test]
    fn every_form_of_a_v4_address_is_judged_alike(bits: u32) {
        let v4 = Ipv4Addr::from(bits);
        let expected = check(IpAddr::V4(v4), &Policy::default()).is_ok();
        let forms = [v4.to_ipv6_mapped(), Ipv6Addr::from((0x64_ff9b_u128 << 96) | u128::from(bits)),
            Ipv6Addr::from((0x2002_u128 << 112) | (u128::from(bits) << 80) | 1)];
        for form in forms {
            prop_assert_eq!(check(IpAddr::V6(form), &Policy::default()).is_ok(), expected, "{}", form);
        }
    }

    #[test]
    fn any_text_is_judged_without_a_panic(text in ".{0,60}") {
        let judged = check_url(&text, &Policy::default());
        let prefixed = check_url(&format!("http://{text}"), &Policy::default());
        prop_assert!(judged.is_err() || prefixed.is_err() || !text.is_empty());
    }
}
