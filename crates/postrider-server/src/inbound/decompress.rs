//! Decompresses webhooks to read the event's type and id. The signature covers, and deliveries
//! carry, the body as it was received.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

/// The decompressed body; none if the body is not compressed, is damaged, or would be longer than
/// `limit`.
pub(super) fn decompress(headers: &HeaderMap, body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let encoding = headers.get(header::CONTENT_ENCODING)?.to_str().ok()?;
    match encoding.trim().to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(body), limit),
        "deflate" => read(ZlibDecoder::new(body), limit),
        _ => None,
    }
}

fn read(reader: impl Read, limit: usize) -> Option<Vec<u8>> {
    let mut decompressed = Vec::new();
    // One byte more than the limit shows that there is more, without a decompression bomb.
    let length = reader.take(limit as u64 + 1).read_to_end(&mut decompressed).ok()?;
    (length <= limit).then_some(decompressed)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn a_body_is_decompressed_up_to_a_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 100_000]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 1_000);
        let headers = |encoding: &str| {
            HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().unwrap())])
        };
        assert_eq!(decompress(&headers("GZIP"), &bomb, 100_000).map(|it| it.len()), Some(100_000));
        assert_eq!(decompress(&headers("gzip"), &bomb, 99_999), None);
        assert_eq!(decompress(&headers("deflate"), &bomb, 100_000), None);
        assert_eq!(decompress(&headers("br"), &bomb, 100_000), None);
        assert_eq!(decompress(&headers("gzip"), b"not at all", 100_000), None);
        assert_eq!(decompress(&HeaderMap::new(), &bomb, 100_000), None);
    }
}
