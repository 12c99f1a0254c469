//! Server-Sent Events, as the API sends them.

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) data: String,
}

/// The part of a stream that has arrived and was not read yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next complete event. Comments and events without data are skipped.
    pub(super) fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.0.windows(2).position(|it| it == b"\n\n")?;
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            let event = parse(&String::from_utf8_lossy(&block));
            if !event.data.is_empty() {
                return Some(event);
            }
        }
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => value.clone_into(&mut event.id),
            "event" => value.clone_into(&mut event.name),
            "data" => event.data.push_str(value),
            _ => {},
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_any_pieces() {
        let text = "retry: 2000\n\nid: msg_1\nevent: message\ndata: {\"ä\":1}\n\n: \n\nevent: end\ndata: {}\n\nid: x";
        for size in 1..text.len() {
            let (mut buffer, mut found) = (Buffer::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                buffer.push(piece);
                found.extend(std::iter::from_fn(|| buffer.next()));
            }
            let names: Vec<_> = found.iter().map(|it| (it.id.as_str(), it.name.as_str())).collect();
            assert_eq!(names, [("msg_1", "message"), ("", "end")]);
            assert_eq!(found[0].data, "{\"ä\":1}");
        }
    }
}
