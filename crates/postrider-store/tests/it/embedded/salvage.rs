//! Salvaging a damaged folder: what is missing afterwards was reported.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use postrider_core::{catalog::Endpoint, message::Message};
use postrider_store::{
    Deliveries, EmbeddedStore, History, Hold, IdOrUid, Maintenance, NewMessage, Options, Records,
    Rejections, Salvaged, salvage, verify,
};

use super::copy_folder;
use crate::fixture::*;

const MESSAGES: u64 = 300;

const SEEDS: u64 = 24;

fn sized(number: u64) -> NewMessage {
    // Some with pages of their own.
    let bytes = if number.is_multiple_of(10) { 9_000 } else { 200 };
    let body = Bytes::from(vec![b'a' + u8::try_from(number % 26).unwrap(); bytes]);
    let message = Message { body: Some(body), ..message(number) };
    new(message, &[1, 2], Hold::Free(at(number)))
}

async fn large_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    create_sources(&store, 1..=5).await;
    store.append((1..=MESSAGES).map(sized).collect()).await.unwrap();
    store.reject(vec![rejection(1, 1), rejection(2, 1)]).await.unwrap();
    let found = store.claim(claim()).await.unwrap();
    for (number, (delivery, _)) in (1_000..).zip(found.deliveries.into_iter().take(100)) {
        deliver(&store, number, delivery).await;
    }
    drop(store);
    folder
}

/// The messages that are there, with their payloads.
async fn messages(store: &EmbeddedStore) -> BTreeMap<u64, Option<Bytes>> {
    let mut bodies = BTreeMap::new();
    for number in 1..=MESSAGES {
        let key = IdOrUid::Id(message_id(number));
        if let Some(message) = store.message(application_id(1), &key).await.unwrap() {
            bodies.insert(number, message.body);
        }
    }
    bodies
}

fn salvaged(folder: &Path, to: &Path) -> (Salvaged, EmbeddedStore) {
    let before: Vec<_> = sorted_files(folder);
    let report = salvage(folder, to).unwrap();
    assert_eq!(sorted_files(folder), before, "the damaged folder was changed");
    (report, EmbeddedStore::open(to, &Options::default()).unwrap())
}

fn sorted_files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[tokio::test]
async fn an_undamaged_folder_is_copied_as_a_whole() {
    let folder = large_folder().await;
    let target = tempfile::tempdir().unwrap();
    let (report, copy) = salvaged(folder.path(), &target.path().join("copy"));
    assert_eq!(report.lost, [""; 0]);
    let original = open_embedded(folder.path());
    assert_eq!(messages(&copy).await, messages(&original).await);
    assert_eq!(copy.size().await.unwrap().waiting, original.size().await.unwrap().waiting);
    assert_eq!(report.messages, MESSAGES);
    assert_eq!(report.attempts, 100);
}

/// A small generator; a seed gives one damage.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((x ^ (x >> 31)) >> 1).unwrap()
}

fn damage(bytes: &mut Vec<u8>, seed: u64) {
    let mut state = seed;
    let pages = bytes.len() / 4_096;
    match seed % 4 {
        0 => {
            for _ in 0..=next(&mut state) % 8 {
                let at = next(&mut state) % bytes.len();
                bytes[at] ^= 1 << (next(&mut state) % 8);
            }
        },
        1 => {
            for _ in 0..=next(&mut state) % 4 {
                let page = 1 + next(&mut state) % (pages - 1);
                bytes[page * 4_096..][..4_096].fill(0);
            }
        },
        2 => bytes.truncate(bytes.len() / 2 + next(&mut state) % (bytes.len() / 2)),
        _ => {
            let page = 1 + next(&mut state) % (pages - 2);
            let moved = bytes[page * 4_096..][..4_096].to_vec();
            let to = 1 + next(&mut state) % (pages - 1);
            bytes[to * 4_096..][..4_096].copy_from_slice(&moved);
        },
    }
}

#[tokio::test]
async fn what_a_salvaged_folder_lacks_was_reported() {
    let folder = large_folder().await;
    let original = messages(&open_embedded(folder.path())).await;
    let main = fs::read(folder.path().join("postrider.db")).unwrap();
    let (mut complete, mut salvages) = (0, 0);
    for seed in 0..SEEDS {
        let damaged = copy_folder(folder.path(), |_| true);
        let mut bytes = main.clone();
        damage(&mut bytes, seed);
        fs::write(damaged.path().join("postrider.db"), bytes).unwrap();
        let target = tempfile::tempdir().unwrap();
        let to = target.path().join("copy");
        let Ok(report) = salvage(damaged.path(), &to) else {
            assert!(!to.join("postrider.db").exists(), "seed {seed}");
            continue;
        };
        salvages += 1;
        let copy = EmbeddedStore::open(&to, &Options::default()).unwrap();
        let found = messages(&copy).await;
        for (id, body) in &found {
            let same = body.is_none() || original.get(id) == Some(body);
            assert!(same, "seed {seed}: message {id} is not the one that was stored");
        }
        let lost = original.len() - found.len();
        let stripped = found.values().filter(|body| body.is_none()).count();
        let has_report = !report.lost.is_empty();
        assert!(has_report || lost + stripped == 0, "seed {seed}: {lost}, {stripped}: {report:?}");
        let key = IdOrUid::Id(endpoint_id(1));
        let endpoint: Option<Endpoint> = copy.get(&application_id(1), &key).await.unwrap();
        assert!(endpoint.is_some() || has_report, "seed {seed}: {report:?}");
        drop(copy);
        let verified = verify(&to).unwrap();
        assert_eq!(verified.damage, [""; 0], "seed {seed}");
        complete += usize::from(!has_report);
    }
    assert!(
        salvages > SEEDS * 2 / 3,
        "only {salvages} folders could be salvaged, {complete} of them as a whole"
    );
}
