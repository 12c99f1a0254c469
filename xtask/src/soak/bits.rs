//! A set of small numbers.

/// Larger numbers are not kept, which bounds the memory to 25 MiB.
const MAX: u64 = 200_000_000;

#[derive(Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Adds a number; whether it was missing.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.0.get(word).is_some_and(|it| it & bit != 0)
    }
}

fn place(number: u64) -> (usize, u64) {
    let number = number.min(MAX);
    (usize::try_from(number / 64).unwrap_or(0), 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once() {
        let mut bits = Bits::default();
        assert!(bits.insert(130) && !bits.insert(130) && bits.insert(0));
        assert!(bits.contains(130) && bits.contains(0) && !bits.contains(131));
    }
}
