//! Charts, drawn as SVG on the server. Each has a table with its numbers.

use std::fmt::Write;

use jiff::Timestamp;
use maud::{Markup, html};

use super::text::{number, short};

/// The size of the drawing, which is stretched to the size of its place.
const WIDTH: u64 = 1_000;
const HEIGHT: u64 = 100;

/// Numbers over time. Points are in order of time, one for each period.
#[derive(Clone, Debug)]
pub(crate) struct Series<'a> {
    pub(crate) label: &'a str,
    /// The names of the values and their classes: `good`, `bad`, `accent`, `neutral`, `warning`.
    pub(crate) values: &'a [(&'a str, &'a str)],
    pub(crate) points: Vec<(Timestamp, Vec<u64>)>,
    /// How a value is shown.
    pub(crate) format: fn(u64) -> String,
}

/// Bars, whose values are stacked.
pub(crate) fn bars(series: &Series<'_>) -> Markup {
    let sum = |values: &[u64]| values.iter().sum::<u64>();
    let highest = series.points.iter().map(|(_, values)| sum(values)).max().unwrap_or_default();
    let top = ceiling(highest);
    let slot = slot(series.points.len());
    let marks = html! {
        @for (index, (at, values)) in series.points.iter().enumerate() {
            @let x = slot * index as u64;
            g {
                (hit(series, *at, values, x, slot))
                @for (place, _) in values.iter().enumerate().filter(|it| *it.1 > 0) {
                    @let (above, below) = (y(sum(&values[..=place]), top), y(sum(&values[..place]), top));
                    rect class={ "bar " (series.values[place].1) } x=(hundredths(x + slot / 10))
                        y=(hundredths(above)) width=(hundredths(slot - slot / 5))
                        // Even one in a million is visible.
                        height=(hundredths((below - above).max(100))) {}
                }
            }
        }
    };
    frame(series, top, &marks)
}

/// Lines, one for each value. Where there is no value, the line is interrupted.
pub(crate) fn lines(series: &Series<'_>) -> Markup {
    let highest =
        series.points.iter().flat_map(|it| it.1.iter().copied()).max().unwrap_or_default();
    let top = ceiling(highest);
    let slot = slot(series.points.len());
    let marks = html! {
        @for (index, (at, values)) in series.points.iter().enumerate() {
            g { (hit(series, *at, values, slot * index as u64, slot)) }
        }
        @for (place, (_, class)) in series.values.iter().enumerate() {
            path class={ "line " (class) } d=(path(&series.points, place, slot, top)) {}
        }
    };
    frame(series, top, &marks)
}

/// The area of a point, which shows its numbers.
fn hit(series: &Series<'_>, at: Timestamp, values: &[u64], x: u64, slot: u64) -> Markup {
    html! {
        title {
            (at.strftime("%b %-d, %H:%M UTC"))
            @for ((name, _), value) in series.values.iter().zip(values) { ", " (name) " " ((series.format)(*value)) }
        }
        rect.hit x=(hundredths(x)) y="0" width=(hundredths(slot)) height=(HEIGHT) {}
    }
}

/// Small bars for a row of a table: successes and failures.
pub(crate) fn sparkline(label: &str, points: &[(u64, u64)]) -> Markup {
    const HIGH: u64 = 20;
    let highest = points.iter().map(|(good, bad)| good + bad).max().unwrap_or_default().max(1);
    let height = |value: u64| if value == 0 { 0 } else { (value * HIGH / highest).max(1) };
    html! {
        svg.sparkline viewBox={ "0 0 " (points.len() * 4) " 20" } width=(points.len() * 4) height="20" role="img" aria-label=(label) {
            @for (index, (good, bad)) in points.iter().enumerate() {
                @let (good, bad) = (height(*good), height(*bad));
                rect.bar.good x=(index * 4) y=(HIGH - good) width="3" height=(good) {}
                rect.bar.bad x=(index * 4) y=(HIGH.saturating_sub(good + bad)) width="3" height=(bad) {}
            }
        }
    }
}

fn frame(series: &Series<'_>, top: u64, marks: &Markup) -> Markup {
    let (first, last) = (series.points.first(), series.points.last());
    let format = axis_format(first.zip(last).map(|(first, last)| hours(last.0, first.0)));
    html! {
        figure.chart {
            figcaption {
                span { (series.label) }
                ul.legend { @for (name, class) in series.values { li class=(class) { (name) } } }
            }
            div.plot {
                div.y-axis aria-hidden="true" { @for part in [2, 1, 0] { span { (axis(series, top / 2 * part)) } } }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(summary(series)) {
                    @for height in [0, HEIGHT / 2, HEIGHT] {
                        line.rule x1="0" x2=(WIDTH) y1=(height) y2=(height) {}
                    }
                    (marks)
                }
                div.x-axis aria-hidden="true" {
                    @if let Some((at, _)) = first { span { (at.strftime(format)) } }
                    @if let Some((at, _)) = last { span { (at.strftime(format)) " UTC" } }
                }
            }
            (numbers(series))
        }
    }
}

/// How the ends of the axis are shown, by the hours between them.
const fn axis_format(hours: Option<i64>) -> &'static str {
    match hours {
        None | Some(..20) => "%H:%M",
        Some(20..60) => "%b %-d, %H:%M",
        Some(60..) => "%b %-d",
    }
}

fn hours(last: Timestamp, first: Timestamp) -> i64 {
    (last.as_second() - first.as_second()) / 3_600
}

fn axis(series: &Series<'_>, value: u64) -> String {
    let plain: fn(u64) -> String = number;
    if std::ptr::fn_addr_eq(series.format, plain) { short(value) } else { (series.format)(value) }
}

fn numbers(series: &Series<'_>) -> Markup {
    html! {
        details.chart-data {
            summary { "Show as a table" }
            div.table-scroll tabindex="0" role="region" aria-label=(series.label) {
                table.data {
                    thead { tr { th scope="col" { "Time (UTC)" } @for (name, _) in series.values { th.number scope="col" { (name) } } } }
                    tbody {
                        @for (at, values) in series.points.iter().filter(|it| it.1.iter().any(|it| *it > 0)) {
                            tr { td { (at.strftime("%b %-d, %H:%M")) } @for value in values { td.number { ((series.format)(*value)) } } }
                        }
                    }
                }
            }
        }
    }
}

/// What the chart shows, in words.
fn summary(series: &Series<'_>) -> String {
    let highest =
        |place: usize| series.points.iter().map(|it| it.1[place]).max().unwrap_or_default();
    let values = series.values.iter().enumerate();
    let values = values
        .map(|(place, (name, _))| format!("{name} at most {}", (series.format)(highest(place))));
    format!("{}: {}", series.label, values.collect::<Vec<_>>().join(", "))
}

/// The distance of two points, in hundredths.
fn slot(points: usize) -> u64 {
    WIDTH * 100 / (points as u64).max(1)
}

/// The place of a value, in hundredths.
fn y(value: u64, top: u64) -> u64 {
    let height = HEIGHT * 100;
    height
        - u64::try_from(u128::from(height) * u128::from(value) / u128::from(top)).unwrap_or(height)
}

/// A step for each point with a value; steps beside each other are connected.
fn path(points: &[(Timestamp, Vec<u64>)], place: usize, slot: u64, top: u64) -> String {
    let mut path = String::new();
    let mut is_connected = false;
    for (index, (_, values)) in points.iter().enumerate() {
        let value = values[place];
        if value > 0 {
            let (x, y) = (slot * index as u64, hundredths(y(value, top)));
            let command = if is_connected { 'L' } else { 'M' };
            write!(path, "{command}{} {y}H{}", hundredths(x), hundredths(x + slot))
                .expect("strings take all that is written");
        }
        is_connected = value > 0;
    }
    path
}

fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// The top of the axis: a round number.
fn ceiling(highest: u64) -> u64 {
    let mut unit = 1;
    loop {
        for factor in [2, 4, 6, 10] {
            if let Some(top) = u64::checked_mul(unit, factor).filter(|it| *it >= highest) {
                return top;
            }
        }
        let Some(next) = u64::checked_mul(unit, 10) else { return u64::MAX };
        unit = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (highest, expected) in
            [(0, 2), (2, 2), (3, 4), (7, 10), (11, 20), (999, 1_000), (u64::MAX, u64::MAX)]
        {
            assert_eq!(ceiling(highest), expected, "{highest}");
        }
    }
}
