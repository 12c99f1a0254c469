//! The difference between two texts, line by line.

/// Most lines of a text that are compared with all lines of the other one.
const MAX_LINES: usize = 400;

/// A line of both texts, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// The lines of both texts, in an order in which as many as possible are the same.
pub(super) fn lines<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let before: Vec<_> = before.lines().take(MAX_LINES).collect();
    let after: Vec<_> = after.lines().take(MAX_LINES).collect();
    let common = common(&before, &after);
    let (mut left, mut right) = (0, 0);
    let mut found = Vec::new();
    while left < before.len() || right < after.len() {
        let is_same = left < before.len() && right < after.len() && before[left] == after[right];
        if is_same {
            found.push(Line::Same(before[left]));
            (left, right) = (left + 1, right + 1);
        } else if right == after.len()
            || (left < before.len() && common[left + 1][right] >= common[left][right + 1])
        {
            found.push(Line::Removed(before[left]));
            left += 1;
        } else {
            found.push(Line::Added(after[right]));
            right += 1;
        }
    }
    found
}

/// How many lines are common to the rests of both texts that begin at two lines.
fn common(before: &[&str], after: &[&str]) -> Vec<Vec<usize>> {
    let mut lengths = vec![vec![0; after.len() + 1]; before.len() + 1];
    for left in (0..before.len()).rev() {
        for right in (0..after.len()).rev() {
            lengths[left][right] = if before[left] == after[right] {
                lengths[left + 1][right + 1] + 1
            } else {
                lengths[left + 1][right].max(lengths[left][right + 1])
            };
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::{
        Line::{Added, Removed, Same},
        *,
    };

    #[test]
    fn lines_that_are_the_same_are_kept_together() {
        assert_eq!(lines("a\nb\nc", "a\nx\nc"), [Same("a"), Removed("b"), Added("x"), Same("c")]);
        assert_eq!(lines("", "a"), [Added("a")]);
        assert_eq!(lines("a\nb", "b"), [Removed("a"), Same("b")]);
        assert_eq!(lines("same", "same"), [Same("same")]);
        assert!(lines("", "").is_empty());
    }
}
