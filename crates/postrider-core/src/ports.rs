//! Which ports may be called.
//!
//! Ports below 1024 belong to services such as SSH, SMTP and DNS. A webhook never needs them, and
//! a crafted request could confuse them.

use std::{fmt, ops::RangeInclusive, str::FromStr};

/// A set of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

/// The text is not a list of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a list of ports such as 80,443,1024-65535")]
pub struct InvalidPorts;

impl Ports {
    pub fn contain(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }
}

/// The ports of `http` and `https`, and all unprivileged ports.
impl Default for Ports {
    fn default() -> Self {
        Self(vec![80..=80, 443..=443, 1_024..=u16::MAX])
    }
}

/// Ports and ranges of ports, separated by commas.
impl FromStr for Ports {
    type Err = InvalidPorts;

    fn from_str(text: &str) -> Result<Self, InvalidPorts> {
        let items = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        let ranges: Vec<_> = items.map(range).collect::<Option<_>>().ok_or(InvalidPorts)?;
        if ranges.is_empty() { Err(InvalidPorts) } else { Ok(Self(ranges)) }
    }
}

fn range(item: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (1 <= first && first <= last).then_some(first..=last)
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (first, last) = (range.start(), range.end());
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_ports_are_contained() {
        for (text, inside, outside) in [
            ("80,443,1024-65535", &[80, 443, 1_024, 8_443, 65_535][..], &[0, 1, 22, 25, 1_023][..]),
            (" 443 , 8000 - 8001", &[443, 8_000, 8_001], &[80, 7_999, 8_002]),
            ("1-65535", &[1, 65_535], &[0]),
        ] {
            let ports: Ports = text.parse().unwrap();
            assert!(inside.iter().all(|it| ports.contain(*it)), "{text}");
            assert!(!outside.iter().any(|it| ports.contain(*it)), "{text}");
            assert_eq!(ports.to_string().parse(), Ok(ports), "{text}");
        }
        assert_eq!("80,443,1024-65535".parse(), Ok(Ports::default()));
    }

    #[test]
    fn malformed_lists_of_ports_are_refused() {
        for text in ["", ",", "0", "http", "80-", "-80", "90-80", "65536", "0-10", "80;443"] {
            assert_eq!(text.parse::<Ports>(), Err(InvalidPorts), "{text}");
        }
    }
}
