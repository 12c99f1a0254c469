//! The last events of a stream, shared by all its readers.
//!
//! A reader has a position in the window instead of a queue of its own, so it costs nothing while
//! it waits, and one that does not keep up costs nothing either: the window moves on, and the
//! reader finds that its position is gone.

use std::collections::VecDeque;

use crate::time::Timestamp;

/// How much a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    pub items: usize,
    pub bytes: usize,
}

/// The last items of a sequence. Positions count from the first item that was ever added.
#[derive(Debug)]
pub struct Window<T> {
    limits: WindowLimits,
    items: VecDeque<Slot<T>>,
    bytes: usize,
    /// The position of the first item that is still there.
    first: u64,
    /// When the last item that is gone was added.
    lost_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Slot<T> {
    item: T,
    bytes: usize,
    added_at: Timestamp,
}

/// What is at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    Item(T),
    /// Nothing has been added there yet.
    Pending,
    /// What was there is gone.
    Lost,
}

impl<T> Window<T> {
    pub const fn new(limits: WindowLimits) -> Self {
        Self { limits, items: VecDeque::new(), bytes: 0, first: 0, lost_at: None }
    }

    /// Adds an item, and removes the oldest ones that exceed the limits. The new one stays in any
    /// case.
    pub fn push(&mut self, item: T, bytes: usize, now: Timestamp) {
        self.items.push_back(Slot { item, bytes, added_at: now });
        self.bytes += bytes;
        while self.items.len() > 1
            && (self.items.len() > self.limits.items || self.bytes > self.limits.bytes)
        {
            self.drop_oldest();
        }
    }

    /// Removes the oldest item; `false` if there is none.
    pub fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.items.pop_front() else { return false };
        self.bytes -= oldest.bytes;
        self.first += 1;
        self.lost_at = Some(oldest.added_at);
        true
    }

    /// What is at this position.
    pub fn at(&self, position: u64) -> Lookup<&T> {
        let Some(offset) = position.checked_sub(self.first) else { return Lookup::Lost };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.items.get(offset).map_or(Lookup::Pending, |slot| Lookup::Item(&slot.item))
    }

    /// The position of the next item that will be added.
    pub fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// The position of the first item that was added at this time or later; `None` if some of
    /// these items are gone.
    pub fn since(&self, time: Timestamp) -> Option<u64> {
        if self.lost_at.is_some_and(|lost_at| lost_at >= time) {
            return None;
        }
        let older = self.items.iter().take_while(|slot| slot.added_at < time).count();
        Some(self.first + older as u64)
    }

    /// The items, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|slot| &slot.item)
    }

    /// The position after the first item that meets the condition.
    pub fn after_first(&self, is_wanted: impl Fn(&T) -> bool) -> Option<u64> {
        let index = self.items.iter().position(|slot| is_wanted(&slot.item))?;
        Some(self.first + index as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(items: usize, bytes: usize, pushed: &[(char, usize, u64)]) -> Window<char> {
        let mut window = Window::new(WindowLimits { items, bytes });
        for &(item, bytes, at) in pushed {
            window.push(item, bytes, Timestamp::from_millis(at));
        }
        window
    }

    fn all(window: &Window<char>) -> String {
        (0..10)
            .map(|position| match window.at(position) {
                Lookup::Item(item) => *item,
                Lookup::Pending => '.',
                Lookup::Lost => '-',
            })
            .collect()
    }

    #[test]
    fn the_oldest_items_make_room() {
        let abc = &[('a', 1, 0), ('b', 1, 0), ('c', 1, 0)][..];
        for (items, bytes, pushed, expected) in [
            (9, 9, &[][..], ".........."),
            (9, 9, abc, "abc......."),
            (2, 9, abc, "-bc......."),
            (9, 1, abc, "--c......."),
            (9, 9, &[('a', 1, 0), ('b', 100, 0)], "-b........"),
            (9, 9, &[('a', 100, 0), ('b', 9, 0)], "-b........"),
        ] {
            let window = window(items, bytes, pushed);
            assert_eq!(all(&window), expected, "{items} {bytes}");
            assert_eq!(window.end(), pushed.len() as u64);
        }
    }

    #[test]
    fn a_position_is_found_by_time_unless_items_since_then_are_gone() {
        let pushed = [('a', 1, 10), ('b', 1, 20), ('c', 1, 30)];
        for (items, time, expected) in [
            (9, 0, Some(0)),
            (9, 10, Some(0)),
            (9, 11, Some(1)),
            (9, 31, Some(3)),
            (2, 11, Some(1)),
            (2, 10, None),
        ] {
            let found = window(items, 9, &pushed).since(Timestamp::from_millis(time));
            assert_eq!(found, expected, "{items} {time}");
        }
    }

    #[test]
    fn a_reader_goes_on_after_the_first_occurrence() {
        let window = window(3, 9, &[('x', 1, 0), ('b', 1, 0), ('a', 1, 0), ('b', 1, 0)]);
        assert_eq!(window.after_first(|&it| it == 'b'), Some(2));
        assert_eq!(window.after_first(|&it| it == 'x'), None);
    }
}
