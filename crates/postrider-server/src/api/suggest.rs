//! What a mistyped name may have been meant to be.

/// Names that are offered at most.
const OFFERED: usize = 3;

/// How alike a name has to be to be offered.
const ALIKE: f64 = 0.8;

/// Letters that a name must have for another one to differ from it by one only.
const SHORTEST: usize = 3;

/// Longest name that is compared, in bytes: how much work that is grows with its square.
const LONGEST: usize = 64;

/// Names that one is compared with. Beyond that, suggestions would not be worth the work.
pub(crate) const COMPARED: usize = 1_000;

/// Names that may have been meant, the most alike first.
pub(crate) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > LONGEST {
        return Vec::new();
    }
    let name = bare(name);
    let likeness = |it: &str| likeness(&name, &bare(it));
    let mut near: Vec<_> = known
        .into_iter()
        .filter(|it| it.len() <= LONGEST)
        .take(COMPARED)
        .map(|it| (likeness(it), it))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|(a, name_a), (b, name_b)| b.total_cmp(a).then(name_a.cmp(name_b)));
    near.dedup();
    near.truncate(OFFERED);
    near.into_iter().map(|(_, it)| it).collect()
}

/// From 0 to 1. One letter that is wrong, missing or swapped is always near enough.
fn likeness(a: &str, b: &str) -> f64 {
    let likeness = strsim::jaro_winkler(a, b);
    let is_one_off = a.len() >= SHORTEST && strsim::osa_distance(a, b) <= 1;
    if is_one_off { likeness.max(ALIKE) } else { likeness }
}

/// The letters and digits: `event_types` means `eventTypes`.
fn bare(name: &str) -> String {
    let letters = name.chars().filter(|it| it.is_alphanumeric());
    letters.map(|it| it.to_ascii_lowercase()).collect()
}

/// The sentence with the nearest of the names, or with the other ending if none is near.
pub(crate) fn sentence<'a>(
    start: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    match near(name, known).as_slice() {
        [] => format!("{start}{otherwise}"),
        near => format!("{start}; did you mean {}?", near.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_comes_first_and_strangers_do_not_come() {
        let known = ["eventTypes", "eventType", "filterTypes", "url"];
        assert_eq!(near("event_types", known)[0], "eventTypes");
        assert_eq!(near("FILTERTYPES", known)[0], "filterTypes");
        assert!(near("zzz", known).is_empty());
        assert_eq!(sentence("is unknown", "ulr", known, ""), "is unknown; did you mean url?");
        assert_eq!(sentence("is unknown", "zzz", known, " here"), "is unknown here");
    }
}
