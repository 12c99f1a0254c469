//! The store's settings.

use postrider_core::pace::Pace;

/// Settings of the embedded store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for pages of the main database.
    pub main_cache_bytes: u64,
    /// Memory for pages of the index.
    pub index_cache_bytes: u64,
    /// Memory for pages, for each of the reading threads and for each of both files.
    pub reader_cache_bytes: u64,
    /// The write-ahead log is copied into the database whenever it has grown by this much.
    pub checkpoint_bytes: usize,
    /// The write-ahead log is restarted once it is this long.
    pub wal_bytes: usize,
    /// The limit of the main database, in pages; beyond it the disk counts as full.
    pub max_pages: Option<u32>,
    /// The limit of the index, in pages; beyond it the disk counts as full.
    pub max_index_pages: Option<u32>,
    /// Free bytes on the disk below which new messages are refused; on a small disk, at most
    /// a tenth of it.
    pub disk_reserve: u64,
    /// The pace of a rebuild of the index; by default it depends on how busy the store is.
    pub rebuild_pace: Option<Pace>,
    /// A batch of the index with at least this many numbers of statistics is added to the rollups
    /// later, together with others.
    pub large_batch: usize,
    /// Opens a store that has lost data, without the missing data.
    pub accept_loss: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            main_cache_bytes: 8 << 20,
            index_cache_bytes: 16 << 20,
            reader_cache_bytes: 4 << 20,
            checkpoint_bytes: 2 << 20,
            wal_bytes: 32 << 20,
            max_pages: None,
            max_index_pages: None,
            disk_reserve: 256 << 20,
            rebuild_pace: None,
            large_batch: 1_000,
            accept_loss: false,
        }
    }
}
