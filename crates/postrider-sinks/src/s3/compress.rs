//! Compression of objects.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

/// From this size on, compressing takes so long that it has its own thread.
const LARGE: usize = 32 << 10;

/// The content as a gzip file. The same content always has the same result.
pub(super) async fn gzip(content: Bytes) -> io::Result<Bytes> {
    if content.len() < LARGE {
        return gzip_now(&content);
    }
    tokio::task::spawn_blocking(move || gzip_now(&content)).await.map_err(io::Error::other)?
}

fn gzip_now(content: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(content.len() / 4), Compression::default());
    encoder.write_all(content)?;
    Ok(encoder.finish()?.into())
}

/// The content of a gzip file, up to a size.
pub(super) async fn gunzip(file: Bytes, max: usize) -> io::Result<Bytes> {
    let read = move || {
        let mut content = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        MultiGzDecoder::new(&*file).take(limit).read_to_end(&mut content)?;
        Ok(content.into())
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn content_survives_compression_up_to_a_limit() {
        for size in [0, 100, LARGE * 3] {
            let content = Bytes::from(vec![b'x'; size]);
            let file = gzip(content.clone()).await.unwrap();
            assert_eq!(gzip(content.clone()).await.unwrap(), file);
            assert_eq!(gunzip(file.clone(), LARGE * 4).await.unwrap(), content);
            assert_eq!(gunzip(file, 50).await.unwrap().len(), size.min(50));
        }
    }
}
