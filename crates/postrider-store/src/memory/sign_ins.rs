//! Sessions of people.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::{
    contract::sign_ins::{SignIn, SignIns},
    error::StoreError,
};

#[async_trait]
impl SignIns for MemoryStore {
    async fn sign_in(&self, digest: [u8; 32]) -> Result<Option<SignIn>, StoreError> {
        self.transact(|state| Ok(state.sign_ins.get(&digest).cloned()))
    }
}

impl State {
    pub(super) fn begin_sign_in(&mut self, digest: [u8; 32], sign_in: SignIn) {
        let now = sign_in.created_at;
        self.sign_ins.retain(|_, it| it.expires_at > now);
        self.sign_ins.insert(digest, sign_in);
    }

    pub(super) fn end_sign_in(&mut self, digest: [u8; 32]) -> bool {
        self.sign_ins.remove(&digest).is_some()
    }
}
