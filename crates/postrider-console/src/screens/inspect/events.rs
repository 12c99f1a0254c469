//! Reads Server-Sent Events.

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Collects bytes until they are events.
#[derive(Debug, Default)]
pub(super) struct EventReader(Vec<u8>);

impl EventReader {
    /// Adds bytes, and returns the events that are complete. Comments are left out.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.0.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.0.windows(2).position(|it| it == b"\n\n") {
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            events.extend(event(&String::from_utf8_lossy(&block)));
        }
        events
    }
}

fn event(block: &str) -> Option<Event> {
    let mut event = Event::default();
    for line in block.lines() {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event.name);
        } else if let Some(data) = line.strip_prefix("data: ") {
            event.data.push_str(data);
        }
    }
    (!event.name.is_empty()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_may_arrive_in_pieces() {
        let mut reader = EventReader::default();
        assert_eq!(reader.add(b": \n\nevent: start\nda"), []);
        let found = reader.add(b"ta: {}\n\nevent: end\ndata: 1\n\n");
        let names: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.data.as_str())).collect();
        assert_eq!(names, [("start", "{}"), ("end", "1")]);
    }
}
