//! Times and durations.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::{context::Context, theme::Zone};

/// A time, relative to now, with the exact time on hover. Scripts keep it up to date, and show the
/// exact time in the zone that the person has chosen.
pub(crate) fn time(context: &Context, at: Timestamp) -> Markup {
    of(at, context.now, context.preferences.zone)
}

/// The same for pages without a session.
pub(crate) fn of(at: Timestamp, now: Timestamp, zone: Zone) -> Markup {
    html! {
        time datetime=(at) data-zone=(zone.name()) title=(exact(at)) { (ago(now, at)) }
    }
}

/// The exact time, such as `2026-11-27 15:04:05.123 UTC`.
pub(crate) fn exact(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%3f UTC").to_string()
}

/// A time as an instant rather than a distance, for the ends of ranges.
pub(crate) fn instant(context: &Context, at: Timestamp) -> Markup {
    let text = at.strftime("%b %-d, %H:%M UTC").to_string();
    let absolute = context.preferences.zone == Zone::Local;
    html! { time datetime=(at) data-absolute[absolute] title=(exact(at)) { (text) } }
}

/// The distance of a time from now, such as `5 min ago` or `in 2 h`.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let distance = duration(Duration::from_secs(seconds.unsigned_abs()));
    match seconds {
        0 => "just now".to_owned(),
        1.. => format!("{distance} ago"),
        _ => format!("in {distance}"),
    }
}

/// A duration in its largest unit, such as `3 days`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Milliseconds, such as `12 ms` or `1.25 s`.
pub(crate) fn millis(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10),
        _ => duration(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_one_unit() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let cases = [
            (0, "just now"),
            (5, "5 s ago"),
            (-90, "in 1 min"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
        ];
        for (seconds, expected) in cases {
            let at = Timestamp::from_second(1_000_000 - seconds).unwrap();
            assert_eq!(ago(now, at), expected);
        }
        assert_eq!(millis(999), "999 ms");
        assert_eq!(millis(1_250), "1.25 s");
    }
}
