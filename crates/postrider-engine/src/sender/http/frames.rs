//! Counts the frames of an HTTP/2 connection, because a frame of nine bytes costs about as much to
//! process as one of a few hundred.

use std::io;

use crate::sender::{
    meter::Meter,
    receive_budget::{MIN_COST, ReceiveBudget},
};

/// Length of a frame's header; its first three bytes are the length of the payload.
const HEADER: usize = 9;

/// The position in the sequence of frames.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER],
    /// Bytes of the header that were received.
    known: usize,
    /// Bytes of the payload that are still to come.
    payload: usize,
}

impl Frames {
    /// Reads more bytes; returns what the frames whose headers end in them cost in addition to
    /// their length.
    fn surcharge(&mut self, mut bytes: &[u8]) -> usize {
        let mut surcharge = 0;
        loop {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let taken = bytes.len().min(HEADER - self.known);
            let (head, rest) = bytes.split_at(taken);
            if let Some(room) = self.header.get_mut(self.known..self.known + taken) {
                room.copy_from_slice(head);
            }
            (self.known, bytes) = (self.known + taken, rest);
            if self.known < HEADER {
                return surcharge;
            }
            let [high, middle, low, ..] = self.header;
            self.payload = u32::from_be_bytes([0, high, middle, low]) as usize;
            self.known = 0;
            surcharge += MIN_COST.saturating_sub(HEADER + self.payload);
        }
    }
}

/// Counts the frames of an HTTP/2 connection.
#[derive(Debug)]
pub(super) struct FrameMeter {
    frames: Frames,
    budget: ReceiveBudget,
}

impl FrameMeter {
    pub(super) fn new(budget: ReceiveBudget) -> Self {
        Self { frames: Frames::default(), budget }
    }
}

impl Meter for FrameMeter {
    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.budget.spend(self.frames.surcharge(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut frame = vec![0; HEADER + length];
        let bytes = u32::try_from(length).unwrap().to_be_bytes();
        frame[..3].copy_from_slice(&bytes[1..]);
        // The payload looks like headers of frames.
        frame[HEADER..].fill(1);
        frame
    }

    #[test]
    fn small_frames_cost_more_than_their_bytes_however_they_arrive() {
        for (lengths, expected) in [
            (&[][..], 0),
            (&[0], 247),
            (&[0, 0, 0], 3 * 247),
            (&[8, 4], 239 + 243),
            (&[247, 16_384], 0),
            (&[100, 70_000, 1], 147 + 246),
        ] {
            let bytes: Vec<u8> = lengths.iter().flat_map(|it| frame(*it)).collect();
            for step in [1, 2, 7, 9, 10, 1_000, 100_000] {
                let mut frames = Frames::default();
                let total: usize = bytes.chunks(step).map(|it| frames.surcharge(it)).sum();
                assert_eq!(total, expected, "{lengths:?} in parts of {step}");
            }
        }
    }
}
