//! Reads compressed webhooks. What is signed and passed on is what came; only the event's type
//! and id may stand where they can be read first.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

/// The body without its compression, if it has one and is no longer than `limit` without it.
pub(super) fn plain(headers: &HeaderMap, body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let encoding = headers.get(header::CONTENT_ENCODING)?.to_str().ok()?;
    match encoding.trim().to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => whole(MultiGzDecoder::new(body), limit),
        "deflate" => whole(ZlibDecoder::new(body), limit),
        _ => None,
    }
}

fn whole(reader: impl Read, limit: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let length = reader.take(limit as u64 + 1).read_to_end(&mut plain).ok()?;
    (length <= limit).then_some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn what_is_compressed_is_read_up_to_a_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 100_000]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 1_000);
        let named = |encoding: &str| {
            HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().unwrap())])
        };
        assert_eq!(plain(&named("GZIP"), &bomb, 100_000).map(|it| it.len()), Some(100_000));
        assert_eq!(plain(&named("gzip"), &bomb, 99_999), None);
        assert_eq!(plain(&named("deflate"), &bomb, 100_000), None);
        assert_eq!(plain(&named("br"), &bomb, 100_000), None);
        assert_eq!(plain(&named("gzip"), b"not at all", 100_000), None);
        assert_eq!(plain(&HeaderMap::new(), &bomb, 100_000), None);
    }
}
