//! Frames between a sandbox and its workers: four bytes of length, least significant first, then
//! the content, whose fields follow each other without names.

use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Writes the fields of a frame.
#[derive(Debug)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    /// A frame whose content begins with its kind.
    pub(crate) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    pub(crate) fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(crate) fn number(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A text with its length.
    pub(crate) fn text(self, text: &str) -> Self {
        let length = u32::try_from(text.len()).expect("texts are far below 4 GiB");
        self.number(length).rest(text.as_bytes())
    }

    /// Bytes without their length, so nothing can follow.
    pub(crate) fn rest(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// The whole frame.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - LENGTH_BYTES).expect("frames are below 4 GiB");
        self.0[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

/// Reads the fields of a frame's content. Every read fails at the end, and none allocates more
/// than the content has.
#[derive(Debug)]
pub(crate) struct Decoder<'a>(pub(crate) &'a [u8]);

/// The content is shorter than its fields, or not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Decoder<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1).map(|it| it[0])
    }

    pub(crate) fn number(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?.try_into().map_err(|_| Malformed)?;
        Ok(u32::from_le_bytes(bytes))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Reads the content of a frame; none if the input has ended before it.
pub(crate) fn read(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; LENGTH_BYTES];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut content = vec![0; length_of(length)?];
    input.read_exact(&mut content)?;
    Ok(Some(content))
}

/// Writes a whole frame.
pub(crate) fn write(output: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    output.write_all(frame)?;
    output.flush()
}

/// Reads the content of a frame of at most `limit` bytes. A longer one is an error before anything
/// of it is read.
pub(crate) async fn read_limited(
    input: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> io::Result<Vec<u8>> {
    let mut length = [0; LENGTH_BYTES];
    input.read_exact(&mut length).await?;
    let length = length_of(length)?;
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame is too long"));
    }
    let mut content = vec![0; length];
    input.read_exact(&mut content).await?;
    Ok(content)
}

fn length_of(bytes: [u8; LENGTH_BYTES]) -> io::Result<usize> {
    usize::try_from(u32::from_le_bytes(bytes)).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let frame = Encoder::new(7).number(300).text("\u{e4}b").byte(1).rest(b"rest").finish();
        let content = read(&mut &frame[..]).unwrap().unwrap();
        let mut decoder = Decoder(&content);
        assert_eq!(decoder.byte(), Ok(7));
        assert_eq!(decoder.number(), Ok(300));
        assert_eq!(decoder.text(), Ok("\u{e4}b"));
        assert_eq!(decoder.byte(), Ok(1));
        assert_eq!(decoder.rest(), b"rest");
    }

    #[test]
    fn truncated_and_invalid_content_is_malformed() {
        assert_eq!(Decoder(&[]).byte(), Err(Malformed));
        assert_eq!(Decoder(&[1, 0, 0]).number(), Err(Malformed));
        assert_eq!(Decoder(&[2, 0, 0, 0, b'a']).text(), Err(Malformed));
        assert_eq!(Decoder(&[255, 255, 255, 255, b'a']).text(), Err(Malformed));
        assert_eq!(Decoder(&[1, 0, 0, 0, 0xff]).text(), Err(Malformed));
    }

    #[test]
    fn the_end_of_the_input_is_no_frame_and_a_truncated_frame_is_an_error() {
        assert!(read(&mut &b""[..]).unwrap().is_none());
        assert!(read(&mut &[9, 0, 0, 0, 1][..]).is_err());
    }

    #[tokio::test]
    async fn a_frame_beyond_the_limit_is_not_read() {
        let frame = Encoder::new(1).rest(&[0; 9]).finish();
        assert_eq!(read_limited(&mut &frame[..], 10).await.unwrap().len(), 10);
        assert!(read_limited(&mut &frame[..], 9).await.is_err());
        assert!(read_limited(&mut &[255, 255, 255, 255, 1][..], 1 << 20).await.is_err());
        assert!(read_limited(&mut &frame[..8], 10).await.is_err());
    }
}
